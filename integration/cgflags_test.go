package integration

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Each flag of update, alone, reaches its file and leaves the others.
func TestUpdateFlag(t *testing.T) {
	const mib = 1 << 20
	for _, row := range []struct {
		flag, value, controller, v1, v2, want1, want2 string
		was                                           specs.LinuxResources
	}{
		{"--memory-reservation", "24m", "memory", "memory.soft_limit_in_bytes", "memory.low", "25165824", "25165824", specs.LinuxResources{}},
		{"--memory-swap", "160m", "memory", "memory.memsw.limit_in_bytes", "memory.swap.max", "167772160", "100663296", limitSwap(64*mib, 96*mib)},
		{"--memory", "-1", "memory", "memory.limit_in_bytes", "memory.max", "9223372036854771712", "max", limitSwap(64*mib, 96*mib)},
		{"--cpu-quota", "40000", "cpu", "cpu.cfs_quota_us", "cpu.max", "40000", "40000 100000", specs.LinuxResources{}},
		{"--cpu-period", "50000", "cpu", "cpu.cfs_period_us", "cpu.max", "50000", "max 50000", specs.LinuxResources{}},
		{"--cpu-burst", "7000", "cpu", "cpu.cfs_burst_us", "cpu.max.burst", "7000", "7000", cpuRes(specs.LinuxCPU{Quota: ptr[int64](50000)})},
		{"--cpu-idle", "1", "cpu", "cpu.idle", "cpu.idle", "1", "1", specs.LinuxResources{}},
		{"--cpuset-cpus", "1", "cpuset", "cpuset.cpus", "cpuset.cpus", "1", "1", cpuRes(specs.LinuxCPU{Cpus: "0"})},
		{"--cpuset-mems", "0", "cpuset", "cpuset.mems", "cpuset.mems", "0", "0", specs.LinuxResources{}},
		{"--blkio-weight", "345", "blkio", "blkio.bfq.weight", "io.weight", "345", "default 3384", specs.LinuxResources{}},
		{"--cpu-rt-runtime", "1500", "cpu", "cpu.rt_runtime_us", "", "1500", "", cpuRes(specs.LinuxCPU{RealtimeRuntime: ptr[int64](1000), RealtimePeriod: ptr[uint64](1000000)})},
		{"--cpu-rt-period", "2000000", "cpu", "cpu.rt_period_us", "", "2000000", "", cpuRes(specs.LinuxCPU{RealtimeRuntime: ptr[int64](1000), RealtimePeriod: ptr[uint64](1000000)})},
	} {
		t.Run(row.flag, func(t *testing.T) {
			if row.flag == "--cpu-burst" || row.flag == "--cpu-idle" {
				not(t, "runc", "1.1 has none")
			}
			b := newBundle(t)
			file, want := row.v1, row.want1
			if layout == cgroup2 {
				file, want = row.v2, row.want2
			}
			if file == "" {
				skip(t, "cgroup v2 has no such limit")
			}
			needFor(t, row.controller)
			needRealtime(t, file)
			b.edit(resources(func(r *specs.LinuxResources) {
				row.was.Devices = r.Devices
				*r = row.was
			}))
			if strings.HasPrefix(row.flag, "--cpu-rt") {
				b.spec.Linux.CgroupsPath = "/" + b.id // a parent that others use has no such time to give
			}
			b.hold()
			dir := b.cgroupDir(row.controller)
			if bfq := "io.bfq.weight"; file == "io.weight" && exists(dir+"/"+bfq) {
				file, want = bfq, "default "+row.value // that scheduler's own file goes before
			}
			b.needFile(dir, file)
			b.wantLine(b.cgroupDir("pids"), "pids.max", "max")
			b.tare("update", row.flag, row.value, b.id).ok(t)
			b.wantLine(dir, file, want)
			b.wantLine(b.cgroupDir("pids"), "pids.max", "max")
		})
	}
}

// The obsolete ones are accepted, since engines still pass them, and say so.
func TestUpdateOfObsoleteKernelMemoryWarns(t *testing.T) {
	for _, flag := range []string{"--kernel-memory", "--kernel-memory-tcp"} {
		t.Run(flag, func(t *testing.T) {
			onlyTare(t, "the words")
			b := newBundle(t)
			b.warnings().hold()
			if r := b.tare("update", flag, "32m", b.id).ok(t); !strings.Contains(r.err, "obsolete") {
				t.Errorf("%v", r)
			}
		})
	}
}

func TestConfigWithObsoleteKernelMemoryWarns(t *testing.T) {
	onlyTare(t, "the words")
	b := newBundle(t, args("/bin/true"), resources(memory(specs.LinuxMemory{Kernel: ptr[int64](32 << 20)}))) //nolint:staticcheck // deprecated, not gone
	if r := b.warnings().run().ok(t); !strings.Contains(r.err, "linux.resources.memory.kernel: obsolete") {
		t.Errorf("%v", r)
	}
}

// holdMemory runs a process in the container that has written to 48 MiB of /dev/shm.
func (b *bundle) holdMemory() {
	b.t.Helper()
	b.edit(func(s *specs.Spec) {
		for i := range s.Mounts {
			if s.Mounts[i].Destination == "/dev/shm" {
				s.Mounts[i].Options = []string{"size=64m"}
			}
		}
	}, sh("dd if=/dev/zero of=/dev/shm/x bs=1M count=48 2>/dev/null && echo ready && exec sleep 1000"))
	b.detach().waitOut(b.t, "ready")
}

func TestALimitBelowTheUsageIsRefusedWithBothNumbers(t *testing.T) {
	needController(t, "memory")
	onlyTare(t, "the words")
	b := newBundle(t, resources(memory(specs.LinuxMemory{Limit: ptr[int64](256 << 20), Swap: ptr[int64](256 << 20), CheckBeforeUpdate: ptr(true)})))
	b.holdMemory()
	r := b.tare("update", "--memory", "8m", "--memory-swap", "8m", b.id)
	r.fails(t, "linux.resources.memory", "usage")
	if layout == cgroup2 {
		r.fails(t, "8388608")
	}
	b.wantStatus(specs.StateRunning)
	if got := b.cgroupFile("memory", "memory.limit_in_bytes", "memory.max"); got != "268435456" {
		t.Errorf("the limit is %s", got)
	}
}

func TestCheckBeforeUpdateInTheUpdateItself(t *testing.T) {
	needV2(t) // v1's kernel refuses in any case
	needController(t, "memory")
	b := newBundle(t, resources(memory(specs.LinuxMemory{Limit: ptr[int64](256 << 20)})))
	b.holdMemory()
	b.update(memRes(specs.LinuxMemory{Limit: ptr[int64](8 << 20), CheckBeforeUpdate: ptr(true)})).fails(t, "linux.resources.memory.limit", "8388608", "usage")
	b.wantStatus(specs.StateRunning)
	b.wantLine(b.cgroupDir("memory"), "memory.max", "268435456")
}

// Nothing has to ask for the check: an update is no way to kill a container.
func TestUpdateBelowTheUsageIsNoOOMKill(t *testing.T) {
	needController(t, "memory")
	onlyTare(t, "others leave it to the OOM killer of v2")
	b := newBundle(t, resources(memory(specs.LinuxMemory{Limit: ptr[int64](256 << 20), Swap: ptr[int64](256 << 20)})))
	b.holdMemory()
	b.tare("update", "--memory", "8m", "--memory-swap", "8m", b.id).fails(t, "linux.resources.memory", "usage")
	b.wantStatus(specs.StateRunning)
	if got := b.cgroupFile("memory", "memory.limit_in_bytes", "memory.max"); got != "268435456" {
		t.Errorf("the limit is %s", got)
	}
	if got := b.cgroupFile("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"); got != "268435456" && got != "0" {
		t.Errorf("the swap limit is %s", got)
	}
}

// What the kernel can drop is no usage that stands against a limit.
func TestUpdateBelowTheCachedFilesReclaimsThem(t *testing.T) {
	needController(t, "memory")
	b := newBundle(t, resources(memory(specs.LinuxMemory{Limit: ptr[int64](256 << 20), Swap: ptr[int64](256 << 20)})),
		sh("dd if=/dev/zero of=/x bs=1M count=32 conv=fsync 2>/dev/null && cat /x >/dev/null && echo ready && exec sleep 1000"))
	b.mayLeave("x")
	var fs unix.Statfs_t
	if unix.Statfs(b.rootfs, &fs) != nil || fs.Type == unix.TMPFS_MAGIC {
		skip(t, "a tmpfs keeps its files in memory")
	}
	b.detach().waitOut(t, "ready")
	b.tare("update", "--memory", "16m", "--memory-swap", "16m", b.id).ok(t)
	b.wantStatus(specs.StateRunning)
	if got := b.cgroupFile("memory", "memory.limit_in_bytes", "memory.max"); got != "16777216" {
		t.Errorf("the limit is %s", got)
	}
}

func TestCheckBeforeUpdateLetsAFittingLimitPass(t *testing.T) {
	needController(t, "memory")
	b := newBundle(t, resources(memory(specs.LinuxMemory{Limit: ptr[int64](256 << 20), CheckBeforeUpdate: ptr(true)})))
	b.holdMemory()
	b.tare("update", "--memory", "128m", b.id).ok(t)
	if got := b.cgroupFile("memory", "memory.limit_in_bytes", "memory.max"); got != "134217728" {
		t.Errorf("the limit is %s", got)
	}
}

// What an update has set is what a later one builds on, and what exec is planned for.
func TestUpdatesAddUp(t *testing.T) {
	needController(t, "cpu")
	b := newBundle(t)
	b.hold()
	b.tare("update", "--cpu-quota", "50000", "--cpu-period", "100000", b.id).ok(t)
	b.tare("update", "--cpu-burst", "20000", b.id).ok(t)
	b.tare("update", "--cpu-quota", "10000", b.id).fails(t, "burst")
	b.tare("update", "--cpu-quota", "30000", b.id).ok(t)
	if got, want := b.cgroupFile("cpu", "cpu.cfs_quota_us", "cpu.max"), map[cgroupLayout]string{cgroup1: "30000", cgroup2: "30000 100000"}[layout]; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestUpdateOfAPausedContainerHoldsAfterResume(t *testing.T) {
	b := newBundle(t)
	b.hold()
	b.tare("pause", b.id).ok(t)
	b.tare("update", "--pids-limit", "45", b.id).ok(t)
	b.wantStatus("paused")
	b.tare("resume", b.id).ok(t)
	if got := b.cgroupFile("pids", "pids.max", "pids.max"); got != "45" {
		t.Errorf("pids.max %s", got)
	}
}

func TestUpdateOfACreatedContainerHoldsAfterStart(t *testing.T) {
	b := newBundle(t, prog("spawn", "50"))
	r := b.create()
	b.tare("update", "--pids-limit", "20", b.id).ok(t)
	b.start().ok(t)
	r.waitOut(t, "EAGAIN")
}

func TestUpdateOfALimitIsFeltAtOnce(t *testing.T) {
	b := newBundle(t)
	b.hold()
	b.exec("/testprog", "spawn", "30").ok(t)
	b.tare("update", "--pids-limit", "12", b.id).ok(t)
	if r := b.exec("/testprog", "spawn", "30"); r.code == 0 {
		t.Errorf("%v", r)
	}
}
