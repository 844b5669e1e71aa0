package spec

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestValidateNamespaces(t *testing.T) {
	maps := func(m ...specs.LinuxIDMapping) func(*specs.Spec) {
		return func(s *specs.Spec) { userns(s); s.Linux.UIDMappings = m }
	}
	run(t, []rule{
		{name: "unknown", change: func(s *specs.Spec) { add(s, "net", "") }, want: []string{"linux.namespaces[6].type"}},
		{name: "twice", change: func(s *specs.Spec) { add(s, "pid", "/x") }, want: []string{"linux.namespaces[6].type"}},
		{name: "relative path", change: func(s *specs.Spec) { add(s, "time", "proc/1/ns/time") }, want: []string{"linux.namespaces[6].path"}},
		{name: "user", change: userns},
		{name: "user without mappings", change: func(s *specs.Spec) { add(s, "user", "") }, want: []string{"linux.uidMappings"}},
		{name: "user without gids", change: func(s *specs.Spec) { userns(s); s.Linux.GIDMappings = nil }, want: []string{"linux.gidMappings"}},
		{name: "user by subuid", opts: Options{Rootless: true}, change: func(s *specs.Spec) { add(s, "user", "") }},
		{name: "user path and mappings", change: func(s *specs.Spec) { userns(s); s.Linux.Namespaces[6].Path = "/p" }, want: []string{"~linux"}},
		{name: "mappings without user", change: func(s *specs.Spec) { userns(s); drop(s, "user") }, want: []string{"linux"}},
		{name: "size 0", change: maps(specs.LinuxIDMapping{ContainerID: 5}, specs.LinuxIDMapping{Size: 5}), want: []string{"linux.uidMappings[0].size"}},
		{name: "container end", change: maps(specs.LinuxIDMapping{Size: 1}, specs.LinuxIDMapping{ContainerID: 1<<32 - 2, HostID: 8, Size: 2}), want: []string{"linux.uidMappings[1].containerID"}},
		{name: "host end", change: maps(specs.LinuxIDMapping{HostID: 1<<32 - 1, Size: 1}), want: []string{"linux.uidMappings[0].hostID"}},
		{name: "all ids", change: maps(specs.LinuxIDMapping{Size: 1<<32 - 1})},
		{name: "container overlap", change: maps(specs.LinuxIDMapping{Size: 10}, specs.LinuxIDMapping{ContainerID: 20, HostID: 20, Size: 5}, specs.LinuxIDMapping{ContainerID: 9, HostID: 100, Size: 2}),
			want: []string{"linux.uidMappings[2]"}},
		{name: "host overlap", change: maps(specs.LinuxIDMapping{Size: 10}, specs.LinuxIDMapping{ContainerID: 10, HostID: 5, Size: 2}), want: []string{"linux.uidMappings[1]"}},
		{name: "340 lines", change: func(s *specs.Spec) { userns(s); s.Linux.GIDMappings = lines(340) }},
		{name: "341 lines", change: func(s *specs.Spec) { userns(s); s.Linux.GIDMappings = lines(341) }, want: []string{"linux.gidMappings"}},
		{name: "time", change: func(s *specs.Spec) {
			add(s, "time", "")
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {Secs: -1, Nanosecs: 999999999}, "boottime": {}}
		}},
		{name: "time bad", change: func(s *specs.Spec) {
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {Nanosecs: 1e9}, "realtime": {}}
		}, want: []string{"linux.timeOffsets", "linux.timeOffsets.monotonic.nanosecs", "linux.timeOffsets"}},
		{name: "time path", change: func(s *specs.Spec) {
			add(s, "time", "/p")
			s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {}}
		}, want: []string{"linux.timeOffsets"}},
		{name: "no mount namespace", change: func(s *specs.Spec) { drop(s, "mount"); s.Linux.RootfsPropagation = "slave" },
			want: []string{"~mounts", "linux.rootfsPropagation", "linux.maskedPaths", "linux.readonlyPaths"}},
	})
}

func lines(n int) []specs.LinuxIDMapping {
	all := make([]specs.LinuxIDMapping, n)
	for i := range all {
		all[i] = specs.LinuxIDMapping{ContainerID: uint32(i), HostID: uint32(1000 + i), Size: 1}
	}
	return all
}

func TestValidateLinux(t *testing.T) {
	l := func(f func(*specs.Linux)) func(*specs.Spec) { return func(s *specs.Spec) { f(s.Linux) } }
	run(t, []rule{
		{name: "propagation", change: l(func(l *specs.Linux) { l.RootfsPropagation = "rshared" })},
		{name: "propagation bad", change: l(func(l *specs.Linux) { l.RootfsPropagation = "ro" }), want: []string{"linux.rootfsPropagation"}},
		{name: "private without pivot", opts: Options{NoPivot: true}, change: l(func(l *specs.Linux) { l.RootfsPropagation = "rprivate" }), want: []string{"linux.rootfsPropagation"}},
		{name: "slave without pivot", opts: Options{NoPivot: true}, change: l(func(l *specs.Linux) { l.RootfsPropagation = "rslave" })},
		{name: "hidden paths", change: l(func(l *specs.Linux) { l.MaskedPaths = []string{"", "proc"}; l.ReadonlyPaths = []string{"/a", "/b\x00"} }),
			want: []string{"linux.maskedPaths[0]", "linux.maskedPaths[1]", "linux.readonlyPaths[1]"}},
		{name: "root hidden", change: l(func(l *specs.Linux) { l.MaskedPaths = []string{"/a", "/a/../"}; l.ReadonlyPaths = []string{"/"} }),
			want: []string{"linux.maskedPaths[1]"}},
		{name: "mount label", change: l(func(l *specs.Linux) { l.MountLabel = "\x00" }), want: []string{"linux.mountLabel"}},
		{name: "personality", change: l(func(l *specs.Linux) { l.Personality = &specs.LinuxPersonality{Domain: "LINUX32"} })},
		{name: "personality bad", change: l(func(l *specs.Linux) {
			l.Personality = &specs.LinuxPersonality{Domain: "linux", Flags: []specs.LinuxPersonalityFlag{"x"}}
		}), want: []string{"linux.personality.domain", "linux.personality.flags[0]"}},
		{name: "cgroups path", change: l(func(l *specs.Linux) { l.CgroupsPath = "/a/b" })},
		{name: "cgroups path line", change: l(func(l *specs.Linux) { l.CgroupsPath = "/a\nb" }), want: []string{"linux.cgroupsPath"}},
		{name: "systemd path", opts: Options{SystemdCgroup: true}, change: l(func(l *specs.Linux) { l.CgroupsPath = "system.slice:docker:abc" })},
		{name: "systemd default", opts: Options{SystemdCgroup: true}, change: l(func(*specs.Linux) {})},
		{name: "systemd cgroupfs path", opts: Options{SystemdCgroup: true}, change: l(func(l *specs.Linux) { l.CgroupsPath = "/a/b" }), want: []string{"linux.cgroupsPath"}},
		{name: "systemd no name", opts: Options{SystemdCgroup: true}, change: l(func(l *specs.Linux) { l.CgroupsPath = "a:b:" }), want: []string{"linux.cgroupsPath"}},
		{name: "systemd slash", opts: Options{SystemdCgroup: true}, change: l(func(l *specs.Linux) { l.CgroupsPath = "a/b:c:d" }), want: []string{"linux.cgroupsPath"}},
		{name: "no cgroups", opts: Options{SystemdCgroup: true, NoCgroups: true}, change: l(func(l *specs.Linux) { l.CgroupsPath = "/a" })},
		{name: "rdt", change: l(func(l *specs.Linux) {
			l.IntelRdt = &specs.LinuxIntelRdt{ClosID: "/", L3CacheSchema: "L3:0=f", MemBwSchema: "MB:0=20", Schemata: []string{"L2:0=f"}}
		})},
		{name: "rdt bad", change: l(func(l *specs.Linux) {
			l.IntelRdt = &specs.LinuxIntelRdt{ClosID: "..", L3CacheSchema: "x", MemBwSchema: "0=20", Schemata: []string{"a\nb"}}
		}), want: []string{"linux.intelRdt.closID", "~linux.intelRdt.l3CacheSchema", "linux.intelRdt.memBwSchema", "linux.intelRdt.schemata[0]"}},
		{name: "rdt lines", change: l(func(l *specs.Linux) {
			l.IntelRdt = &specs.LinuxIntelRdt{ClosID: "a\n", L3CacheSchema: "L3:0=f\n", MemBwSchema: "MB:0=20\nMB:1=20"}
		}), want: []string{"linux.intelRdt.closID", "linux.intelRdt.l3CacheSchema", "linux.intelRdt.memBwSchema"}},
		{name: "rdt slash", change: l(func(l *specs.Linux) { l.IntelRdt = &specs.LinuxIntelRdt{ClosID: "a/b"} }), want: []string{"linux.intelRdt.closID"}},
		{name: "rdt reserved", change: l(func(l *specs.Linux) { l.IntelRdt = &specs.LinuxIntelRdt{ClosID: "info"} }), want: []string{"linux.intelRdt.closID"}},
		{name: "memory policy", change: l(func(l *specs.Linux) {
			l.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0,1", Flags: []specs.MemoryPolicyFlagType{specs.MpolFStaticNodes}}
		})},
		{name: "memory policy preferred", change: l(func(l *specs.Linux) { l.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolPreferred} })},
		{name: "memory policy mode", change: l(func(l *specs.Linux) { l.MemoryPolicy = &specs.LinuxMemoryPolicy{} }), want: []string{"linux.memoryPolicy.mode"}},
		{name: "memory policy nodes", change: l(func(l *specs.Linux) { l.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolLocal, Nodes: "0"} }), want: []string{"linux.memoryPolicy.nodes"}},
		{name: "memory policy no nodes", change: l(func(l *specs.Linux) { l.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolWeightedInterleave} }), want: []string{"linux.memoryPolicy.nodes"}},
		{name: "memory policy flags", change: l(func(l *specs.Linux) {
			l.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: specs.MpolBind, Nodes: "0", Flags: []specs.MemoryPolicyFlagType{specs.MpolFStaticNodes, "x", specs.MpolFRelativeNodes}}
		}), want: []string{"linux.memoryPolicy.flags[1]", "linux.memoryPolicy.flags"}},
		{name: "sysctl", change: func(s *specs.Spec) {
			userns(s)
			s.Linux.Sysctl = map[string]string{
				"kernel.msgmax": "1", "fs.mqueue.msg_max": "2", "net.ipv4.ip_forward": "1", "net/ipv4/conf/eth0.1/forwarding": "1",
				"kernel.domainname": "x", "user.max_user_namespaces": "0",
			}
		}},
		{name: "sysctl bad", change: l(func(l *specs.Linux) {
			l.Sysctl = map[string]string{
				"kernel.hostname": "x", "kernel.core_pattern": "|x", "user.max_user_namespaces": "1", "": "x", "net..a": "1", "net/../kernel/x": "1",
				"net.core.somaxconn": "\x00", "net.a": "1", "net/a": "2",
			}
		}), want: []string{
			"linux.sysctl", "linux.sysctl", "linux.sysctl", "linux.sysctl", `linux.sysctl["net.core.somaxconn"]`,
			"linux.sysctl", "linux.sysctl", "linux.sysctl",
		}},
		{name: "sysctl domainname twice", change: func(s *specs.Spec) {
			s.Domainname = "d"
			s.Linux.Sysctl = map[string]string{"kernel.domainname": "x"}
		}, want: []string{"linux.sysctl"}},
		{name: "sysctl without namespaces", change: func(s *specs.Spec) {
			drop(s, specs.NetworkNamespace)
			drop(s, specs.IPCNamespace)
			s.Linux.Sysctl = map[string]string{"net.a": "x", "kernel.sem": "1"}
		}, want: []string{"linux.sysctl", "linux.sysctl"}},
	})
}

func TestValidateDevices(t *testing.T) {
	dev := func(d ...specs.LinuxDevice) func(*specs.Spec) { return func(s *specs.Spec) { s.Linux.Devices = d } }
	net := func(d map[string]specs.LinuxNetDevice) func(*specs.Spec) {
		return func(s *specs.Spec) { s.Linux.NetDevices = d }
	}
	run(t, []rule{
		{name: "devices", change: dev(
			specs.LinuxDevice{Path: "/dev/a", Type: "c", Major: 4095, Minor: 1048575},
			specs.LinuxDevice{Path: "/dev/b", Type: "b"},
			specs.LinuxDevice{Path: "/dev/u", Type: "u", Major: 1},
			specs.LinuxDevice{Path: "/dev/p", Type: "p", Major: -1, Minor: -1})},
		{name: "bad", change: dev(
			specs.LinuxDevice{Path: "dev/a", Type: "c"},
			specs.LinuxDevice{Path: "/dev/b", Type: "x"},
			specs.LinuxDevice{Path: "/dev/c", Type: "c", Major: 4096, Minor: -1},
			specs.LinuxDevice{Path: "/dev/d", Type: "b", Minor: 1048576, UID: ptr(^uint32(0)), GID: ptr(^uint32(0))},
			specs.LinuxDevice{}),
			want: []string{
				"linux.devices[0].path", "linux.devices[1].type", "linux.devices[2].major", "linux.devices[2].minor",
				"linux.devices[3].minor", "linux.devices[3].uid", "linux.devices[3].gid", "linux.devices[4].path", "linux.devices[4].type",
			}},
		{name: "same twice", change: dev(
			specs.LinuxDevice{Path: "/dev/a", Type: "c", UID: ptr(uint32(1))},
			specs.LinuxDevice{Path: "/dev//a", Type: "u", UID: ptr(uint32(1))}), want: []string{"~linux.devices[1].path"}},
		{name: "others on one path", change: dev(
			specs.LinuxDevice{Path: "/dev/a", Type: "c"},
			specs.LinuxDevice{Path: "/dev/a", Type: "c", Minor: 1},
			specs.LinuxDevice{Path: "/dev/a", Type: "c", UID: ptr(uint32(0))}), want: []string{"linux.devices[1].path", "linux.devices[2].path"}},
		{name: "net devices", change: net(map[string]specs.LinuxNetDevice{"eth0": {}, "eth1": {Name: "eth%d"}, "eth2": {Name: "eth%d"}, "a23456789012345": {Name: "x"}})},
		{name: "net bad", change: net(map[string]specs.LinuxNetDevice{
			"": {Name: "a"}, "..": {Name: "b"}, "a b": {Name: "c"}, "a:b": {Name: "d"}, "a234567890123456": {Name: "e"},
			"f": {Name: "x/y"}, "g": {Name: "x%s"}, "h": {Name: "%d%d"}, "i": {Name: "j"}, "j": {},
		}), want: []string{
			"linux.netDevices", "linux.netDevices", "linux.netDevices", "linux.netDevices", "linux.netDevices",
			"linux.netDevices.f.name", "linux.netDevices.g.name", "linux.netDevices.h.name", "linux.netDevices.j.name",
		}},
		{name: "net without namespace", opts: Options{Rootless: true}, change: func(s *specs.Spec) {
			drop(s, specs.NetworkNamespace)
			s.Linux.NetDevices = map[string]specs.LinuxNetDevice{"a": {}}
		}, want: []string{"linux.netDevices", "linux.netDevices"}},
	})
}

func TestValidateResources(t *testing.T) {
	res := func(r specs.LinuxResources) func(*specs.Spec) { return func(s *specs.Spec) { s.Linux.Resources = &r } }
	mem := func(m specs.LinuxMemory) func(*specs.Spec) { return res(specs.LinuxResources{Memory: &m}) }
	cpu := func(c specs.LinuxCPU) func(*specs.Spec) { return res(specs.LinuxResources{CPU: &c}) }
	n := func(n int64) *int64 { return &n }
	run(t, []rule{
		{name: "device rules", change: res(specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{
			{Access: "rwm"}, {Type: "a", Access: "r"}, {Type: "b", Major: n(-1), Minor: n(-1), Access: "mw"},
			{Type: "p", Access: "r"}, {Access: ""}, {Access: "rx"}, {Major: n(-2), Minor: n(1 << 20), Access: "r"},
		}}), want: []string{
			"linux.resources.devices[3].type", "linux.resources.devices[4].access", "linux.resources.devices[5].access",
			"linux.resources.devices[6].major", "linux.resources.devices[6].minor",
		}},
		{name: "memory", change: mem(specs.LinuxMemory{Limit: n(5), Swap: n(5), Reservation: n(-1), Swappiness: ptr(uint64(100)), Kernel: n(0)})},
		{name: "memory unlimited", change: mem(specs.LinuxMemory{Limit: n(-1), Swap: n(-1)})},
		{name: "memory low", change: mem(specs.LinuxMemory{Limit: n(-2), Swap: n(-2), Reservation: n(-2), Swappiness: ptr(uint64(101)), Kernel: n(1), KernelTCP: n(1)}),
			want: []string{
				"linux.resources.memory.limit", "linux.resources.memory.reservation", "linux.resources.memory.swap",
				"~linux.resources.memory.kernel", "~linux.resources.memory.kernelTCP", "linux.resources.memory.swappiness",
			}},
		{name: "swap alone", change: mem(specs.LinuxMemory{Swap: n(5)}), want: []string{"linux.resources.memory.swap"}},
		{name: "swap without limit", change: mem(specs.LinuxMemory{Limit: n(-1), Swap: n(5)}), want: []string{"linux.resources.memory.swap"}},
		{name: "swap below", change: mem(specs.LinuxMemory{Limit: n(6), Swap: n(5)}), want: []string{"linux.resources.memory.swap"}},
		{name: "cpu", change: cpu(specs.LinuxCPU{Shares: ptr(uint64(2)), Quota: n(-1), Burst: ptr(uint64(9)), Idle: n(1), Cpus: "0-3", Mems: "0"})},
		{name: "cpu bad", change: cpu(specs.LinuxCPU{Shares: ptr(uint64(1)), Quota: n(8), Burst: ptr(uint64(9)), Idle: n(2), Cpus: "0\n", Mems: "\x00"}),
			want: []string{
				"~linux.resources.cpu.shares", "linux.resources.cpu.burst", "linux.resources.cpu.cpus",
				"linux.resources.cpu.mems", "linux.resources.cpu.idle",
			}},
		{name: "pids", change: res(specs.LinuxResources{Pids: &specs.LinuxPids{Limit: n(-1)}})},
		{name: "pids below -1", change: res(specs.LinuxResources{Pids: &specs.LinuxPids{Limit: n(-7)}})},
		{name: "block", change: res(specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{
			Weight: ptr(uint16(10)), LeafWeight: ptr(uint16(0)), WeightDevice: []specs.LinuxWeightDevice{{Weight: ptr(uint16(1000))}}}})},
		{name: "block bad", change: res(specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{
			Weight: ptr(uint16(9)), LeafWeight: ptr(uint16(1001)),
			WeightDevice:            []specs.LinuxWeightDevice{{}, {LinuxBlockIODevice: specs.LinuxBlockIODevice{Major: -1}, Weight: ptr(uint16(1001)), LeafWeight: ptr(uint16(1))}},
			ThrottleWriteIOPSDevice: []specs.LinuxThrottleDevice{{}, {LinuxBlockIODevice: specs.LinuxBlockIODevice{Minor: -1}}},
		}}), want: []string{
			"linux.resources.blockIO.weight", "linux.resources.blockIO.leafWeight", "linux.resources.blockIO.weightDevice[0]",
			"linux.resources.blockIO.weightDevice[1].major", "linux.resources.blockIO.weightDevice[1].weight",
			"linux.resources.blockIO.weightDevice[1].leafWeight",
			"linux.resources.blockIO.throttleWriteIOPSDevice[1].minor",
		}},
		{name: "huge pages", change: res(specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{
			{Pagesize: "2MB"}, {Pagesize: "1GB"}, {Pagesize: "64KB"}, {Pagesize: "2M"}, {Pagesize: "MB"}, {Pagesize: "B"}, {Pagesize: ""}, {Pagesize: "02MB"}, {Pagesize: "2TB"}, {Pagesize: "../2MB"}}}),
			want: []string{
				"linux.resources.hugepageLimits[3].pageSize", "linux.resources.hugepageLimits[4].pageSize", "linux.resources.hugepageLimits[5].pageSize",
				"linux.resources.hugepageLimits[6].pageSize", "linux.resources.hugepageLimits[7].pageSize", "linux.resources.hugepageLimits[8].pageSize",
				"linux.resources.hugepageLimits[9].pageSize",
			}},
		{name: "network", change: res(specs.LinuxResources{Network: &specs.LinuxNetwork{Priorities: []specs.LinuxInterfacePriority{{Name: "eth0"}, {}, {Name: "a b"}}}}),
			want: []string{"linux.resources.network.priorities[1].name", "linux.resources.network.priorities[2].name"}},
		{name: "rdma", change: res(specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{
			"mlx": {HcaHandles: ptr(uint32(1))}, "a b": {HcaObjects: ptr(uint32(0))}, "none": {}}}),
			want: []string{"linux.resources.rdma", "linux.resources.rdma.none"}},
		{name: "unified", change: res(specs.LinuxResources{Unified: map[string]string{
			"memory.max": "1", "hugetlb.1GB.max": "1", "a/b.c": "1", "memory": "1", ".x": "1", "..": "", "io.max": "a\nb", "cpu.max": "\x00"}}),
			want: []string{
				"linux.resources.unified", "linux.resources.unified", "linux.resources.unified",
				`linux.resources.unified["cpu.max"]`, "linux.resources.unified",
			}},
	})
}
