package plan

import (
	"fmt"

	"tare/internal/step"
)

// Text is the plan for people: who manages the cgroup, the host's list, the init's list, and the
// descriptors that travel.
func (p *Plan) Text() string {
	var b []byte
	if p.Cgroup != (CgroupChoice{}) {
		b = append(append(b, p.Cgroup.String()...), '\n')
	}
	b = append(b, "host:\n"...)
	b = indent(b, step.AppendText(nil, p.Host))
	b = append(b, "init:\n"...)
	b = indent(b, step.AppendText(nil, p.Init))
	if len(p.FDs) > 0 {
		b = append(b, "descriptors:\n"...)
	}
	for i, f := range p.FDs {
		b = fmt.Appendf(b, "  %d %s", i+1, f.Kind)
		if f.Path != "" {
			b = fmt.Appendf(b, " %q", f.Path)
		}
		if f.FSType != "" {
			b = fmt.Appendf(b, " fstype=%s data=%q", f.FSType, f.Data)
		}
		if f.Recursive {
			b = append(b, " recursive"...)
		}
		if f.IDMap != nil {
			b = appendIDMap(b, f.IDMap)
		}
		if f.At != "" {
			b = append(append(b, "  # "...), f.At...)
		}
		b = append(b, '\n')
	}
	for _, w := range p.Warnings {
		b = append(append(append(b, "warning: "...), w...), '\n')
	}
	return string(b)
}

func (f *CgroupFacts) choice(o *Options) CgroupChoice {
	c := CgroupChoice{Manager: f.Manager, Mode: f.Mode, Why: f.Why}
	if !f.Disabled {
		c.Path = o.CgroupPath
	}
	return c
}

// String is a line such as `cgroup: cgroupfs on v2, /box: cgroup2 is mounted at /sys/fs/cgroup`.
func (c CgroupChoice) String() string {
	if c.Path == "" {
		return fmt.Sprintf("cgroup: %s: %s", c.Manager, c.Why)
	}
	return fmt.Sprintf("cgroup: %s on %s, %s: %s", c.Manager, c.Mode, c.Path, c.Why)
}

func indent(b, text []byte) []byte {
	start := true
	for _, c := range text {
		if start {
			b = append(b, "  "...)
		}
		b = append(b, c)
		start = c == '\n'
	}
	return b
}

// JSON is the plan for programs: {"cgroup": {…}, "host": […], "init": […], "descriptors": […], "warnings": […]},
// the steps as step.AppendJSON writes them; an exec's has no cgroup.
func (p *Plan) JSON() []byte {
	b := []byte(`{`)
	if c := &p.Cgroup; *c != (CgroupChoice{}) {
		b = fmt.Appendf(b, `"cgroup":{"manager":%s,"mode":%s,"path":%s,"why":%s},`, quote(c.Manager), quote(c.Mode), quote(c.Path), quote(c.Why))
	}
	b = step.AppendJSON(append(b, `"host":`...), p.Host)
	b = step.AppendJSON(append(b, `,"init":`...), p.Init)
	b = append(b, `,"descriptors":[`...)
	for i, f := range p.FDs {
		if i > 0 {
			b = append(b, ',')
		}
		b = fmt.Appendf(b, `{"fd":%d,"kind":%s,"path":%s,"at":%s`, i+1, quote(string(f.Kind)), quote(f.Path), quote(f.At))
		if f.FSType != "" {
			b = fmt.Appendf(b, `,"fstype":%s`, quote(f.FSType))
		}
		b = append(b, '}')
	}
	b = append(b, `],"warnings":[`...)
	for i, w := range p.Warnings {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, quote(w)...)
	}
	return append(b, "]}\n"...)
}

func appendIDMap(b []byte, m *IDMap) []byte {
	if m.Path != "" {
		b = fmt.Appendf(b, " idmap=%q", m.Path)
	}
	for _, m := range m.UID {
		b = fmt.Appendf(b, " uid(%d %d %d)", m.Container, m.Host, m.Size)
	}
	for _, m := range m.GID {
		b = fmt.Appendf(b, " gid(%d %d %d)", m.Container, m.Host, m.Size)
	}
	return b
}
