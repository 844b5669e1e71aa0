package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// refusal is a value that create and update must refuse, with its place in config.json and the reason.
type refusal struct {
	name, controller string
	r                specs.LinuxResources
	at, why          string
}

// onDevice is a throttle of a device that does not exist.
func onDevice(set func(*specs.LinuxBlockIO, []specs.LinuxThrottleDevice)) specs.LinuxResources {
	d := specs.LinuxThrottleDevice{Rate: 1}
	d.Major, d.Minor = 239, 77
	io := new(specs.LinuxBlockIO)
	set(io, []specs.LinuxThrottleDevice{d})
	return specs.LinuxResources{BlockIO: io}
}

func refusals() []refusal {
	leaf := ioRes(specs.LinuxBlockIO{LeafWeight: ptr[uint16](100)})
	weightOf := specs.LinuxWeightDevice{Weight: ptr[uint16](100)}
	weightOf.Major, weightOf.Minor = 239, 77
	both := []refusal{
		{"quota below a millisecond", "cpu", cpuRes(specs.LinuxCPU{Quota: ptr[int64](10)}), "linux.resources.cpu.quota", "invalid argument"},
		{"period below a millisecond", "cpu", cpuRes(specs.LinuxCPU{Period: ptr[uint64](10)}), "linux.resources.cpu.period", "invalid argument"},
		{"idle of 2", "cpu", cpuRes(specs.LinuxCPU{Idle: ptr[int64](2)}), "linux.resources.cpu.idle", ""},
		{"absent processor", "cpuset", cpuRes(specs.LinuxCPU{Cpus: "4000"}), "linux.resources.cpu.cpus", ""},
		{"absent node", "cpuset", cpuRes(specs.LinuxCPU{Mems: "63"}), "linux.resources.cpu.mems", ""},
		{"more pids than there are", "pids", pidsRes(1 << 40), "linux.resources.pids.limit", "invalid argument"},
		{"read bytes of an absent device", "blkio", onDevice(func(b *specs.LinuxBlockIO, d []specs.LinuxThrottleDevice) { b.ThrottleReadBpsDevice = d }),
			"linux.resources.blockIO.throttleReadBpsDevice[0]", "no such device"},
		{"write bytes of an absent device", "blkio", onDevice(func(b *specs.LinuxBlockIO, d []specs.LinuxThrottleDevice) { b.ThrottleWriteBpsDevice = d }),
			"linux.resources.blockIO.throttleWriteBpsDevice[0]", "no such device"},
		{"reads of an absent device", "blkio", onDevice(func(b *specs.LinuxBlockIO, d []specs.LinuxThrottleDevice) { b.ThrottleReadIOPSDevice = d }),
			"linux.resources.blockIO.throttleReadIOPSDevice[0]", "no such device"},
		{"writes of an absent device", "blkio", onDevice(func(b *specs.LinuxBlockIO, d []specs.LinuxThrottleDevice) { b.ThrottleWriteIOPSDevice = d }),
			"linux.resources.blockIO.throttleWriteIOPSDevice[0]", "no such device"},
		{"weight of an absent device", "blkio", ioRes(specs.LinuxBlockIO{WeightDevice: []specs.LinuxWeightDevice{weightOf}}),
			"linux.resources.blockIO.weightDevice[0].weight", "no such device"},
		{"leaf weight", "blkio", leaf, "linux.resources.blockIO.leafWeight", ""},
		{"huge page size with a slash", "pids", specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2/MB", Limit: 1}}}, "linux.resources.hugepageLimits[0].pageSize", `2/MB`},
		{"rdma device that is not there", "rdma", specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{"none0": {HcaHandles: ptr[uint32](1)}}}, `linux.resources.rdma["none0"]`, ""},
	}
	if layout == cgroup2 {
		return append(both,
			refusal{"realtime runtime", "", cpuRes(specs.LinuxCPU{RealtimeRuntime: ptr[int64](1000)}), "linux.resources.cpu.realtimeRuntime", "not supported"},
			refusal{"realtime period", "", cpuRes(specs.LinuxCPU{RealtimePeriod: ptr[uint64](100000)}), "linux.resources.cpu.realtimePeriod", "not supported"},
			refusal{"swappiness", "", memRes(specs.LinuxMemory{Swappiness: ptr[uint64](10)}), "linux.resources.memory.swappiness", "not supported"},
			refusal{"oom killer off", "", memRes(specs.LinuxMemory{DisableOOMKiller: ptr(true)}), "linux.resources.memory.disableOOMKiller", "not supported"},
			refusal{"no hierarchy", "", memRes(specs.LinuxMemory{UseHierarchy: ptr(false)}), "linux.resources.memory.useHierarchy", "not supported"},
			refusal{"class of packets", "", specs.LinuxResources{Network: &specs.LinuxNetwork{ClassID: ptr[uint32](5)}}, "linux.resources.network.classID", "not supported"},
			refusal{"priority of packets", "", specs.LinuxResources{Network: &specs.LinuxNetwork{Priorities: []specs.LinuxInterfacePriority{{Name: "lo", Priority: 1}}}}, "linux.resources.network.priorities", "not supported"},
			refusal{"unified value", "memory", uniRes("memory.high", "lots"), "linux.resources.unified.memory.high", "invalid argument"},
			refusal{"unified file that is not there", "memory", uniRes("memory.nonsense", "1"), "linux.resources.unified.memory.nonsense", "no such file or directory"},
			refusal{"unified controller that is not there", "", uniRes("nonsense.max", "1"), "linux.resources.unified.nonsense.max", "nonsense"},
			refusal{"unified key with a slash", "", uniRes("../memory.max", "1"), "linux.resources.unified", "memory.max"},
		)
	}
	return append(both,
		refusal{"quota above the parent's realtime", "cpu", cpuRes(specs.LinuxCPU{RealtimePeriod: ptr[uint64](1000), RealtimeRuntime: ptr[int64](2000)}), "linux.resources.cpu.realtime", "invalid argument"},
		refusal{"shares below 2", "cpu", cpuRes(specs.LinuxCPU{Shares: ptr[uint64](1)}), "linux.resources.cpu.shares", "262144"},
		refusal{"shares above the kernel's", "cpu", cpuRes(specs.LinuxCPU{Shares: ptr[uint64](1 << 20)}), "linux.resources.cpu.shares", "262144"},
		refusal{"no hierarchy", "memory", memRes(specs.LinuxMemory{UseHierarchy: ptr(false)}), "linux.resources.memory.useHierarchy", "invalid argument"},
		refusal{"unified controller of v1", "unified", uniRes("memory.high", "4194304"), "linux.resources.unified.memory.high", "memory"},
		refusal{"unified key with a slash", "unified", uniRes("../hugetlb.2MB.max", "1"), "linux.resources.unified", "hugetlb.2MB.max"},
		refusal{"unified value", "unified", uniRes("cgroup.max.depth", "deep"), "linux.resources.unified.cgroup.max.depth", "invalid argument"},
	)
}

// needFor skips the case where the controller is missing, under the name that the layout has for it.
func needFor(t *testing.T, controller string) {
	t.Helper()
	if layout == cgroup2 && controller == "blkio" {
		controller = "io"
	}
	if controller != "" {
		needController(t, controller)
	}
}

// needRealtime skips a case, named or with a file named for these limits, where the kernel has none.
func needRealtime(t *testing.T, name string) {
	t.Helper()
	if layout != cgroup2 && (strings.Contains(name, "realtime") || strings.Contains(name, "cpu.rt_")) &&
		!exists("/sys/fs/cgroup/cpu/cpu.rt_period_us") {
		skip(t, "this kernel has no real-time budgets of cgroups")
	}
}

func TestCreateRefusesTheLimit(t *testing.T) {
	for _, row := range refusals() {
		t.Run(row.name, func(t *testing.T) {
			not(t, "runc", "other words")
			b := newBundle(t, args("/bin/true"))
			needFor(t, row.controller)
			needRealtime(t, row.name)
			b.edit(resources(func(r *specs.LinuxResources) {
				row.r.Devices = r.Devices
				*r = row.r
			}))
			b.run().fails(t, row.at, row.why)
			b.wantGone()
		})
	}
}

// An update that is refused leaves the container as it was, in the kernel and in what later commands know.
func TestUpdateRefusesTheLimit(t *testing.T) {
	for _, row := range refusals() {
		t.Run(row.name, func(t *testing.T) {
			onlyTare(t, "it says where")
			b := newBundle(t)
			needFor(t, row.controller)
			needRealtime(t, row.name)
			b.hold()
			before := b.controlFiles()
			b.update(row.r).fails(t, row.at, row.why)
			for path, text := range b.controlFiles() {
				if before[path] != text {
					t.Errorf("%s was %q, is %q", path, before[path], text)
				}
			}
			b.update(pidsRes(77)).ok(t) // what was refused is not merged into the next one
		})
	}
}

// controlFiles are the settings of the container's cgroups: writable files, without what changes by itself.
func (b *bundle) controlFiles() map[string]string {
	b.t.Helper()
	out := map[string]string{}
	for _, dir := range cgroupsNamed(b.id) {
		entries, err := os.ReadDir(dir)
		check(b.t, err)
		for _, e := range entries {
			info, err := e.Info()
			name := e.Name()
			if err != nil || e.IsDir() || info.Mode().Perm()&0o400 == 0 || info.Mode().Perm()&0o200 == 0 ||
				strings.HasPrefix(name, "cgroup.") || strings.Contains(name, "usage") || strings.Contains(name, "peak") ||
				strings.Contains(name, "pressure") || name == "tasks" || strings.Contains(name, "stat") || strings.Contains(name, "max_usage") {
				continue
			}
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err == nil {
				out[filepath.Join(dir, name)] = string(text)
			}
		}
	}
	return out
}

// What an update has changed before something in it is refused is put back, whatever it is.
func TestUpdateThatFailsPutsBack(t *testing.T) {
	const mib = 1 << 20
	late := onDevice(func(b *specs.LinuxBlockIO, d []specs.LinuxThrottleDevice) { b.ThrottleReadBpsDevice = d })
	for _, row := range []struct {
		name, controller, v1, v2 string
		was, update              specs.LinuxResources
	}{
		{"cpus", "cpuset", "cpuset.cpus", "cpuset.cpus", cpuRes(specs.LinuxCPU{Cpus: "0"}), cpuRes(specs.LinuxCPU{Cpus: "1"})},
		{"cpus that were not set", "cpuset", "cpuset.cpus", "cpuset.cpus.effective", specs.LinuxResources{}, cpuRes(specs.LinuxCPU{Cpus: "1"})},
		{"shares", "cpu", "cpu.shares", "cpu.weight", cpuRes(specs.LinuxCPU{Shares: ptr[uint64](300)}), cpuRes(specs.LinuxCPU{Shares: ptr[uint64](600)})},
		{"quota", "cpu", "cpu.cfs_quota_us", "cpu.max", cpuRes(specs.LinuxCPU{Quota: ptr[int64](50000)}), cpuRes(specs.LinuxCPU{Quota: ptr[int64](70000)})},
		{"quota and burst", "cpu", "cpu.cfs_burst_us", "cpu.max.burst", cpuRes(specs.LinuxCPU{Quota: ptr[int64](50000), Burst: ptr[uint64](40000)}),
			cpuRes(specs.LinuxCPU{Quota: ptr[int64](20000), Burst: ptr[uint64](10000)})},
		{"idle", "cpu", "cpu.idle", "cpu.idle", cpuRes(specs.LinuxCPU{Idle: ptr[int64](1)}), cpuRes(specs.LinuxCPU{Idle: ptr[int64](0)})},
		{"memory limit", "memory", "memory.limit_in_bytes", "memory.max", limitSwap(256*mib, 256*mib), limitSwap(128*mib, 128*mib)},
		{"swap", "memory", "memory.memsw.limit_in_bytes", "memory.swap.max", limitSwap(256*mib, 300*mib), limitSwap(400*mib, 500*mib)},
		{"reservation", "memory", "memory.soft_limit_in_bytes", "memory.low", memRes(specs.LinuxMemory{Reservation: ptr[int64](8 * mib)}), memRes(specs.LinuxMemory{Reservation: ptr[int64](9 * mib)})},
		{"pids", "pids", "pids.max", "pids.max", pidsRes(50), pidsRes(60)},
		{"pids that had no limit", "pids", "pids.max", "pids.max", specs.LinuxResources{}, pidsRes(60)},
		{"weight of io", "blkio", "blkio.bfq.weight", "io.weight", ioRes(specs.LinuxBlockIO{Weight: ptr[uint16](200)}), ioRes(specs.LinuxBlockIO{Weight: ptr[uint16](400)})},
	} {
		t.Run(row.name, func(t *testing.T) {
			onlyTare(t, "others restore less")
			b := newBundle(t)
			needFor(t, row.controller)
			needRealtime(t, row.name)
			needFor(t, "blkio")
			b.edit(resources(func(r *specs.LinuxResources) {
				row.was.Devices = r.Devices
				*r = row.was
			}))
			b.hold()
			controller, file := row.controller, row.v1
			if layout == cgroup2 {
				file = row.v2
			}
			path := filepath.Join(b.cgroupDir(controller), file)
			b.needFile(b.cgroupDir(controller), file)
			before := readFile(t, path)
			change := row.update
			if change.BlockIO == nil {
				change.BlockIO = new(specs.LinuxBlockIO)
			}
			change.BlockIO.ThrottleReadBpsDevice = late.BlockIO.ThrottleReadBpsDevice
			b.update(change).fails(t, "throttleReadBpsDevice[0]", "no such device")
			if after := readFile(t, path); after != before {
				t.Errorf("%s was %q, is %q", file, before, after)
			}
		})
	}
}
