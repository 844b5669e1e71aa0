package integration

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// limitCase is one resource, the file it must reach in each version, and the value that must stand there.
type limitCase struct {
	controller, v1, v2 string
	set                func(*specs.LinuxResources)
	want1, want2       string
}

func memory(m specs.LinuxMemory) func(*specs.LinuxResources) {
	return func(r *specs.LinuxResources) { r.Memory = &m }
}

func cpu(c specs.LinuxCPU) func(*specs.LinuxResources) {
	return func(r *specs.LinuxResources) { r.CPU = &c }
}

func limits() map[string]limitCase {
	return map[string]limitCase{
		"memory limit":       {"memory", "memory.limit_in_bytes", "memory.max", memory(specs.LinuxMemory{Limit: ptr(int64(64 << 20))}), "67108864", "67108864"},
		"memory reservation": {"memory", "memory.soft_limit_in_bytes", "memory.low", memory(specs.LinuxMemory{Reservation: ptr(int64(32 << 20))}), "33554432", "33554432"},
		"memory unlimited":   {"memory", "memory.limit_in_bytes", "memory.max", memory(specs.LinuxMemory{Limit: ptr(int64(-1))}), "9223372036854771712", "max"},
		"swappiness":         {"memory", "memory.swappiness", "", memory(specs.LinuxMemory{Swappiness: ptr(uint64(33))}), "33", ""},
		"oom killer off":     {"memory", "memory.oom_control", "", memory(specs.LinuxMemory{DisableOOMKiller: ptr(true)}), "oom_kill_disable 1", ""},
		"cpu shares":         {"cpu", "cpu.shares", "cpu.weight", cpu(specs.LinuxCPU{Shares: ptr(uint64(512))}), "512", "59"},
		"cpu quota":          {"cpu", "cpu.cfs_quota_us", "cpu.max", cpu(specs.LinuxCPU{Quota: ptr(int64(50000)), Period: ptr(uint64(200000))}), "50000", "50000 200000"},
		"cpu period":         {"cpu", "cpu.cfs_period_us", "cpu.max", cpu(specs.LinuxCPU{Period: ptr(uint64(150000))}), "150000", "max 150000"},
		"cpu burst":          {"cpu", "cpu.cfs_burst_us", "cpu.max.burst", cpu(specs.LinuxCPU{Quota: ptr(int64(50000)), Period: ptr(uint64(100000)), Burst: ptr(uint64(20000))}), "20000", "20000"},
		"cpu idle":           {"cpu", "cpu.idle", "cpu.idle", cpu(specs.LinuxCPU{Idle: ptr(int64(1))}), "1", "1"},
		"cpuset cpus":        {"cpuset", "cpuset.cpus", "cpuset.cpus", cpu(specs.LinuxCPU{Cpus: "0"}), "0", "0"},
		"cpuset mems":        {"cpuset", "cpuset.mems", "cpuset.mems", cpu(specs.LinuxCPU{Mems: "0"}), "0", "0"},
		"pids limit":         {"pids", "pids.max", "pids.max", func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(123))} }, "123", "123"},
		"pids unlimited":     {"pids", "pids.max", "pids.max", func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(-1))} }, "max", "max"},
		"blkio weight": {"blkio", "blkio.bfq.weight", "io.bfq.weight", func(r *specs.LinuxResources) {
			r.BlockIO = &specs.LinuxBlockIO{Weight: ptr(uint16(200))}
		}, "200", "default 200"},
	}
}

func TestLimitReachesItsControlFile(t *testing.T) {
	for name, row := range limits() {
		t.Run(name, func(t *testing.T) {
			controller := row.controller
			if layout == cgroup2 && controller == "blkio" {
				controller = "io"
			}
			if layout == cgroup2 && row.v2 == "" {
				skip(t, "cgroup v2 has no such file")
			}
			needController(t, controller)
			if name == "blkio weight" && layout == cgroup1 {
				needFile(t, controller, row.v1)
			}
			if name == "cpu burst" || name == "cpu idle" {
				not(t, "runc", "1.1 has none")
			}
			b := newBundle(t, resources(row.set))
			file := row.v1
			if layout == cgroup2 {
				file = row.v2
			}
			b.hold()
			path := filepath.Join(b.cgroupDir(row.controller), file)
			if !exists(path) {
				skip(t, "the kernel has no %s", file)
			}
			want := row.want1
			if layout == cgroup2 {
				want = row.want2
			}
			if got := strings.TrimSpace(readFile(t, path)); got != want && !strings.HasPrefix(got, want+"\n") {
				t.Errorf("%s holds %q, want %q", file, got, want)
			}
		})
	}
}

func TestSwapLimit(t *testing.T) {
	needController(t, "memory")
	b := newBundle(t, resources(memory(specs.LinuxMemory{Limit: ptr(int64(32 << 20)), Swap: ptr(int64(96 << 20))})))
	b.hold()
	if file := b.cgroupDir("memory") + "/" + map[cgroupLayout]string{cgroup1: "memory.memsw.limit_in_bytes", cgroup2: "memory.swap.max"}[layout]; !exists(file) {
		skip(t, "no swap accounting")
	}
	if got, want := b.cgroupFile("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"), map[cgroupLayout]string{cgroup1: "100663296", cgroup2: "67108864"}[layout]; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestThrottleDevice(t *testing.T) {
	needV1(t)
	needController(t, "blkio")
	dev := specs.LinuxThrottleDevice{Rate: 1 << 20}
	dev.Major, dev.Minor = rootDisk(t)
	b := newBundle(t, resources(func(r *specs.LinuxResources) {
		r.BlockIO = &specs.LinuxBlockIO{ThrottleReadBpsDevice: []specs.LinuxThrottleDevice{dev}, ThrottleWriteIOPSDevice: []specs.LinuxThrottleDevice{dev}}
	}))
	b.hold()
	want := strconv.FormatInt(dev.Major, 10) + ":" + strconv.FormatInt(dev.Minor, 10) + " 1048576"
	for _, file := range []string{"blkio.throttle.read_bps_device", "blkio.throttle.write_iops_device"} {
		if got := strings.TrimSpace(readFile(t, b.cgroupDir("blkio")+"/"+file)); got != want {
			t.Errorf("%s: %q, want %q", file, got, want)
		}
	}
}

// rootDisk is the device number of some disk.
func rootDisk(t *testing.T) (major, minor int64) {
	t.Helper()
	for _, name := range []string{"vda", "sda"} {
		if data, err := os.ReadFile("/sys/block/" + name + "/dev"); err == nil {
			a, b, _ := strings.Cut(strings.TrimSpace(string(data)), ":")
			major, _ = strconv.ParseInt(a, 10, 64)
			minor, _ = strconv.ParseInt(b, 10, 64)
			return major, minor
		}
	}
	skip(t, "no disk")
	return 0, 0
}

func TestHugetlbLimit(t *testing.T) {
	file := "/sys/fs/cgroup/unified"
	if layout == cgroup2 {
		file = "/sys/fs/cgroup"
	}
	if !holds(file+"/cgroup.controllers", "hugetlb") || layout == cgroup1 {
		skip(t, "no hugetlb controller in the hierarchy of the limits")
	}
	needController(t, "hugetlb")
	b := newBundle(t, resources(func(r *specs.LinuxResources) {
		r.HugepageLimits = []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4 << 20}}
	}))
	b.hold()
	if got := b.cgroupFile("hugetlb", "", "hugetlb.2MB.max"); got != "4194304" {
		t.Errorf("%s", got)
	}
}

func TestUnifiedReachesItsFile(t *testing.T) {
	needV2(t)
	b := newBundle(t, resources(func(r *specs.LinuxResources) {
		r.Unified = map[string]string{"memory.high": "50331648", "pids.max": "44"}
		r.Pids = &specs.LinuxPids{Limit: ptr(int64(55))}
	}))
	b.hold()
	if got := b.cgroupFile("memory", "", "memory.high"); got != "50331648" {
		t.Errorf("memory.high %s", got)
	}
	if got := b.cgroupFile("pids", "", "pids.max"); got != "44" {
		t.Errorf("unified does not override: %s", got)
	}
}

func TestUnifiedOnV1Fails(t *testing.T) {
	needV1(t)
	b := newBundle(t, resources(func(r *specs.LinuxResources) { r.Unified = map[string]string{"memory.high": "1"} }))
	b.run().fails(t, "nified")
	b.wantGone()
}

func TestMemoryLimitIsEnforced(t *testing.T) {
	needController(t, "memory")
	b := newBundle(t, prog("alloc", "200"), resources(memory(specs.LinuxMemory{Limit: ptr(int64(50 << 20)), Swap: ptr(int64(50 << 20))})))
	b.run().status(t, 137)
	b.wantGone()
}

func TestPidsLimitIsEnforced(t *testing.T) {
	needController(t, "pids")
	b := newBundle(t, prog("spawn", "50"), resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(20))} }))
	if r := b.run(); r.code != 1 || !strings.Contains(r.out, "EAGAIN") {
		t.Errorf("%v", r)
	}
}

func TestPidsLimitOfOneRunsAProgram(t *testing.T) {
	needController(t, "pids")
	not(t, "runc", "needs more")
	b := newBundle(t, args("/bin/true"), resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(1))} }))
	b.run().ok(t)
}

func TestPidsLimitOfZeroMeansOne(t *testing.T) {
	needController(t, "pids")
	not(t, "runc", "1.1 ignores it")
	b := newBundle(t, args("/bin/sleep", "1000"), resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(0))} }))
	b.detach()
	if got := b.cgroupFile("pids", "pids.max", "pids.max"); got != "1" {
		t.Errorf("%s", got)
	}
}

// Linux 7.2 charges a program of one page with 320 KiB, 6.12 with 156.
func TestTinyMemoryLimitRunsAProgram(t *testing.T) {
	needController(t, "memory")
	not(t, "runc", "needs megabytes")
	b := newBundle(t, args("/bin/true"), resources(memory(specs.LinuxMemory{Limit: ptr(int64(420 << 10))})))
	b.run().ok(t)
}

func TestMemoryLimitTooSmallSaysSo(t *testing.T) {
	needController(t, "memory")
	not(t, "runc", "differs")
	b := newBundle(t, args("/bin/true"), resources(memory(specs.LinuxMemory{Limit: ptr(int64(4096))})))
	r := b.run()
	if r.code == 0 {
		t.Errorf("runs in one page")
	}
	b.wantGone()
}

func TestCpusetBindsTheProcess(t *testing.T) {
	needController(t, "cpuset")
	b := newBundle(t, resources(cpu(specs.LinuxCPU{Cpus: "1"})))
	if f := b.facts(); len(f.Affinity) != 1 || f.Affinity[0] != 1 {
		t.Errorf("%v", f.Affinity)
	}
}

func TestResourceFindings(t *testing.T) {
	for name, row := range map[string]struct {
		set  func(*specs.LinuxResources)
		says string
	}{
		"swap below limit":     {memory(specs.LinuxMemory{Limit: ptr(int64(64 << 20)), Swap: ptr(int64(32 << 20))}), "swap"},
		"swap without limit":   {memory(specs.LinuxMemory{Swap: ptr(int64(32 << 20))}), "unable to set swap limit without memory limit"},
		"swappiness above 100": {memory(specs.LinuxMemory{Swappiness: ptr(uint64(101))}), "swappiness"},
		"absent CPU":           {cpu(specs.LinuxCPU{Cpus: "4000"}), "cpu"},
		"bad CPU list":         {cpu(specs.LinuxCPU{Cpus: "0-x"}), "cpu"},
		"burst above quota":    {cpu(specs.LinuxCPU{Quota: ptr(int64(10000)), Period: ptr(uint64(100000)), Burst: ptr(uint64(50000))}), "burst"},
		"weight out of range":  {func(r *specs.LinuxResources) { r.BlockIO = &specs.LinuxBlockIO{Weight: ptr(uint16(5))} }, "eight"},
		"unknown page size": {func(r *specs.LinuxResources) {
			r.HugepageLimits = []specs.LinuxHugepageLimit{{Pagesize: "3MB", Limit: 1}}
		}, "3MB"},
	} {
		t.Run(name, func(t *testing.T) {
			not(t, "runc", "1.1 differs")
			if suite.plain && name == "unknown page size" { // root learns of the size before the controller is asked for
				needController(t, "hugetlb")
			}
			b := newBundle(t, resources(row.set))
			b.run().fails(t, row.says)
			b.wantGone()
		})
	}
}

func TestProcessIsInItsCgroupInEveryHierarchy(t *testing.T) {
	b := newBundle(t)
	b.hold()
	cgroup2Mounted := slices.ContainsFunc(mountLines(), func(line string) bool { return strings.Contains(line, " - cgroup2 ") })
	for _, line := range strings.Split(strings.TrimSpace(readFile(t, "/proc/"+itoa(b.state().Pid)+"/cgroup")), "\n") {
		if strings.HasPrefix(line, "0::") && !cgroup2Mounted {
			continue // nobody can reach that hierarchy
		}
		if !strings.HasSuffix(line, ":"+b.spec.Linux.CgroupsPath) {
			t.Errorf("%s", line)
		}
	}
}

func TestDeleteRemovesEveryCgroupOfTheContainer(t *testing.T) {
	b := newBundle(t)
	b.hold()
	if len(cgroupsNamed(b.id)) == 0 {
		t.Fatal("no cgroup to remove")
	}
	b.tare("delete", "-f", b.id).ok(t)
	b.wantNoCgroups()
}

func TestDeleteRemovesSubgroupsTheContainerMade(t *testing.T) {
	b := newBundle(t)
	b.hold()
	mkdirs(t, b.cgroupDir("pids")+"/a/b", b.cgroupDir("memory")+"/c")
	b.tare("delete", "-f", b.id).ok(t)
	b.wantNoCgroups()
}

func TestForegroundRunRemovesItsCgroup(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.run().ok(t)
	b.wantNoCgroups()
}

func TestCgroupsPathIsMadeWithAllItsParents(t *testing.T) {
	b := newBundle(t)
	b.spec.Linux.CgroupsPath = suite.prefix + "/" + b.id + "/deep/er"
	b.hold()
	if !exists(b.cgroupDir("pids")) {
		t.Errorf("%s is not there", b.cgroupDir("pids"))
	}
	b.tare("delete", "-f", b.id).ok(t)
	for _, dir := range []string{"/deep", ""} { // the parents are not the container's own
		for _, mount := range cgroupMounts() {
			os.Remove(filepath.Join(mount, suite.prefix, b.id, dir))
		}
	}
}

func TestCgroupsPathWithDotsStaysBelowTheMount(t *testing.T) {
	b := newBundle(t)
	b.spec.Linux.CgroupsPath = "/../../.." + suite.prefix + "/x/../" + b.id
	b.hold()
	if got := cgroupsNamed(b.id); len(got) == 0 || !strings.HasPrefix(got[0], "/sys/fs/cgroup/") {
		t.Errorf("%v", got)
	}
}

func TestEmptyCgroupsPathUsesTheID(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Linux.CgroupsPath = "" })
	b.hold()
	if len(cgroupsNamed(b.id)) == 0 {
		t.Error("no cgroup is named after the container")
	}
}

func TestCreateInACgroupWithProcessesFails(t *testing.T) {
	not(t, "runc", "1.1 only warns")
	b := newBundle(t)
	b.hold()
	b2 := newSerial(t, args("/bin/true"))
	b2.spec.Linux.CgroupsPath = b.spec.Linux.CgroupsPath
	b2.run().fails(t, "container's cgroup is not empty: 1 process(es) found")
	b.wantStatus(specs.StateRunning)
}

func TestResourcesAbsentLeavesTheParentsLimits(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Linux.Resources = nil })
	b.hold()
	if layout == cgroup1 && exists("/sys/fs/cgroup/pids") {
		if got := b.cgroupFile("pids", "pids.max", "pids.max"); got != "max" {
			t.Errorf("pids.max %s", got)
		}
	}
}
