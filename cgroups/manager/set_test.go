package manager

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups"
)

// file is what a control file must hold after a Set; v1 or v2 may be "".
type file struct{ v1, v2, want1, want2 string }

// setCase is tried on each variant that has the controller.
type setCase struct {
	name       string
	controller string // v1's name
	before     *specs.LinuxResources
	r          specs.LinuxResources
	files      []file
	err        string // a part of the error instead, both versions
	err1, err2 string
}

func cpu(c specs.LinuxCPU) specs.LinuxResources    { return specs.LinuxResources{CPU: &c} }
func mem(m specs.LinuxMemory) specs.LinuxResources { return specs.LinuxResources{Memory: &m} }

const mib = 1 << 20

func setCases() []setCase {
	cpuBefore := cpu(specs.LinuxCPU{Quota: ptr[int64](50000), Period: ptr[uint64](100000)})
	memBefore := mem(specs.LinuxMemory{Limit: ptr[int64](64 * mib), Swap: ptr[int64](80 * mib)})
	return []setCase{
		{name: "shares", controller: "cpu", r: cpu(specs.LinuxCPU{Shares: ptr[uint64](512)}),
			files: []file{{"cpu.shares", "cpu.weight", "512", "59"}}},
		{name: "shares out of range", controller: "cpu", r: cpu(specs.LinuxCPU{Shares: ptr[uint64](1)}),
			err1: "linux.resources.cpu.shares: 1 is not within"},
		{name: "quota and period", controller: "cpu", r: cpu(specs.LinuxCPU{Quota: ptr[int64](20000), Period: ptr[uint64](200000)}),
			files: []file{{"cpu.cfs_quota_us", "cpu.max", "20000", "20000 200000"}, {"cpu.cfs_period_us", "", "200000", ""}}},
		{name: "quota keeps period", controller: "cpu", before: ptr(cpu(specs.LinuxCPU{Period: ptr[uint64](200000)})),
			r:     cpu(specs.LinuxCPU{Quota: ptr[int64](30000)}),
			files: []file{{"cpu.cfs_quota_us", "cpu.max", "30000", "30000 200000"}, {"cpu.cfs_period_us", "", "200000", ""}}},
		{name: "period keeps quota", controller: "cpu", before: &cpuBefore, r: cpu(specs.LinuxCPU{Period: ptr[uint64](250000)}),
			files: []file{{"cpu.cfs_quota_us", "cpu.max", "50000", "50000 250000"}, {"cpu.cfs_period_us", "", "250000", ""}}},
		{name: "no quota", controller: "cpu", before: &cpuBefore, r: cpu(specs.LinuxCPU{Quota: ptr[int64](-1)}),
			files: []file{{"cpu.cfs_quota_us", "cpu.max", "-1", "max 100000"}}},
		{name: "burst needs the new quota", controller: "cpu", before: &cpuBefore,
			r:     cpu(specs.LinuxCPU{Burst: ptr[uint64](60000), Quota: ptr[int64](70000)}),
			files: []file{{"cpu.cfs_burst_us", "cpu.max.burst", "60000", "60000"}, {"cpu.cfs_quota_us", "cpu.max", "70000", "70000 100000"}}},
		{name: "quota below the burst in force", controller: "cpu",
			before: ptr(cpu(specs.LinuxCPU{Burst: ptr[uint64](60000), Quota: ptr[int64](70000)})),
			r:      cpu(specs.LinuxCPU{Burst: ptr[uint64](5000), Quota: ptr[int64](10000)}),
			files:  []file{{"cpu.cfs_burst_us", "cpu.max.burst", "5000", "5000"}, {"cpu.cfs_quota_us", "cpu.max", "10000", "10000 100000"}}},
		{name: "burst above the quota", controller: "cpu", r: cpu(specs.LinuxCPU{Burst: ptr[uint64](60000), Quota: ptr[int64](10000)}),
			err: "linux.resources.cpu.burst: 60000 is above the quota 10000"},
		{name: "period too small", controller: "cpu", r: cpu(specs.LinuxCPU{Period: ptr[uint64](1)}),
			err: "linux.resources.cpu.period: write"},
		{name: "idle skips shares", controller: "cpu", r: cpu(specs.LinuxCPU{Idle: ptr[int64](1), Shares: ptr[uint64](512)}),
			files: []file{{"cpu.idle", "cpu.idle", "1", "1"}}},
		{name: "idle off, then shares", controller: "cpu", before: ptr(cpu(specs.LinuxCPU{Idle: ptr[int64](1)})),
			r:     cpu(specs.LinuxCPU{Idle: ptr[int64](0), Shares: ptr[uint64](512)}),
			files: []file{{"cpu.idle", "cpu.idle", "0", "0"}, {"cpu.shares", "cpu.weight", "512", "59"}}},
		{name: "realtime", controller: "cpu", r: cpu(specs.LinuxCPU{RealtimePeriod: ptr[uint64](500000)}),
			err2: "linux.resources.cpu.realtimePeriod: cgroup v2: not supported", files: []file{{"cpu.rt_period_us", "", "500000", ""}}},
		{name: "cpuset", controller: "cpuset", r: cpu(specs.LinuxCPU{Cpus: "0", Mems: "0"}),
			files: []file{{"cpuset.cpus", "cpuset.cpus", "0", "0"}, {"cpuset.mems", "cpuset.mems", "0", "0"}}},
		{name: "cpuset nonsense", controller: "cpuset", r: cpu(specs.LinuxCPU{Cpus: "x"}),
			err: "linux.resources.cpu.cpus: "},

		{name: "limit", controller: "memory", r: mem(specs.LinuxMemory{Limit: ptr[int64](64 * mib)}),
			files: []file{{"memory.limit_in_bytes", "memory.max", "67108864", "67108864"}}},
		{name: "limit and swap", controller: "memory", r: memBefore,
			files: []file{{"memory.limit_in_bytes", "memory.max", "67108864", "67108864"}, {"memory.memsw.limit_in_bytes", "memory.swap.max", "83886080", "16777216"}}},
		{name: "grow both", controller: "memory", before: &memBefore, r: mem(specs.LinuxMemory{Limit: ptr[int64](128 * mib), Swap: ptr[int64](128 * mib)}),
			files: []file{{"memory.limit_in_bytes", "memory.max", "134217728", "134217728"}, {"memory.memsw.limit_in_bytes", "memory.swap.max", "134217728", "0"}}},
		{name: "shrink both", controller: "memory", before: &memBefore, r: mem(specs.LinuxMemory{Limit: ptr[int64](32 * mib), Swap: ptr[int64](33 * mib)}),
			files: []file{{"memory.limit_in_bytes", "memory.max", "33554432", "33554432"}, {"memory.memsw.limit_in_bytes", "memory.swap.max", "34603008", "1048576"}}},
		{name: "swap alone", controller: "memory", before: &memBefore, r: mem(specs.LinuxMemory{Swap: ptr[int64](65 * mib)}),
			files: []file{{"memory.memsw.limit_in_bytes", "memory.swap.max", "68157440", "1048576"}}},
		{name: "unlimited lifts swap", controller: "memory", before: &memBefore, r: mem(specs.LinuxMemory{Limit: ptr[int64](-1)}),
			files: []file{{"memory.limit_in_bytes", "memory.max", "9223372036854771712", "max"}, {"memory.memsw.limit_in_bytes", "memory.swap.max", "9223372036854771712", "max"}}},
		{name: "zero is unset", controller: "memory", before: &memBefore, r: mem(specs.LinuxMemory{Limit: ptr[int64](0), Swap: ptr[int64](0), Reservation: ptr[int64](0)}),
			files: []file{{"memory.limit_in_bytes", "memory.max", "67108864", "67108864"}}},
		{name: "swap below limit", controller: "memory", r: mem(specs.LinuxMemory{Limit: ptr[int64](64 * mib), Swap: ptr[int64](mib)}),
			err: "linux.resources.memory.swap: 1048576 is below the memory limit"},
		{name: "reservation", controller: "memory", r: mem(specs.LinuxMemory{Reservation: ptr[int64](mib)}),
			files: []file{{"memory.soft_limit_in_bytes", "memory.low", "1048576", "1048576"}}},
		{name: "swappiness", controller: "memory", r: mem(specs.LinuxMemory{Swappiness: ptr[uint64](7)}),
			files: []file{{"memory.swappiness", "", "7", ""}}, err2: "linux.resources.memory.swappiness: cgroup v2: not supported"},
		{name: "swappiness 101", controller: "memory", r: mem(specs.LinuxMemory{Swappiness: ptr[uint64](101)}), err: "linux.resources.memory.swappiness: "},
		{name: "oom killer off", controller: "memory", r: mem(specs.LinuxMemory{DisableOOMKiller: ptr(true)}),
			files: []file{{"memory.oom_control", "", "oom_kill_disable 1\nunder_oom 0\noom_kill 0", ""}}, err2: "linux.resources.memory.disableOOMKiller: cgroup v2"},
		{name: "oom killer on", controller: "memory", r: mem(specs.LinuxMemory{DisableOOMKiller: ptr(false)}),
			files: []file{{"memory.oom_control", "", "oom_kill_disable 0\nunder_oom 0\noom_kill 0", ""}}},

		{name: "pids", controller: "pids", r: specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr[int64](7)}}, files: []file{{"pids.max", "pids.max", "7", "7"}}},
		{name: "pids 0", controller: "pids", r: specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr[int64](0)}}, files: []file{{"pids.max", "pids.max", "1", "1"}}},
		{name: "pids -1", controller: "pids", r: specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr[int64](-1)}}, files: []file{{"pids.max", "pids.max", "max", "max"}}},

		{name: "huge pages", controller: "hugetlb", r: specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4 * mib}}},
			files: []file{{"hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max", "4194304", "4194304"}, {"hugetlb.2MB.rsvd.limit_in_bytes", "hugetlb.2MB.rsvd.max", "4194304", "4194304"}}},
		{name: "huge pages of no size", controller: "hugetlb", r: specs.LinuxResources{HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "3MB", Limit: 1}}},
			err: `linux.resources.hugepageLimits[0].pageSize: "3MB": `},

		{name: "weight", controller: "blkio", r: specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{Weight: ptr[uint16](300)}},
			files: []file{{"blkio.bfq.weight|blkio.weight", "io.bfq.weight|io.weight", "300", "default 300|default 2930"}}},
		{name: "leaf weight", controller: "blkio", r: specs.LinuxResources{BlockIO: &specs.LinuxBlockIO{LeafWeight: ptr[uint16](300)}},
			err: "linux.resources.blockIO.leafWeight: "},
		{name: "class", controller: "net_cls", r: specs.LinuxResources{Network: &specs.LinuxNetwork{ClassID: ptr[uint32](0x100001)}},
			files: []file{{"net_cls.classid", "", "1048577", ""}}, err2: "linux.resources.network.classID: cgroup v2"},
		{name: "priorities", controller: "net_prio", r: specs.LinuxResources{Network: &specs.LinuxNetwork{Priorities: []specs.LinuxInterfacePriority{{Name: "lo", Priority: 5}}}},
			files: []file{{"net_prio.ifpriomap", "", "~lo 5", ""}}, err2: "linux.resources.network.priorities: cgroup v2"},
		{name: "rdma of no device", controller: "rdma", r: specs.LinuxResources{Rdma: map[string]specs.LinuxRdma{"none0": {HcaHandles: ptr[uint32](3)}}},
			err: `linux.resources.rdma["none0"]: write "none0 hca_handle=3" to rdma.max: `},
	}
}

func TestSet(t *testing.T) {
	for _, v := range variants(t) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range setCases() {
				t.Run(c.name, func(t *testing.T) { c.run(t, v) })
			}
		})
	}
}

func (c setCase) run(t *testing.T, v variant) {
	m, dir, version := c.place(t, v)
	if c.before != nil {
		if _, err := m.Set(t.Context(), c.before); err != nil {
			t.Fatal(err)
		}
	}
	c.skipMissing(t, dir, version)
	_, err := m.Set(t.Context(), &c.r)
	want := c.err
	if v := map[int]string{1: c.err1, 2: c.err2}[version]; v != "" {
		want = v
	}
	if want != "" {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("error %v, want %s", err, want)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range c.files {
		f.check(t, dir, version)
	}
}

// skipMissing skips a case whose file the v1 kernel was built without.
func (c setCase) skipMissing(t *testing.T, dir string, version int) {
	t.Helper()
	if version == 2 || len(c.files) == 0 {
		return
	}
	for name := range strings.SplitSeq(c.files[0].v1, "|") {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return
		}
	}
	t.Skipf("this kernel has no %s", c.files[0].v1)
}

// place makes a cgroup for one case and tells where its controller lies.
func (c setCase) place(t *testing.T, v variant) (m cgroups.Manager, dir string, version int) {
	t.Helper()
	m = v.manager(t, name(t))
	config := m.Config()
	create(t, m)
	dir, version = m.Paths()[c.controller], 1
	if dir != "" {
		return m, dir, version
	}
	v2name := map[string]string{"blkio": "io"}[c.controller]
	if v2name == "" {
		v2name = c.controller
	}
	for _, d := range config.Dirs {
		at := d.Path
		if config.Mode() == cgroups.Hybrid {
			at = d.Mount // enabled when needed
		}
		have, _ := os.ReadFile(filepath.Join(at, "cgroup.controllers"))
		only := config.Mode() == cgroups.V2 && (strings.HasPrefix(c.controller, "net_") || c.err2 != "")
		if d.Version == 2 && (only || strings.Contains(" "+strings.TrimSpace(string(have))+" ", " "+v2name+" ")) {
			return m, d.Path, 2
		}
	}
	t.Skipf("no controller %s here", c.controller)
	return nil, "", 0
}

func (f file) check(t *testing.T, dir string, version int) {
	t.Helper()
	names, wants := f.v1, f.want1
	if version == 2 {
		names, wants = f.v2, f.want2
	}
	if names == "" {
		return
	}
	w := strings.Split(wants, "|")
	for i, name := range strings.Split(names, "|") {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if errors.Is(err, os.ErrNotExist) && i+1 < len(strings.Split(names, "|")) {
			continue
		}
		got, want := strings.TrimSpace(string(b)), w[min(i, len(w)-1)]
		if line, ok := strings.CutPrefix(want, "~"); ok && strings.Contains("\n"+got+"\n", "\n"+line+"\n") {
			return
		}
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, want)
		}
		return
	}
}

// TestAbsentIsUntouched: limits that r does not mention keep the kernel's
// defaults, and an empty r opens no file (the cgroup may not even exist).
func TestAbsentIsUntouched(t *testing.T) {
	each(t, func(t *testing.T, m cgroups.Manager) {
		if w, err := m.Set(t.Context(), &specs.LinuxResources{CPU: &specs.LinuxCPU{}, Memory: &specs.LinuxMemory{}, Pids: &specs.LinuxPids{},
			BlockIO: &specs.LinuxBlockIO{}, Network: &specs.LinuxNetwork{}}); err != nil || w != nil {
			t.Fatalf("%v, %v", w, err)
		}
		if w, err := m.Set(t.Context(), nil); err != nil || w != nil {
			t.Fatalf("nil: %v, %v", w, err)
		}
	})
}

func TestObsoleteLimitsWarn(t *testing.T) {
	each(t, func(t *testing.T, m cgroups.Manager) {
		w, err := m.Set(t.Context(), ptr(mem(specs.LinuxMemory{Kernel: ptr[int64](mib), KernelTCP: ptr[int64](mib)})))
		if err != nil || len(w) != 2 || !strings.HasPrefix(w[0], "linux.resources.memory.kernel: ") {
			t.Fatalf("%q, %v", w, err)
		}
	})
}

func TestUnified(t *testing.T) {
	each(t, func(t *testing.T, m cgroups.Manager) {
		create(t, m)
		mode := m.Config().Mode()
		for key, want := range map[string]string{
			"nodot": "not a CONTROLLER.PARAMETER", "../x.y": "not a CONTROLLER.PARAMETER", "nosuch.max": `controller "nosuch"`,
			"cgroup.nosuch": "linux.resources.unified.cgroup.nosuch: write",
		} {
			if mode == cgroups.V1 {
				want = "cgroup v1: not supported"
			}
			_, err := m.Set(t.Context(), &specs.LinuxResources{Unified: map[string]string{key: "1"}})
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "linux.resources.unified."+key) {
				t.Errorf("%s: %v, want %s", key, err, want)
			}
		}
		if mode == cgroups.V1 {
			return
		}
		at := m.Config().Unified()
		if mode == cgroups.Hybrid {
			at = strings.TrimSuffix(at, m.Config().Path)
		}
		if b, _ := os.ReadFile(at + "/cgroup.controllers"); !strings.Contains(string(b), "hugetlb") {
			t.Skip("no controller hugetlb here")
		}
		_, err := m.Set(t.Context(), &specs.LinuxResources{Unified: map[string]string{"hugetlb.2MB.max": "2097152", "cgroup.max.depth": "3\n4"}})
		if err != nil {
			t.Fatal(err)
		}
		dir := m.Config().Unified()
		file{"", "hugetlb.2MB.max", "", "2097152"}.check(t, dir, 2)
		file{"", "cgroup.max.depth", "", "4"}.check(t, dir, 2)
	})
}

// TestRealtimeBudgetPassesNewParents: a new v1 cgroup has no real-time budget,
// and a child none without its parent's.
func TestRealtimeBudgetPassesNewParents(t *testing.T) {
	for _, v := range variants(t) {
		t.Run(v.name, func(t *testing.T) {
			m := v.manager(t, fmt.Sprintf("/tare-cgroups-rt-%d-%s/a/b", os.Getpid(), v.name))
			dir := m.Paths()["cpu"]
			create(t, m)
			if _, err := os.Stat(dir + "/cpu.rt_runtime_us"); dir == "" || err != nil {
				t.Skip("no real-time group scheduling on v1 here")
			}
			if _, err := m.Set(t.Context(), ptr(cpu(specs.LinuxCPU{RealtimePeriod: ptr[uint64](500000), RealtimeRuntime: ptr[int64](1000)}))); err != nil {
				t.Fatal(err)
			}
			file{"cpu.rt_runtime_us", "", "1000", ""}.check(t, dir, 1)
		})
	}
}
