package manager

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups"
)

// held returns the content of every limit file that the cgroup has.
func held(t *testing.T, m cgroups.Manager) map[string]string {
	t.Helper()
	all := make(map[string]string)
	for _, d := range m.Config().Dirs {
		for _, name := range []string{"cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.weight", "cpu.max", "cpu.idle", "cpuset.cpus", "cpuset.mems",
			"memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.soft_limit_in_bytes", "memory.max", "memory.swap.max", "memory.low",
			"pids.max", "blkio.bfq.weight", "io.weight", "hugetlb.2MB.max", "hugetlb.2MB.rsvd.max", "cgroup.max.depth"} {
			if b, err := os.ReadFile(filepath.Join(d.Path, name)); err == nil {
				all[name] = strings.TrimSpace(string(b))
				if name[:3] == "hug" && all[name] == "9223372036854771712" {
					all[name] = "max" // how it reads until the first write
				}
			}
		}
	}
	return all
}

func has(t *testing.T, m cgroups.Manager, controller string) bool {
	t.Helper()
	c := m.Config()
	if m.Paths()[controller] != "" {
		return true
	}
	b, _ := os.ReadFile(filepath.Join(c.Unified(), "cgroup.controllers"))
	return c.Unified() != "" && strings.Contains(" "+strings.TrimSpace(string(b))+" ", " "+controller+" ")
}

func TestUpdateRollsBack(t *testing.T) {
	each(t, func(t *testing.T, m cgroups.Manager) {
		create(t, m)
		before, change := &specs.LinuxResources{}, &specs.LinuxResources{}
		if has(t, m, "cpu") {
			before.CPU = &specs.LinuxCPU{Shares: ptr[uint64](512), Quota: ptr[int64](50000)}
			change.CPU = &specs.LinuxCPU{Idle: ptr[int64](0), Shares: ptr[uint64](2048), Quota: ptr[int64](-1), Period: ptr[uint64](50000)}
		}
		if has(t, m, "cpuset") {
			if before.CPU == nil {
				before.CPU, change.CPU = &specs.LinuxCPU{}, &specs.LinuxCPU{}
			}
			change.CPU.Cpus = "0"
		}
		if has(t, m, "memory") {
			before.Memory = &specs.LinuxMemory{Limit: ptr[int64](64 * mib), Swap: ptr[int64](80 * mib)}
			change.Memory = &specs.LinuxMemory{Limit: ptr[int64](128 * mib), Swap: ptr[int64](128 * mib), Reservation: ptr[int64](mib)}
		}
		if has(t, m, "pids") {
			before.Pids, change.Pids = &specs.LinuxPids{Limit: ptr[int64](50)}, &specs.LinuxPids{Limit: ptr[int64](60)}
		}
		change.HugepageLimits = []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 2 * mib}, {Pagesize: "3MB", Limit: 1}}
		if _, err := m.Set(t.Context(), before); err != nil {
			t.Fatal(err)
		}
		want := held(t, m)
		_, err := m.Update(t.Context(), change)
		if err == nil || !strings.Contains(err.Error(), "linux.resources.hugepageLimits") || strings.Contains(err.Error(), "restore") {
			t.Fatalf("Update: %v", err)
		}
		got := held(t, m)
		for name, w := range want {
			if w == "" && strings.HasPrefix(name, "cpuset.") {
				b, _ := os.ReadFile(filepath.Join(filepath.Dir(m.Config().Unified()), name+".effective"))
				w = strings.TrimSpace(string(b)) // a cpuset in use cannot be emptied
				if got[name] == "" {
					continue
				}
			}
			if got[name] != w {
				t.Errorf("%s: %q after the roll-back, want %q", name, got[name], w)
			}
		}
		change.HugepageLimits = nil
		if _, err := m.Update(t.Context(), change); err != nil {
			t.Fatal(err)
		}
		if now := held(t, m); change.Pids != nil && now["pids.max"] != "60" {
			t.Errorf("pids.max is %q after an Update to 60", now["pids.max"])
		}
	})
}

func TestOutOfMemory(t *testing.T) {
	each(t, func(t *testing.T, m cgroups.Manager) {
		settle := create(t, m)
		if !has(t, m, "memory") {
			t.Skip("no memory controller")
		}
		if n, err := m.OOMKills(); err != nil || n != 0 {
			t.Fatalf("OOMKills at first: %d, %v", n, err)
		}
		if _, err := m.Set(t.Context(), ptr(mem(specs.LinuxMemory{Limit: ptr[int64](16 * mib), Swap: ptr[int64](16 * mib)}))); err != nil {
			t.Fatal(err)
		}
		eater := exec.Command("sh", "-c", "read go; exec tail /dev/zero")
		in, err := eater.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		start(t, eater)
		keeper := sleeper(t)
		if err := errors.Join(m.Join(eater.Process.Pid, cgroups.All), m.Join(keeper.Process.Pid, cgroups.All)); err != nil {
			t.Fatal(err)
		}
		settle()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		noticed := make(chan uint64, 16)
		done := make(chan error, 1)
		go func() { done <- m.WatchOOM(ctx, func(kills uint64) { noticed <- kills }) }()
		fmt.Fprintln(in)
		select {
		case <-noticed:
		case err := <-done:
			// The watch may begin after the kill, or end with the cgroup's last process.
			t.Fatalf("WatchOOM ended before an event: %v", err)
		case <-ctx.Done():
			t.Fatal("no event within a minute")
		}
		if err := eater.Wait(); err == nil || err.Error() != "signal: killed" {
			t.Errorf("the eater ended with %v", err)
		}
		if n, err := m.OOMKills(); err != nil || n != 1 {
			t.Errorf("OOMKills: %d, %v; want 1", n, err)
		}
		if m.Config().Mode() != cgroups.V1 {
			_ = keeper.Process.Kill()
			_ = keeper.Wait()
			if err := <-done; err != nil {
				t.Errorf("WatchOOM of an empty cgroup: %v", err)
			}
			return
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("WatchOOM after the end of its context: %v", err)
		}
	})
}

func TestStat(t *testing.T) {
	each(t, func(t *testing.T, m cgroups.Manager) {
		settle := create(t, m)
		p := exec.Command("sh", "-c", "read go; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exec sleep 1000")
		in, err := p.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		start(t, p)
		if err := m.Join(p.Process.Pid, cgroups.All); err != nil {
			t.Fatal(err)
		}
		settle()
		if _, err := m.Set(t.Context(), limitsFor(t, m)); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(in)
		for comm := ""; comm != "sleep"; { // then it has used memory and time
			b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", p.Process.Pid))
			if err != nil {
				t.Fatal(err)
			}
			comm = strings.TrimSpace(string(b))
		}
		s, err := m.Stat()
		if err != nil {
			t.Fatal(err)
		}
		if (has(t, m, "cpuacct") || has(t, m, "cpu") && m.Config().Mode() == cgroups.V2) && (s.CPU.Usage.Total == 0 || s.CPU.Usage.Total > uint64(time.Hour)) {
			t.Errorf("cpu %+v", s.CPU.Usage)
		}
		if m.Config().Mode() != cgroups.V2 && len(s.CPU.Usage.PerCPU) == 0 {
			t.Errorf("no per-cpu usage on v1: %+v", s.CPU.Usage)
		}
		if has(t, m, "memory") && (s.Memory.Usage.Usage == 0 || s.Memory.Usage.Limit != 64*mib || len(s.Memory.Raw) < 10 || s.Memory.Usage.Max < s.Memory.Usage.Usage/2) {
			t.Errorf("memory %+v", s.Memory)
		}
		if has(t, m, "pids") && (s.Pids.Current != 1 || s.Pids.Limit != 50) {
			t.Errorf("pids %+v", s.Pids)
		}
		if !has(t, m, "pids") && m.Config().Unified() != "" && (s.Pids.Current != 1 || s.Pids.Limit != 0) {
			t.Errorf("pids without a controller %+v", s.Pids)
		}
		if has(t, m, "cpuset") && (len(s.CPUSet.CPUs) == 0 || len(s.CPUSet.Mems) == 0) {
			t.Errorf("cpuset %+v", s.CPUSet)
		}
		if _, ok := s.Hugetlb["2MB"]; has(t, m, "hugetlb") && !ok || s.Hugetlb == nil {
			t.Errorf("hugetlb %+v", s.Hugetlb)
		}
		if m.Config().Unified() != "" && (s.CPU.PSI == nil || s.Memory.PSI == nil) {
			if _, err := os.Stat("/proc/pressure"); err == nil {
				t.Errorf("no pressure: %+v %+v", s.CPU.PSI, s.Memory.PSI)
			}
		}
		some, err := m.StatOf(cgroups.StatPids)
		if err != nil || some.Pids != s.Pids || some.Memory.Raw != nil || some.CPUSet.CPUs != nil || some.CPU.Usage.Total != 0 || some.Hugetlb != nil {
			t.Errorf("pids alone: %+v, %v", some, err)
		}
	})
}

// limitsFor returns limits for the controllers at hand.
func limitsFor(t *testing.T, m cgroups.Manager) *specs.LinuxResources {
	r := &specs.LinuxResources{}
	if has(t, m, "memory") {
		r.Memory = &specs.LinuxMemory{Limit: ptr[int64](64 * mib)}
	}
	if has(t, m, "pids") {
		r.Pids = &specs.LinuxPids{Limit: ptr[int64](50)}
	}
	return r
}
