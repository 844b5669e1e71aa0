package plan_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/internal/plan"
)

// binds adds what a container has of the host: a directory, a file below a tmpfs, a recursive bind with a
// mount inside, a bind inside another bind, a destination that is a link in the image.
func binds(s *specs.Spec) {
	s.Mounts = append(s.Mounts,
		specs.Mount{Destination: "/data", Type: "bind", Source: "/srv/data", Options: []string{"bind", "ro"}},
		specs.Mount{Destination: "/dev/log", Type: "bind", Source: "log", Options: []string{"bind"}},
		specs.Mount{Destination: "/host", Type: "bind", Source: "/srv/tree", Options: []string{"rbind"}},
		specs.Mount{Destination: "/data/in/ner", Type: "bind", Source: "/srv/file", Options: []string{"bind"}},
		specs.Mount{Destination: "/var/run/x", Type: "bind", Source: "/srv/x", Options: []string{"bind"}},
		specs.Mount{Destination: "/data", Options: []string{"remount", "bind", "ro", "noexec"}})
}

func joined(s *specs.Spec) {
	for i := range s.Linux.Namespaces {
		switch n := &s.Linux.Namespaces[i]; n.Type {
		case specs.NetworkNamespace, specs.PIDNamespace, specs.IPCNamespace, specs.UTSNamespace:
			n.Path = "/run/ns/" + string(n.Type)
		}
	}
}

func mount(f *plan.DumpFacts, device string, points ...string) {
	for _, p := range points {
		f.Mounted = append(f.Mounted, plan.Mounted{Point: p, Device: device})
	}
}

func dumpFacts(s *specs.Spec, mode string) *plan.DumpFacts {
	f := &plan.DumpFacts{CgroupMode: mode, Places: map[string]plan.Place{}, NetNS: 4026532001, PidNS: 4026532002,
		Freezer: "/sys/fs/cgroup/box"}
	mount(f, "0:1", "/", "/proc", "/sys", "/sys/fs/cgroup", "/data", "/dev/log", "/host", "/host/sub dir", "/data/in/ner",
		"/run/x", "/run/notify", "/proc/acpi", "/proc/keys")
	mount(f, "0:2", "/dev", "/proc/timer_list")
	if mode != "v2" {
		mount(f, "0:3", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/systemd")
	}
	for _, p := range plan.DumpPaths(s) {
		f.Places[p] = plan.Place{Path: p, Dir: !strings.HasPrefix(p, "/dev/") && p != "/proc/keys" && p != "/proc/timer_list"}
	}
	f.Places["/var/run/x"] = plan.Place{Path: "/run/x", Dir: true}
	delete(f.Places, "/proc/timer_stats")
	return f
}

func TestGoldenDumps(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, mode string
		base       func() *specs.Spec
		edit       func(*specs.Spec, *plan.DumpFacts)
	}{
		{"dump-v2", "v2", sample, nil},
		{"dump-v1-binds", "v1", sampleV1, nil},
		{"dump-joined", "v2", sample, func(s *specs.Spec, _ *plan.DumpFacts) { joined(s) }},
		{"dump-host-namespaces", "v2", sample, func(s *specs.Spec, f *plan.DumpFacts) { joined(s); f.NetNS, f.PidNS = 0, 0 }},
		{"dump-devices-bound", "v2", sample, func(s *specs.Spec, f *plan.DumpFacts) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229}}
			f.Places["/dev/fuse"] = plan.Place{Path: "/dev/fuse"}
			mount(f, "0:5", "/dev/null", "/dev/zero", "/dev/fuse")
		}},
		{"dump-dev-bound", "v2", sample, func(s *specs.Spec, f *plan.DumpFacts) {
			for i := range s.Mounts {
				if s.Mounts[i].Destination == "/dev" {
					s.Mounts[i] = specs.Mount{Destination: "/dev", Type: "bind", Source: "/dev", Options: []string{"rbind"}}
				}
			}
		}},
		{"dump-unmounted", "v2", sample, func(s *specs.Spec, f *plan.DumpFacts) {
			f.Mounted = slices.DeleteFunc(f.Mounted, func(m plan.Mounted) bool { return m.Point == "/data" || m.Point == "/sys/fs/cgroup" })
		}},
	} {
		s := c.base()
		binds(s)
		f := dumpFacts(s, c.mode)
		if c.edit != nil {
			c.edit(s, f)
		}
		d, err := plan.BuildDump(s, f)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		checkText(t, c.name, d.Text())
	}
}

func restoreFacts(s *specs.Spec, o *plan.Options) *plan.RestoreFacts {
	f := &plan.RestoreFacts{Places: map[string]plan.Place{}, Sources: map[string]plan.Place{},
		HostMounts: []string{"/", "/srv", "/srv/tree", "/srv/tree/sub dir", "/srv/treetop"}}
	destinations, sources := plan.RestorePaths(s, o)
	for _, d := range destinations {
		f.Places[d] = plan.Place{Path: d, Dir: true}
	}
	f.Places["/var/run/x"] = plan.Place{Path: "/run/x", Dir: true}
	for _, src := range sources {
		f.Sources[src] = plan.Place{Path: src, Dir: src != "/b/log" && src != "/srv/file"}
	}
	return f
}

func TestGoldenRestores(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		base  func() *specs.Spec
		facts func() *plan.Facts
		edit  func(*specs.Spec, *plan.RestoreFacts)
	}{
		{"restore-v2", sample, v2Facts, nil},
		{"restore-v1-binds", sampleV1, v1Facts, nil},
		{"restore-joined", sample, v2Facts, func(s *specs.Spec, _ *plan.RestoreFacts) { joined(s) }},
		{"restore-host-network", sample, v2Facts, func(s *specs.Spec, f *plan.RestoreFacts) {
			joined(s)
			f.HostNamespaces = []string{"/run/ns/network"}
		}},
		{"restore-no-cgroup", sampleV1, func() *plan.Facts { f := v1Facts(); f.Cgroup.Disabled = true; return f }, nil},
		{"restore-hooks-delegated", sample, v2Facts, func(s *specs.Spec, _ *plan.RestoreFacts) {
			h := func(n string) []specs.Hook { return []specs.Hook{{Path: "/bin/" + n, Args: []string{n}}} }
			s.Hooks = &specs.Hooks{Prestart: h("prestart"), CreateRuntime: h("runtime"), CreateContainer: h("no"), //nolint:staticcheck
				StartContainer: h("no"), Poststart: h("no"), Poststop: h("no")}
			s.Process.User.UID = 1000
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
			s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
			s.Linux.GIDMappings = s.Linux.UIDMappings
			for i := range s.Mounts {
				s.Mounts[i].Options = slices.DeleteFunc(s.Mounts[i].Options, func(o string) bool { return o == "ro" })
			}
		}},
	} {
		s, o := c.base(), options()
		o.NotifyDir = "/run/tare/box/notify"
		binds(s)
		f := restoreFacts(s, o)
		f.Cgroup = c.facts().Cgroup
		if c.edit != nil {
			c.edit(s, f)
		}
		r, err := plan.BuildRestore(s, f, o)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		checkText(t, c.name, r.Text())
	}
}

// What a dump only names, a restore of the same config knows.
func TestRestoreKnowsEveryNameOfTheDump(t *testing.T) {
	t.Parallel()
	for mode, facts := range map[string]func() *plan.Facts{"v1": v1Facts, "v2": v2Facts} {
		s, o := sample(), options()
		o.NotifyDir = "/n"
		binds(s)
		df := dumpFacts(s, mode)
		mount(df, "0:5", "/dev/null")
		d, err := plan.BuildDump(s, df)
		if err != nil {
			t.Fatal(err)
		}
		rf := restoreFacts(s, o)
		rf.Cgroup = facts().Cgroup
		r, err := plan.BuildRestore(s, rf, o)
		if err != nil {
			t.Fatal(err)
		}
		known := make(map[string]bool)
		for _, e := range r.External {
			name, _, _ := strings.Cut(strings.TrimPrefix(e, "mnt["), "]:")
			known[name] = true
		}
		if len(d.External) < 8 {
			t.Errorf("%s: few externals: %q", mode, d.External)
		}
		for _, e := range d.External {
			if _, name, ok := strings.Cut(e, "]:"); !ok || !known[name] {
				t.Errorf("%s: the dump has %q, the restore knows %q", mode, e, slices.Sorted(maps.Keys(known)))
			}
		}
	}
}

func TestWhatCannotBeCheckpointed(t *testing.T) {
	t.Parallel()
	for want, edit := range map[string]func(*specs.Spec){
		"without a mount namespace": func(s *specs.Spec) {
			s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.MountNamespace })
		},
		"another's mount namespace": func(s *specs.Spec) {
			for i := range s.Linux.Namespaces {
				if n := &s.Linux.Namespaces[i]; n.Type == specs.MountNamespace {
					n.Path = "/n"
				}
			}
		},
		"another's cgroup namespace": func(s *specs.Spec) {
			s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == specs.CgroupNamespace })
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.CgroupNamespace, Path: "/n"})
		},
		"mounts[8]: an idmapped mount": func(s *specs.Spec) {
			s.Mounts = append(s.Mounts[:7:7], specs.Mount{Destination: "/a", Type: "tmpfs"},
				specs.Mount{Destination: "/x", Type: "bind", Source: "/srv", Options: []string{"bind"},
					UIDMappings: []specs.LinuxIDMapping{{Size: 1}}, GIDMappings: []specs.LinuxIDMapping{{Size: 1}}})
		},
		`annotations["tare.root.ephemeral"]`: func(s *specs.Spec) {
			s.Annotations = map[string]string{"tare.root.ephemeral": "true"}
		},
		"SCMP_ACT_NOTIFY": func(s *specs.Spec) {
			s.Linux.Seccomp = &specs.LinuxSeccomp{DefaultAction: specs.ActAllow,
				Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir"}, Action: specs.ActNotify}}}
		},
	} {
		s := sample()
		edit(s)
		if _, err := plan.BuildDump(s, dumpFacts(s, "v2")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("dump: %v; want %q", err, want)
		}
		if _, err := plan.BuildRestore(s, restoreFacts(s, options()), options()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("restore: %v; want %q", err, want)
		}
	}
	s, o := sample(), options()
	binds(s)
	f := restoreFacts(s, o)
	delete(f.Sources, "/srv/x")
	if _, err := plan.BuildRestore(s, f, o); err == nil || !strings.Contains(err.Error(), `.source: "/srv/x": no such file`) {
		t.Errorf("a missing source: %v", err)
	}
}
