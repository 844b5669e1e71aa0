package plan_test

import (
	"fmt"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/internal/plan"
)

func ptr[T any](v T) *T { return &v }

func goldenCases() []goldenCase {
	return append(append(hostCases(), namespaceCases()...), processCases()...)
}

func hostCases() []goldenCase {
	return []goldenCase{
		{name: "sample-v2", facts: v2Facts, base: sample},
		{name: "sample-v1", facts: v1Facts, base: sampleV1},
		{name: "cgroupns-on-v1", facts: v1Facts, base: sample},
		{name: "cgroups-disabled", facts: v2Facts, base: sample, edit: func(_ *specs.Spec, f *plan.Facts, _ *plan.Options) {
			f.Cgroup.Disabled, f.Cgroup.Manager, f.Cgroup.Why = true, "disabled", "the caller wants none"
		}},
		{name: "systemd-scope", facts: v2Facts, base: sample, edit: func(_ *specs.Spec, f *plan.Facts, _ *plan.Options) {
			f.Cgroup.NeedsPID, f.Cgroup.Into, f.Cgroup.Manager, f.Cgroup.Why = true, false, "systemd", "systemd is asked for"
		}},
		{name: "delegated-cgroup", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
			s.Process.User.UID = 7
			s.Annotations = map[string]string{"run.oci.delegate-cgroup": "own/program"}
		}},
		{name: "boot", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
			s.Annotations = map[string]string{"tare.boot": "true"}
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/tmp/", Type: "tmpfs", Source: "own"})
		}},
		{name: "idmapped-tmpfs", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
			maps := []specs.LinuxIDMapping{{HostID: 100000, Size: 65536}}
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
			s.Linux.UIDMappings, s.Linux.GIDMappings = maps, maps
			s.Mounts = append(s.Mounts, specs.Mount{Destination: "/a", Type: "tmpfs", Source: "own", Options: []string{"idmap", "ro", "size=1m"}})
		}},
		{name: "ephemeral-root", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
			s.Annotations = map[string]string{"tare.root.ephemeral": "true"}
		}},
		{name: "forced-cgroup-v1", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
			s.Annotations = map[string]string{"run.oci.systemd.force_cgroup_v1": "/sys/fs/cgroup"}
		}},
		{name: "small-limits-v1", facts: v1Facts, base: sampleV1, edit: smallLimits},
		{name: "small-limits-v2", facts: v2Facts, base: sample, edit: smallLimits},
		{name: "small-limits-with-hooks", facts: v1Facts, base: sampleV1, edit: func(s *specs.Spec, f *plan.Facts, o *plan.Options) {
			smallLimits(s, f, o)
			s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/hook"}}}
		}},
		{name: "hooks", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
			h := func(name string) []specs.Hook { return []specs.Hook{{Path: "/bin/" + name, Args: []string{name, "x"}}} }
			s.Hooks = &specs.Hooks{Prestart: h("prestart"), CreateRuntime: h("runtime"), CreateContainer: h("container"), //nolint:staticcheck
				StartContainer: []specs.Hook{{Path: "/bin/start", Timeout: ptr(3), Env: []string{"A=b"}}},
				Poststart:      h("poststart"), Poststop: h("poststop")}
			s.Annotations = map[string]string{"b": "2", "a": "1/x"}
		}},
		{name: "hooks-with-files-for-their-output", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
			h := []specs.Hook{{Path: "/bin/a"}, {Path: "/bin/b"}}
			s.Hooks = &specs.Hooks{CreateContainer: h, StartContainer: h}
			s.Annotations = map[string]string{"run.oci.hooks.stdout": "/log/out", "run.oci.hooks.stderr": "/log/err"}
		}},
	}
}

func smallLimits(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
	s.Linux.Resources.Pids = &specs.LinuxPids{Limit: ptr(int64(1))}
	s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: ptr(int64(112 << 10))}
}

func namespaceCases() []goldenCase {
	return []goldenCase{
		{name: "rootless", facts: rootlessFacts, base: sampleRootless},
		{name: "rootless-many-ids", facts: rootlessFacts, base: sampleRootless, edit: func(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
			more := specs.LinuxIDMapping{ContainerID: 1, HostID: 100000, Size: 65536}
			s.Linux.UIDMappings = append(s.Linux.UIDMappings, more)
			s.Linux.GIDMappings = append(s.Linux.GIDMappings, more)
		}},
		{name: "root-of-one-id", facts: rootOfOneID, base: sampleRootless},
		{name: "root-of-one-id-without-user-namespace", facts: rootOfOneID, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
			s.Process.User.AdditionalGids = []uint32{0}
		}},
		{name: "user-namespace", facts: v2Facts, base: sample, edit: userNamespace},
		{name: "user-namespace-without-root", facts: v2Facts, base: sample, edit: func(s *specs.Spec, f *plan.Facts, o *plan.Options) {
			userNamespace(s, f, o)
			s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 1000, HostID: 100000, Size: 10}}
			s.Linux.GIDMappings = s.Linux.UIDMappings
			s.Process.User = specs.User{UID: 1000, GID: 1000}
		}},
		{name: "pod-namespaces", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
			join(s, specs.NetworkNamespace, "/proc/7/ns/net")
			join(s, specs.IPCNamespace, "/proc/7/ns/ipc")
			join(s, specs.UTSNamespace, "/proc/7/ns/uts")
			s.Hostname = ""
		}},
		{name: "pod-with-shared-pid", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
			join(s, specs.PIDNamespace, "/proc/7/ns/pid")
		}},
		{name: "joined-user-namespace", facts: v2Facts, base: sample, edit: func(s *specs.Spec, f *plan.Facts, o *plan.Options) {
			userNamespace(s, f, o)
			join(s, specs.UserNamespace, "/proc/7/ns/user")
			join(s, specs.NetworkNamespace, "/proc/7/ns/net")
			s.Linux.UIDMappings, s.Linux.GIDMappings = nil, nil
		}},
		{name: "host-namespaces", facts: v2Facts, base: sample, edit: func(s *specs.Spec, f *plan.Facts, _ *plan.Options) {
			s.Linux.Namespaces = []specs.LinuxNamespace{{Type: specs.MountNamespace},
				{Type: specs.NetworkNamespace, Path: "/proc/1/ns/net"}}
			f.HostNamespaces = []string{"/proc/1/ns/net"}
			s.Hostname = ""
		}},
		{name: "time-namespace", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {Secs: 10, Nanosecs: 5}, "boottime": {Secs: -3}}
		}},
		{name: "time-namespace-without-offsets", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.TimeNamespace})
		}},
	}
}

func userNamespace(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	s.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: 100000, Size: 65536}}
	s.Linux.GIDMappings = []specs.LinuxIDMapping{{HostID: 200000, Size: 65536}}
	s.Mounts = append(s.Mounts, specs.Mount{Destination: "/data", Source: "/srv/data", Options: []string{"rbind", "ro"}})
}

func join(s *specs.Spec, t specs.LinuxNamespaceType, path string) {
	for i := range s.Linux.Namespaces {
		if s.Linux.Namespaces[i].Type == t {
			s.Linux.Namespaces[i].Path = path
			return
		}
	}
	s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: t, Path: path})
}

func processCases() []goldenCase {
	return []goldenCase{
		{name: "terminal", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, o *plan.Options) {
			s.Process.Terminal = true
			s.Process.ConsoleSize = &specs.Box{Height: 40, Width: 120}
			o.ConsoleRows, o.ConsoleCols = 1, 1
		}},
		{name: "everything-of-the-process", facts: v2Facts, base: sample, edit: fullProcess},
		{name: "seccomp-without-no-new-privileges", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, o *plan.Options) {
			s.Process.NoNewPrivileges = false
			o.Filter = &plan.Filter{Program: []byte{6, 0, 0, 0, 0, 0, 255, 127}, Flags: 4}
		}},
		{name: "descriptors-and-notify", facts: v2Facts, base: sample, edit: func(_ *specs.Spec, _ *plan.Facts, o *plan.Options) {
			o.Extra, o.Listen, o.NotifyDir = 3, 2, "/run/tare/box/notify"
		}},
		{name: "read-only-no-pivot", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, o *plan.Options) {
			o.NoPivot = true
			s.Linux.RootfsPropagation = "shared"
		}},
		{name: "mounts-of-every-kind", facts: v2Facts, base: sample, edit: manyMounts},
		{name: "read-only-dev", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
			for i := range s.Mounts {
				if s.Mounts[i].Destination == "/dev" {
					s.Mounts[i].Options = append(s.Mounts[i].Options, "ro")
				}
			}
		}},
		{name: "many-mounts", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
			for i := range 40 {
				s.Mounts = append(s.Mounts, specs.Mount{Destination: fmt.Sprintf("/m/%d", i), Source: fmt.Sprintf("data/%d", i), Options: []string{"bind"}})
			}
		}},
		{name: "devices-and-sysctls", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
			s.Linux.Devices = []specs.LinuxDevice{{Path: "/dev/fuse", Type: "c", Major: 10, Minor: 229, UID: ptr(uint32(5))},
				{Path: "/dev/null", Type: "c", Major: 1, Minor: 3}, {Path: "/dev/pipe", Type: "p"}}
			s.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1", "kernel/shmmax": "4096"}
			s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"eth7": {Name: "lan"}, "eth5": {}}
		}},
		{name: "own-dev", facts: v2Facts, base: sample, edit: func(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
			s.Mounts = []specs.Mount{{Destination: "/proc", Type: "proc", Source: "proc"},
				{Destination: "/dev", Source: "/dev", Options: []string{"rbind"}}}
		}},
	}
}

func fullProcess(s *specs.Spec, f *plan.Facts, _ *plan.Options) {
	f.AppArmor, f.SELinux = true, true
	p := s.Process
	p.ApparmorProfile, p.SelinuxLabel = "box", "system_u:system_r:container_t:s0"
	p.OOMScoreAdj = ptr(100)
	p.User = specs.User{UID: 5, GID: 6, AdditionalGids: []uint32{7, 8}, Umask: ptr(uint32(0o77))}
	p.Env = append(p.Env, "A=1", "A=2", "HOME=/h")
	p.Cwd = "/work"
	p.Scheduler = &specs.Scheduler{Policy: specs.SchedFIFO, Priority: 3, Flags: []specs.LinuxSchedulerFlag{specs.SchedFlagResetOnFork}}
	p.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_BE, Priority: 4}
	p.Capabilities.Ambient = []string{"CAP_KILL"}
	p.Capabilities.Inheritable = []string{"CAP_KILL"}
	s.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32}
	s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0", Flags: []specs.MemoryPolicyFlagType{specs.MpolFStaticNodes}}
	s.Domainname = "example"
}

func manyMounts(s *specs.Spec, _ *plan.Facts, _ *plan.Options) {
	ids := []specs.LinuxIDMapping{{HostID: 1000, Size: 1}}
	s.Mounts = append(s.Mounts,
		specs.Mount{Destination: "/a", Source: "/srv/a", Type: "none", Options: []string{"rbind", "rro", "rslave"}},
		specs.Mount{Destination: "/b", Source: "rel", Options: []string{"bind", "ro", "nosuid", "shared", "src-nofollow"}},
		specs.Mount{Destination: "/c", Source: "/srv/c", Options: []string{"bind", "copy-symlink", "dest-nofollow"}},
		specs.Mount{Destination: "/d", Source: "/srv/d", Options: []string{"bind"}, UIDMappings: ids, GIDMappings: ids},
		specs.Mount{Destination: "/tmp", Source: "tmpfs", Type: "tmpfs", Options: []string{"tmpcopyup", "size=1m", "noatime"}},
		specs.Mount{Destination: "/proc/cpuinfo", Source: "/srv/cpuinfo", Options: []string{"bind"}},
		specs.Mount{Destination: "/sys", Options: []string{"remount", "ro"}},
	)
}

// execPlans are the plans of exec, which have no spec of their own.
func execPlans(t *testing.T) map[string]*plan.Plan {
	t.Helper()
	ns := []plan.NamespacePath{
		{Path: "/proc/7/ns/net", Types: 0x40000000}, {Path: "/proc/7/ns/pid", Types: 0x20000000}, {Path: "/proc/7/ns/mnt", Types: 0x20000}}
	user := append([]plan.NamespacePath{{Path: "/proc/7/ns/user", Types: 0x10000000}}, ns...)
	out := make(map[string]*plan.Plan)
	build := func(name string, s *specs.Spec, p *specs.Process, f *plan.ExecFacts, o *plan.Options) {
		pl, err := plan.BuildExec(s, p, f, o)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = pl
	}
	process := func() *specs.Process {
		p := sample().Process
		p.Terminal, p.Args = false, []string{"id"}
		return p
	}
	build("exec-v2", sample(), process(), &plan.ExecFacts{Facts: *v2Facts(), Namespaces: ns}, options())
	build("exec-v1", sampleV1(), process(), &plan.ExecFacts{Facts: *v1Facts(), Namespaces: ns}, options())

	limited := sample()
	smallLimits(limited, nil, nil)
	build("exec-near-the-limit", limited, process(), &plan.ExecFacts{Facts: *v2Facts(), Namespaces: ns}, options())

	in := process()
	in.Terminal = true
	in.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0-1", Final: "1"}
	build("exec-in-user-namespace", sample(), in, &plan.ExecFacts{Facts: *v2Facts(), Namespaces: user,
		UIDMap: []specs.LinuxIDMapping{{HostID: 100000, Size: 10}}, GIDMap: []specs.LinuxIDMapping{{HostID: 100000, Size: 10}}}, options())

	sub := options()
	sub.CgroupSub = "inner"
	build("exec-in-sub-cgroup", sample(), process(), &plan.ExecFacts{Facts: *v2Facts(), Namespaces: ns}, sub)
	return out
}

func TestGoldenExecPlans(t *testing.T) {
	for name, p := range execPlans(t) {
		t.Run(name, func(t *testing.T) { checkGolden(t, name, p) })
	}
}
