package integration

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// life is a value in the life of a container: given by config.json, seen in the kernel's file, changed by
// update, gone with the container.
type life struct {
	name       string
	controller string // of v1: the directory below /sys/fs/cgroup ("unified" for cgroup2 beside it); of v2: the controller
	file       string
	set        specs.LinuxResources
	want       string // the file's text, or one of its lines; "*" for what kernels differ in
	update     specs.LinuxResources
	after      string
}

func lifeRun(t *testing.T, c life) {
	b := newBundle(t)
	needController(t, c.controller)
	needRealtime(t, c.file)
	b.edit(resources(func(r *specs.LinuxResources) {
		c.set.Devices = r.Devices
		*r = c.set
	}))
	if c.set.CPU != nil && c.set.CPU.RealtimeRuntime != nil {
		b.spec.Linux.CgroupsPath = "/" + b.id // a parent that others use has no such time to give
	}
	b.hold()
	dir := b.cgroupDir(c.controller)
	b.needFile(dir, c.file)
	b.wantLine(dir, c.file, c.want)
	b.update(c.update).ok(t)
	b.wantLine(dir, c.file, c.after)
	b.tare("delete", "--force", b.id).ok(t)
	if exists(dir) {
		t.Errorf("%s is still there", dir)
	}
	b.wantGone()
}

// needFile skips the case where the kernel has no such file, or one that goes before it.
func (b *bundle) needFile(dir, file string) {
	b.t.Helper()
	if !exists(filepath.Join(dir, file)) {
		skip(b.t, "the kernel has no %s", file)
	}
	if file == "io.weight" && exists(dir+"/io.bfq.weight") {
		skip(b.t, "the weight is BFQ's here")
	}
}

// update changes the limits of the container as --resources does.
func (b *bundle) update(r specs.LinuxResources) result {
	b.t.Helper()
	text, err := json.Marshal(r)
	check(b.t, err)
	return b.tare("update", "--resources", b.hostFile(fmt.Sprint("update.", b.runs.Load()), string(text)), b.id)
}

// wantLine says whether the control file is want, or has a line that is; want may be "" for an empty file.
func (b *bundle) wantLine(dir, file, want string) {
	b.t.Helper()
	got := strings.TrimSpace(readFile(b.t, filepath.Join(dir, file)))
	if want != "*" && got != want && !slices.Contains(strings.Split(got, "\n"), want) {
		b.t.Errorf("%s holds %q, want %q", file, got, want)
	}
}

func lives(t *testing.T, rows []life) {
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) { lifeRun(t, row) })
	}
}

func memRes(m specs.LinuxMemory) specs.LinuxResources { return specs.LinuxResources{Memory: &m} }
func cpuRes(c specs.LinuxCPU) specs.LinuxResources    { return specs.LinuxResources{CPU: &c} }
func ioRes(b specs.LinuxBlockIO) specs.LinuxResources { return specs.LinuxResources{BlockIO: &b} }
func pidsRes(n int64) specs.LinuxResources {
	return specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &n}}
}
func hugeRes(n uint64) specs.LinuxResources {
	return specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: n}}}
}
func uniRes(kv ...string) specs.LinuxResources {
	u := map[string]string{}
	for i := 0; i < len(kv); i += 2 {
		u[kv[i]] = kv[i+1]
	}
	return specs.LinuxResources{Unified: u}
}
func limitSwap(limit, swap int64) specs.LinuxResources {
	return memRes(specs.LinuxMemory{Limit: &limit, Swap: &swap})
}

func TestLifeOfALimitOnV1(t *testing.T) {
	needV1(t)
	const mib = 1 << 20
	lives(t, []life{
		{"memory limit", "memory", "memory.limit_in_bytes", memRes(specs.LinuxMemory{Limit: ptr[int64](256 * mib)}), "268435456",
			memRes(specs.LinuxMemory{Limit: ptr[int64](128 * mib)}), "134217728"},
		{"memory limit lifted", "memory", "memory.limit_in_bytes", memRes(specs.LinuxMemory{Limit: ptr[int64](256 * mib)}), "268435456",
			memRes(specs.LinuxMemory{Limit: ptr[int64](-1)}), "9223372036854771712"},
		{"swap lifted with the limit", "memory", "memory.memsw.limit_in_bytes", limitSwap(64*mib, 96*mib), "100663296",
			memRes(specs.LinuxMemory{Limit: ptr[int64](-1)}), "9223372036854771712"},
		{"limit and swap grow", "memory", "memory.memsw.limit_in_bytes", limitSwap(64*mib, 64*mib), "67108864",
			limitSwap(256*mib, 300*mib), "314572800"},
		{"limit and swap shrink", "memory", "memory.limit_in_bytes", limitSwap(256*mib, 300*mib), "268435456",
			limitSwap(64*mib, 64*mib), "67108864"},
		{"swap without a limit in the update", "memory", "memory.memsw.limit_in_bytes", limitSwap(64*mib, 96*mib), "100663296",
			memRes(specs.LinuxMemory{Swap: ptr[int64](128 * mib)}), "134217728"},
		{"reservation", "memory", "memory.soft_limit_in_bytes", memRes(specs.LinuxMemory{Reservation: ptr[int64](32 * mib)}), "33554432",
			memRes(specs.LinuxMemory{Reservation: ptr[int64](16 * mib)}), "16777216"},
		{"reservation lifted", "memory", "memory.soft_limit_in_bytes", memRes(specs.LinuxMemory{Reservation: ptr[int64](32 * mib)}), "33554432",
			memRes(specs.LinuxMemory{Reservation: ptr[int64](-1)}), "9223372036854771712"},
		{"swappiness", "memory", "memory.swappiness", memRes(specs.LinuxMemory{Swappiness: ptr[uint64](7)}), "7",
			memRes(specs.LinuxMemory{Swappiness: ptr[uint64](0)}), "0"},
		{"oom killer", "memory", "memory.oom_control", memRes(specs.LinuxMemory{DisableOOMKiller: ptr(true)}), "oom_kill_disable 1",
			memRes(specs.LinuxMemory{DisableOOMKiller: ptr(false)}), "oom_kill_disable 0"},
		{"hierarchy", "memory", "memory.use_hierarchy", memRes(specs.LinuxMemory{UseHierarchy: ptr(true)}), "1",
			memRes(specs.LinuxMemory{UseHierarchy: ptr(true)}), "1"},
		{"shares", "cpu", "cpu.shares", cpuRes(specs.LinuxCPU{Shares: ptr[uint64](512)}), "512",
			cpuRes(specs.LinuxCPU{Shares: ptr[uint64](2048)}), "2048"},
		{"quota keeps the period", "cpu", "cpu.cfs_period_us", cpuRes(specs.LinuxCPU{Quota: ptr[int64](50000), Period: ptr[uint64](200000)}), "200000",
			cpuRes(specs.LinuxCPU{Quota: ptr[int64](30000)}), "200000"},
		{"quota", "cpu", "cpu.cfs_quota_us", cpuRes(specs.LinuxCPU{Quota: ptr[int64](50000)}), "50000",
			cpuRes(specs.LinuxCPU{Quota: ptr[int64](30000)}), "30000"},
		{"quota lifted", "cpu", "cpu.cfs_quota_us", cpuRes(specs.LinuxCPU{Quota: ptr[int64](50000)}), "50000",
			cpuRes(specs.LinuxCPU{Quota: ptr[int64](-1)}), "-1"},
		{"period keeps the quota", "cpu", "cpu.cfs_quota_us", cpuRes(specs.LinuxCPU{Quota: ptr[int64](50000), Period: ptr[uint64](200000)}), "50000",
			cpuRes(specs.LinuxCPU{Period: ptr[uint64](100000)}), "50000"},
		{"period", "cpu", "cpu.cfs_period_us", cpuRes(specs.LinuxCPU{Period: ptr[uint64](150000)}), "150000",
			cpuRes(specs.LinuxCPU{Period: ptr[uint64](50000)}), "50000"},
		{"burst", "cpu", "cpu.cfs_burst_us", cpuRes(specs.LinuxCPU{Quota: ptr[int64](50000), Burst: ptr[uint64](20000)}), "20000",
			cpuRes(specs.LinuxCPU{Burst: ptr[uint64](10000)}), "10000"},
		{"burst and quota shrink below the old burst", "cpu", "cpu.cfs_burst_us", cpuRes(specs.LinuxCPU{Quota: ptr[int64](50000), Burst: ptr[uint64](40000)}), "40000",
			cpuRes(specs.LinuxCPU{Quota: ptr[int64](20000), Burst: ptr[uint64](10000)}), "10000"},
		{"burst and quota grow above the old quota", "cpu", "cpu.cfs_burst_us", cpuRes(specs.LinuxCPU{Quota: ptr[int64](20000), Burst: ptr[uint64](10000)}), "10000",
			cpuRes(specs.LinuxCPU{Quota: ptr[int64](90000), Burst: ptr[uint64](80000)}), "80000"},
		{"idle ends", "cpu", "cpu.idle", cpuRes(specs.LinuxCPU{Idle: ptr[int64](1)}), "1",
			cpuRes(specs.LinuxCPU{Idle: ptr[int64](0)}), "0"},
		{"shares come back after idle", "cpu", "cpu.shares", cpuRes(specs.LinuxCPU{Idle: ptr[int64](1), Shares: ptr[uint64](300)}), "*",
			cpuRes(specs.LinuxCPU{Idle: ptr[int64](0)}), "300"},
		{"realtime runtime", "cpu", "cpu.rt_runtime_us", cpuRes(specs.LinuxCPU{RealtimeRuntime: ptr[int64](2000), RealtimePeriod: ptr[uint64](1000000)}), "2000",
			cpuRes(specs.LinuxCPU{RealtimeRuntime: ptr[int64](1000)}), "1000"},
		{"realtime period", "cpu", "cpu.rt_period_us", cpuRes(specs.LinuxCPU{RealtimeRuntime: ptr[int64](2000), RealtimePeriod: ptr[uint64](2000000)}), "2000000",
			cpuRes(specs.LinuxCPU{RealtimePeriod: ptr[uint64](1000000)}), "1000000"},
		{"cpus", "cpuset", "cpuset.cpus", cpuRes(specs.LinuxCPU{Cpus: "0"}), "0", cpuRes(specs.LinuxCPU{Cpus: "1"}), "1"},
		{"mems", "cpuset", "cpuset.mems", cpuRes(specs.LinuxCPU{Mems: "0"}), "0", cpuRes(specs.LinuxCPU{Mems: "0"}), "0"},
		{"pids", "pids", "pids.max", pidsRes(123), "123", pidsRes(321), "321"},
		{"pids lifted", "pids", "pids.max", pidsRes(123), "123", pidsRes(-1), "max"},
		{"blkio weight", "blkio", "blkio.bfq.weight", ioRes(specs.LinuxBlockIO{Weight: ptr[uint16](200)}), "200",
			ioRes(specs.LinuxBlockIO{Weight: ptr[uint16](500)}), "500"},
		{"hugetlb", "hugetlb", "hugetlb.2MB.limit_in_bytes", hugeRes(4 * mib), "4194304", hugeRes(8 * mib), "8388608"},
		{"hugetlb reservations", "hugetlb", "hugetlb.2MB.rsvd.limit_in_bytes", hugeRes(4 * mib), "4194304", hugeRes(8 * mib), "8388608"},
		{"class of packets", "net_cls", "net_cls.classid", specs.LinuxResources{Network: &specs.LinuxNetwork{ClassID: ptr[uint32](0x100001)}}, "1048577",
			specs.LinuxResources{Network: &specs.LinuxNetwork{ClassID: ptr[uint32](0x100002)}}, "1048578"},
		{"priority of packets", "net_prio", "net_prio.ifpriomap", specs.LinuxResources{Network: &specs.LinuxNetwork{Priorities: []specs.LinuxInterfacePriority{{Name: "lo", Priority: 3}}}}, "lo 3",
			specs.LinuxResources{Network: &specs.LinuxNetwork{Priorities: []specs.LinuxInterfacePriority{{Name: "lo", Priority: 5}}}}, "lo 5"},
	})
}

// Controllers that only the cgroup2 beside v1 has work there.
func TestLifeOfALimitOnCgroup2BesideV1(t *testing.T) {
	needV1(t)
	if !exists("/sys/fs/cgroup/unified/cgroup.controllers") {
		t.Run("hybrid", func(t *testing.T) { skip(t, "no cgroup2 beside v1") })
		return
	}
	needs := func(t *testing.T) {
		if !holds("/sys/fs/cgroup/unified/cgroup.controllers", "hugetlb") {
			skip(t, "cgroup2 has no hugetlb controller")
		}
	}
	for _, row := range []life{
		{"hugetlb", "unified", "hugetlb.2MB.max", hugeRes(4 << 20), "4194304", hugeRes(8 << 20), "8388608"},
		{"hugetlb reservations", "unified", "hugetlb.2MB.rsvd.max", hugeRes(4 << 20), "4194304", hugeRes(8 << 20), "8388608"},
		{"unified", "unified", "hugetlb.2MB.max", uniRes("hugetlb.2MB.max", "2097152"), "2097152", uniRes("hugetlb.2MB.max", "max"), "max"},
		{"unified over hugepageLimits", "unified", "hugetlb.2MB.max", merged(hugeRes(4<<20), uniRes("hugetlb.2MB.max", "2097152")), "2097152",
			uniRes("hugetlb.2MB.max", "6291456"), "6291456"},
		{"unified of the core", "unified", "cgroup.max.descendants", uniRes("cgroup.max.descendants", "5"), "5", uniRes("cgroup.max.descendants", "max"), "max"},
	} {
		t.Run(row.name, func(t *testing.T) {
			needs(t)
			lifeRun(t, row)
		})
	}
}

func merged(r, u specs.LinuxResources) specs.LinuxResources {
	r.Unified = u.Unified
	return r
}

func TestLifeOfALimitOnV2(t *testing.T) {
	needV2(t)
	const mib = 1 << 20
	lives(t, []life{
		{"memory limit", "memory", "memory.max", memRes(specs.LinuxMemory{Limit: ptr[int64](256 * mib)}), "268435456",
			memRes(specs.LinuxMemory{Limit: ptr[int64](128 * mib)}), "134217728"},
		{"memory limit lifted", "memory", "memory.max", memRes(specs.LinuxMemory{Limit: ptr[int64](256 * mib)}), "268435456",
			memRes(specs.LinuxMemory{Limit: ptr[int64](-1)}), "max"},
		{"swap is what exceeds the limit", "memory", "memory.swap.max", limitSwap(64*mib, 96*mib), "33554432", limitSwap(64*mib, 64*mib), "0"},
		{"swap follows the limit", "memory", "memory.swap.max", limitSwap(64*mib, 96*mib), "33554432",
			memRes(specs.LinuxMemory{Limit: ptr[int64](80 * mib)}), "16777216"},
		{"swap without a limit in the update", "memory", "memory.swap.max", limitSwap(64*mib, 96*mib), "33554432",
			memRes(specs.LinuxMemory{Swap: ptr[int64](128 * mib)}), "67108864"},
		{"swap lifted", "memory", "memory.swap.max", limitSwap(64*mib, 96*mib), "33554432", limitSwap(64*mib, -1), "max"},
		{"reservation", "memory", "memory.low", memRes(specs.LinuxMemory{Reservation: ptr[int64](32 * mib)}), "33554432",
			memRes(specs.LinuxMemory{Reservation: ptr[int64](16 * mib)}), "16777216"},
		{"reservation of all", "memory", "memory.low", memRes(specs.LinuxMemory{Reservation: ptr[int64](32 * mib)}), "33554432",
			memRes(specs.LinuxMemory{Reservation: ptr[int64](-1)}), "max"},
		{"shares", "cpu", "cpu.weight", cpuRes(specs.LinuxCPU{Shares: ptr[uint64](512)}), "59", cpuRes(specs.LinuxCPU{Shares: ptr[uint64](1024)}), "100"},
		{"shares at the ends", "cpu", "cpu.weight", cpuRes(specs.LinuxCPU{Shares: ptr[uint64](2)}), "1", cpuRes(specs.LinuxCPU{Shares: ptr[uint64](262144)}), "10000"},
		{"quota keeps the period", "cpu", "cpu.max", cpuRes(specs.LinuxCPU{Quota: ptr[int64](50000), Period: ptr[uint64](200000)}), "50000 200000",
			cpuRes(specs.LinuxCPU{Quota: ptr[int64](30000)}), "30000 200000"},
		{"period keeps the quota", "cpu", "cpu.max", cpuRes(specs.LinuxCPU{Quota: ptr[int64](50000), Period: ptr[uint64](200000)}), "50000 200000",
			cpuRes(specs.LinuxCPU{Period: ptr[uint64](100000)}), "50000 100000"},
		{"quota lifted", "cpu", "cpu.max", cpuRes(specs.LinuxCPU{Quota: ptr[int64](50000)}), "50000 100000", cpuRes(specs.LinuxCPU{Quota: ptr[int64](-1)}), "max 100000"},
		{"burst", "cpu", "cpu.max.burst", cpuRes(specs.LinuxCPU{Quota: ptr[int64](50000), Burst: ptr[uint64](20000)}), "20000",
			cpuRes(specs.LinuxCPU{Burst: ptr[uint64](10000)}), "10000"},
		{"burst and quota grow above the old quota", "cpu", "cpu.max.burst", cpuRes(specs.LinuxCPU{Quota: ptr[int64](20000), Burst: ptr[uint64](10000)}), "10000",
			cpuRes(specs.LinuxCPU{Quota: ptr[int64](90000), Burst: ptr[uint64](80000)}), "80000"},
		{"burst and quota shrink below the old burst", "cpu", "cpu.max", cpuRes(specs.LinuxCPU{Quota: ptr[int64](50000), Burst: ptr[uint64](40000)}), "50000 100000",
			cpuRes(specs.LinuxCPU{Quota: ptr[int64](20000), Burst: ptr[uint64](10000)}), "20000 100000"},
		{"idle ends", "cpu", "cpu.idle", cpuRes(specs.LinuxCPU{Idle: ptr[int64](1)}), "1", cpuRes(specs.LinuxCPU{Idle: ptr[int64](0)}), "0"},
		{"shares come back after idle", "cpu", "cpu.weight", cpuRes(specs.LinuxCPU{Idle: ptr[int64](1), Shares: ptr[uint64](512)}), "*",
			cpuRes(specs.LinuxCPU{Idle: ptr[int64](0)}), "59"},
		{"cpus", "cpuset", "cpuset.cpus", cpuRes(specs.LinuxCPU{Cpus: "0"}), "0", cpuRes(specs.LinuxCPU{Cpus: "1"}), "1"},
		{"mems", "cpuset", "cpuset.mems", cpuRes(specs.LinuxCPU{Mems: "0"}), "0", cpuRes(specs.LinuxCPU{Mems: "0"}), "0"},
		{"pids", "pids", "pids.max", pidsRes(123), "123", pidsRes(321), "321"},
		{"pids lifted", "pids", "pids.max", pidsRes(123), "123", pidsRes(-1), "max"},
		{"weight of io", "io", "io.weight", ioRes(specs.LinuxBlockIO{Weight: ptr[uint16](10)}), "default 1", ioRes(specs.LinuxBlockIO{Weight: ptr[uint16](1000)}), "default 10000"},
		{"weight of BFQ", "io", "io.bfq.weight", ioRes(specs.LinuxBlockIO{Weight: ptr[uint16](10)}), "default 10", ioRes(specs.LinuxBlockIO{Weight: ptr[uint16](1000)}), "default 1000"},
		{"hugetlb", "hugetlb", "hugetlb.2MB.max", hugeRes(4 * mib), "4194304", hugeRes(8 * mib), "8388608"},
		{"hugetlb reservations", "hugetlb", "hugetlb.2MB.rsvd.max", hugeRes(4 * mib), "4194304", hugeRes(8 * mib), "8388608"},
		{"unified memory.high", "memory", "memory.high", uniRes("memory.high", "50331648"), "50331648", uniRes("memory.high", "max"), "max"},
		{"unified memory.min", "memory", "memory.min", uniRes("memory.min", "4194304"), "4194304", uniRes("memory.min", "0"), "0"},
		{"unified memory.oom.group", "memory", "memory.oom.group", uniRes("memory.oom.group", "1"), "1", uniRes("memory.oom.group", "0"), "0"},
		{"unified cpu.weight.nice", "cpu", "cpu.weight.nice", uniRes("cpu.weight.nice", "5"), "5", uniRes("cpu.weight.nice", "-5"), "-5"},
		{"unified over shares", "cpu", "cpu.weight", merged(cpuRes(specs.LinuxCPU{Shares: ptr[uint64](512)}), uniRes("cpu.weight", "77")), "77", uniRes("cpu.weight", "88"), "88"},
		{"unified of the core", "pids", "cgroup.max.depth", uniRes("cgroup.max.depth", "3"), "3", uniRes("cgroup.max.depth", "max"), "max"},
		{"unified with a newline at its end", "pids", "pids.max", uniRes("pids.max", "44\n"), "44", uniRes("pids.max", "max\n"), "max"},
	})
}

// throttles are the limits of one device, with the file of v1 and the key of v2.
func TestLifeOfAThrottle(t *testing.T) {
	for name, row := range map[string]struct {
		v1, key string
		set     func(*specs.LinuxBlockIO, []specs.LinuxThrottleDevice)
	}{
		"read bytes":  {"read_bps", "rbps", func(b *specs.LinuxBlockIO, d []specs.LinuxThrottleDevice) { b.ThrottleReadBpsDevice = d }},
		"write bytes": {"write_bps", "wbps", func(b *specs.LinuxBlockIO, d []specs.LinuxThrottleDevice) { b.ThrottleWriteBpsDevice = d }},
		"reads":       {"read_iops", "riops", func(b *specs.LinuxBlockIO, d []specs.LinuxThrottleDevice) { b.ThrottleReadIOPSDevice = d }},
		"writes":      {"write_iops", "wiops", func(b *specs.LinuxBlockIO, d []specs.LinuxThrottleDevice) { b.ThrottleWriteIOPSDevice = d }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t)
			controller, file := "blkio", "blkio.throttle."+row.v1+"_device"
			if layout == cgroup2 {
				controller, file = "io", "io.max"
			}
			needController(t, controller)
			major, minor := rootDisk(t)
			at := func(rate uint64) *specs.LinuxBlockIO {
				d := specs.LinuxThrottleDevice{Rate: rate}
				d.Major, d.Minor = major, minor
				io := new(specs.LinuxBlockIO)
				row.set(io, []specs.LinuxThrottleDevice{d})
				return io
			}
			line := func(rate string) string {
				if layout == cgroup1 {
					return fmt.Sprintf("%d:%d %s", major, minor, rate)
				}
				out := fmt.Sprintf("%d:%d", major, minor)
				for _, key := range []string{"rbps", "wbps", "riops", "wiops"} {
					v := "max"
					if key == row.key {
						v = rate
					}
					out += " " + key + "=" + v
				}
				return out
			}
			b.edit(resources(func(r *specs.LinuxResources) { r.BlockIO = at(1 << 20) }))
			b.hold()
			dir := b.cgroupDir(controller)
			b.wantLine(dir, file, line("1048576"))
			b.update(specs.LinuxResources{BlockIO: at(1 << 21)}).ok(t)
			b.wantLine(dir, file, line("2097152"))
			b.update(specs.LinuxResources{BlockIO: at(0)}).ok(t) // 0 lifts it
			if text := readFile(t, dir+"/"+file); strings.Contains(text, fmt.Sprintf("%d:%d", major, minor)) {
				t.Errorf("not lifted: %q", text)
			}
		})
	}
}

// TestLifeOfADeviceWeight needs a disk under the BFQ scheduler: it makes one.
func TestLifeOfADeviceWeight(t *testing.T) {
	b := newBundle(t)
	controller, file := "blkio", "blkio.bfq.weight_device"
	if layout == cgroup2 {
		controller, file = "io", "io.bfq.weight"
	}
	needController(t, controller)
	major, minor := b.bfqDisk()
	at := func(w uint16) *specs.LinuxBlockIO {
		d := specs.LinuxWeightDevice{Weight: &w}
		d.Major, d.Minor = major, minor
		return &specs.LinuxBlockIO{WeightDevice: []specs.LinuxWeightDevice{d}}
	}
	b.edit(resources(func(r *specs.LinuxResources) { r.BlockIO = at(300) }))
	b.hold()
	b.wantLine(b.cgroupDir(controller), file, fmt.Sprintf("%d:%d 300", major, minor))
	b.update(specs.LinuxResources{BlockIO: at(700)}).ok(t)
	b.wantLine(b.cgroupDir(controller), file, fmt.Sprintf("%d:%d 700", major, minor))
}

// bfqDisk makes a loop device with the BFQ scheduler for the time of the case.
func (b *bundle) bfqDisk() (major, minor int64) {
	b.t.Helper()
	exec.Command("modprobe", "-q", "bfq").Run() // built in, or not to be had: the scheduler's list tells
	disk := b.hostFile("disk", "")
	check(b.t, os.Truncate(disk, 16<<20))
	out, err := exec.Command("losetup", "--find", "--show", disk).CombinedOutput()
	if err != nil {
		skip(b.t, "no loop device: %s", strings.TrimSpace(string(out)))
	}
	dev := strings.TrimSpace(string(out))
	b.t.Cleanup(func() { exec.Command("losetup", "--detach", dev).Run() })
	queue := "/sys/block/" + filepath.Base(dev)
	if err := os.WriteFile(queue+"/queue/scheduler", []byte("bfq"), 0); err != nil {
		skip(b.t, "no BFQ scheduler: %v", err)
	}
	_, err = fmt.Sscanf(readFile(b.t, queue+"/dev"), "%d:%d", &major, &minor)
	check(b.t, err)
	return major, minor
}
