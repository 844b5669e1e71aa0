package spec

import (
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// resources checks ranges and contradictions. What a hierarchy cannot express
// is found by the cgroups packages, which know the version.
func (c *checker) resources(at *node, r *specs.LinuxResources) {
	for i := range r.Devices {
		c.deviceRule(at.field("devices").at(i), &r.Devices[i])
	}
	if r.Memory != nil {
		c.memory(at.field("memory"), r.Memory)
	}
	if r.CPU != nil {
		c.cpu(at.field("cpu"), r.CPU)
	}
	if r.BlockIO != nil {
		c.blockIO(at.field("blockIO"), r.BlockIO)
	}
	for i, h := range r.HugepageLimits {
		if !hugepageSize(h.Pagesize) {
			c.fail(at.field("hugepageLimits").at(i).field("pageSize"), h.Pagesize, "not of the form 64KB, 2MB, 1GB")
		}
	}
	if r.Network != nil {
		c.network(at.field("network"), r.Network)
	}
	c.rdma(at.field("rdma"), r.Rdma)
	c.unified(at.field("unified"), r.Unified)
}

// limit checks a number that is at least 0, or -1 for "no limit".
func (c *checker) limit(at *node, n *int64) {
	if n != nil && *n < -1 {
		c.fail(at, itoa(*n), "below -1 (no limit)")
	}
}

func (c *checker) deviceRule(at *node, d *specs.LinuxDeviceCgroup) {
	switch d.Type {
	case "", "a", "b", "c":
	default:
		c.fail(at.field("type"), d.Type, "unknown device type (a, b or c)")
	}
	if d.Major != nil {
		c.deviceNumber(at.field("major"), *d.Major, -1, maxMajor)
	}
	if d.Minor != nil {
		c.deviceNumber(at.field("minor"), *d.Minor, -1, maxMinor)
	}
	if d.Access == "" || strings.Trim(d.Access, "rwm") != "" {
		c.fail(at.field("access"), d.Access, "must be one or more of r, w and m")
	}
}

func (c *checker) memory(at *node, m *specs.LinuxMemory) {
	c.limit(at.field("limit"), m.Limit)
	c.limit(at.field("reservation"), m.Reservation)
	c.limit(at.field("swap"), m.Swap)
	c.swap(at.field("swap"), m)
	for _, k := range [...]struct {
		name  string
		value *int64
	}{{"kernel", m.Kernel}, {"kernelTCP", m.KernelTCP}} {
		if k.value != nil && *k.value > 0 {
			c.warn(at.field(k.name), itoa(*k.value), "ignored: the kernel has no such limit any more")
		}
	}
	if s := m.Swappiness; s != nil && *s > 100 {
		c.fail(at.field("swappiness"), strconv.FormatUint(*s, 10), "above 100")
	}
}

// swap checks memory+swap against memory; 0 means unset for both.
func (c *checker) swap(at *node, m *specs.LinuxMemory) {
	if m.Swap == nil || *m.Swap <= 0 {
		return
	}
	switch {
	case m.Limit == nil || *m.Limit <= 0:
		c.fail(at, itoa(*m.Swap), "unable to set swap limit without memory limit")
	case *m.Swap < *m.Limit:
		c.fail(at, itoa(*m.Swap), "below the memory limit (swap is memory and swap together)")
	}
}

func (c *checker) cpu(at *node, p *specs.LinuxCPU) {
	if s := p.Shares; s != nil && *s != 0 && (*s < 2 || *s > 262144) {
		c.warn(at.field("shares"), strconv.FormatUint(*s, 10), "not in 2..262144, the nearest of which is used")
	}
	if p.Burst != nil && p.Quota != nil && *p.Quota > 0 && *p.Burst > uint64(*p.Quota) {
		c.fail(at.field("burst"), strconv.FormatUint(*p.Burst, 10), "above the quota")
	}
	c.line(at.field("cpus"), p.Cpus)
	c.line(at.field("mems"), p.Mems)
	if p.Idle != nil && *p.Idle != 0 && *p.Idle != 1 {
		c.fail(at.field("idle"), itoa(*p.Idle), "neither 0 nor 1")
	}
}

func (c *checker) network(at *node, n *specs.LinuxNetwork) {
	for i, p := range n.Priorities {
		if reason := interfaceName(p.Name); reason != "" {
			c.fail(at.field("priorities").at(i).field("name"), p.Name, reason)
		}
	}
}

func (c *checker) rdma(at *node, devices map[string]specs.LinuxRdma) {
	for _, name := range keys(devices) {
		if name == "" || strings.ContainsAny(name, " \t\n\x00") {
			c.fail(at, name, "not a device name")
		}
		if d := devices[name]; d.HcaHandles == nil && d.HcaObjects == nil {
			c.fail(at.entry(name), "", "neither hcaHandles nor hcaObjects")
		}
	}
}

// unified checks that each key is a file in the cgroup itself: CONTROLLER.NAME.
func (c *checker) unified(at *node, files map[string]string) {
	for _, name := range keys(files) {
		controller, parameter, _ := strings.Cut(name, ".")
		if controller == "" || parameter == "" || strings.ContainsAny(name, "/\x00") {
			c.fail(at, name, "not a control file (CONTROLLER.NAME)")
		}
		c.text(at.entry(name), files[name])
	}
}

// hugepageSize tells whether a size reads as <number><K|M|G>B, the form in the
// names of the control files.
func hugepageSize(size string) bool {
	number, ok := strings.CutSuffix(size, "B")
	if !ok || number == "" {
		return false
	}
	unit := number[len(number)-1]
	number = number[:len(number)-1]
	return (unit == 'K' || unit == 'M' || unit == 'G') && allDigits(number) && number[0] != '0'
}
