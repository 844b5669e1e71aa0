package v1

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"strings"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
	"tare/cgroups/v2"
)

func number(r *ctl.Reader, name string) uint64 {
	v, _ := r.Uint(name)
	return v
}

// Stat reads the statistics of every hierarchy, and from cgroup2 the
// pressure and whatever only that accounts for.
func (m *Manager) Stat() (*cgroups.Stats, error) { return m.StatOf(cgroups.StatAll) }

// StatOf reads the statistics of some controllers.
func (m *Manager) StatOf(which cgroups.StatSet) (*cgroups.Stats, error) {
	s := cgroups.NewStats(which)
	r := ctl.NewReader()
	defer r.Close()
	if m.unified != nil {
		m.unified.StatInto(r, s, which)
		s.CPU.Usage, s.CPU.Throttling = cgroups.CPUUsage{}, cgroups.Throttling{}
	}
	want := func(c cgroups.StatSet) bool { return which&c != 0 }
	if want(cgroups.StatCPU) {
		m.statCPU(r, &s.CPU)
	}
	if want(cgroups.StatCPUSet) {
		m.statCpuset(r, &s.CPUSet)
	}
	if want(cgroups.StatMemory) {
		m.statMemory(r, &s.Memory)
	}
	if want(cgroups.StatPids) {
		m.statPids(r, &s.Pids)
	}
	if want(cgroups.StatIO) {
		m.statBlkio(r, &s.BlockIO)
	}
	if want(cgroups.StatHugetlb) && r.In(m.dir("hugetlb")) {
		statHugetlb(r, s)
	}
	if want(cgroups.StatRdma) && r.In(m.dir("rdma")) {
		v2.StatRdma(r, s)
	}
	if r.Err != nil {
		return nil, r.Err
	}
	return s, nil
}

func (m *Manager) statCPU(r *ctl.Reader, s *cgroups.CPUStats) {
	r.In(m.dir("cpu"))
	ctl.EachPair(r.Read("cpu.stat"), func(key []byte, v uint64) {
		switch string(key) {
		case "nr_periods":
			s.Throttling.Periods = v
		case "nr_throttled":
			s.Throttling.ThrottledPeriods = v
		case "throttled_time":
			s.Throttling.ThrottledTime = v
		case "nr_bursts":
			s.Throttling.BurstPeriods = v
		case "burst_time":
			s.Throttling.BurstTime = v
		}
	})
	if !r.In(m.dir("cpuacct")) {
		return
	}
	s.Usage.Total = number(r, "cpuacct.usage")
	s.Usage.User = number(r, "cpuacct.usage_user")
	s.Usage.Kernel = number(r, "cpuacct.usage_sys")
	s.Usage.PerCPU = parseUints(r.Read("cpuacct.usage_percpu"))
	s.Usage.PerCPUUser, s.Usage.PerCPUKernel = parseUsageAll(r.Read("cpuacct.usage_all"))
}

// parseUints parses numbers with a blank after each.
func parseUints(b []byte) []uint64 {
	var list []uint64
	for len(b) > 0 {
		var v uint64
		var ok bool
		if v, b, ok = ctl.NextUint(b); !ok {
			return nil
		}
		if len(list) == cap(list) {
			list = slices.Grow(list, max(8, bytes.Count(b, []byte{' '})+1))
		}
		list = append(list, v)
	}
	return list
}

// parseUsageAll parses cpuacct.usage_all: a head line "cpu user system", then
// a line for each CPU.
func parseUsageAll(b []byte) (user, kernel []uint64) {
	lines := bytes.Count(b, []byte{'\n'})
	ctl.EachLine(b, func(line []byte) {
		_, rest, ok := ctl.NextUint(line)
		u, rest, ok1 := ctl.NextUint(rest)
		k, rest, ok2 := ctl.NextUint(rest)
		if !ok || !ok1 || !ok2 || len(rest) > 0 {
			return
		}
		if user == nil {
			user, kernel = make([]uint64, 0, lines), make([]uint64, 0, lines)
		}
		user, kernel = append(user, u), append(kernel, k)
	})
	return user, kernel
}

func (m *Manager) statCpuset(r *ctl.Reader, s *cgroups.CPUSetStats) {
	d := m.find("cpuset")
	if d == nil {
		return
	}
	r.In(d.Path)
	file := cpusetFile
	if d.NoPrefix {
		file = func(name string) string { return strings.TrimPrefix(name, cpusetDot) }
	}
	s.CPUs, _ = ctl.ParseList(string(r.Read(file("cpuset.cpus"))))
	s.Mems, _ = ctl.ParseList(string(r.Read(file("cpuset.mems"))))
	s.CPUExclusive = number(r, file("cpuset.cpu_exclusive"))
	s.MemHardwall = number(r, file("cpuset.mem_hardwall"))
	s.MemExclusive = number(r, file("cpuset.mem_exclusive"))
	s.MemoryMigrate = number(r, file("cpuset.memory_migrate"))
	s.MemorySpreadPage = number(r, file("cpuset.memory_spread_page"))
	s.MemorySpreadSlab = number(r, file("cpuset.memory_spread_slab"))
	s.MemoryPressure = number(r, file("cpuset.memory_pressure"))
	s.SchedLoadBalance = number(r, file("cpuset.sched_load_balance"))
	level := strings.TrimSpace(string(r.Read(file("cpuset.sched_relax_domain_level"))))
	s.SchedRelaxDomainLevel, _ = strconv.ParseInt(level, 10, 64)
}

const cpusetDot = "cpuset."

func cpusetFile(name string) string { return name }

func (m *Manager) statMemory(r *ctl.Reader, s *cgroups.MemoryStats) {
	r.In(m.dir("memory"))
	stat := r.Read("memory.stat")
	if len(stat) == 0 {
		return
	}
	s.Raw = make(map[string]uint64, 48)
	ctl.StatKeys(s.Raw, stat)
	s.Cache = s.Raw["cache"]
	for _, f := range [...]struct {
		to                       *cgroups.MemoryEntry
		limit, usage, max, count string
	}{
		{&s.Usage, "memory.limit_in_bytes", "memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.failcnt"},
		{&s.Swap, "memory.memsw.limit_in_bytes", "memory.memsw.usage_in_bytes", "memory.memsw.max_usage_in_bytes", "memory.memsw.failcnt"},
		{&s.Kernel, "memory.kmem.limit_in_bytes", "memory.kmem.usage_in_bytes", "memory.kmem.max_usage_in_bytes", "memory.kmem.failcnt"},
		{&s.KernelTCP, "memory.kmem.tcp.limit_in_bytes", "memory.kmem.tcp.usage_in_bytes", "memory.kmem.tcp.max_usage_in_bytes", "memory.kmem.tcp.failcnt"},
	} {
		*f.to = cgroups.MemoryEntry{Limit: number(r, f.limit), Usage: number(r, f.usage), Max: number(r, f.max), Failcnt: number(r, f.count)}
	}
}

func (m *Manager) statPids(r *ctl.Reader, s *cgroups.PidsStats) {
	if !r.In(m.dir("pids")) {
		return
	}
	s.Current = number(r, "pids.current")
	if s.Limit = number(r, "pids.max"); s.Limit == math.MaxUint64 {
		s.Limit = 0
	}
}

// statBlkio reads the recursive counters of the first policy that counts
// anything: CFQ's, BFQ's, or at last those of the throttling policy, which
// sees every request.
func (m *Manager) statBlkio(r *ctl.Reader, s *cgroups.BlockIOStats) {
	if !r.In(m.dir("blkio")) {
		return
	}
	for _, f := range []struct {
		to    *[]cgroups.BlkioEntry
		names []string
	}{
		{&s.ServiceBytes, []string{"blkio.io_service_bytes_recursive", "blkio.bfq.io_service_bytes_recursive", "blkio.throttle.io_service_bytes_recursive"}},
		{&s.Serviced, []string{"blkio.io_serviced_recursive", "blkio.bfq.io_serviced_recursive", "blkio.throttle.io_serviced_recursive"}},
		{&s.Queued, []string{"blkio.io_queued_recursive", "blkio.bfq.io_queued_recursive"}},
		{&s.ServiceTime, []string{"blkio.io_service_time_recursive", "blkio.bfq.io_service_time_recursive"}},
		{&s.WaitTime, []string{"blkio.io_wait_time_recursive", "blkio.bfq.io_wait_time_recursive"}},
		{&s.Merged, []string{"blkio.io_merged_recursive", "blkio.bfq.io_merged_recursive"}},
		{&s.Time, []string{"blkio.time_recursive", "blkio.bfq.time_recursive"}},
		{&s.Sectors, []string{"blkio.sectors_recursive", "blkio.bfq.sectors_recursive"}},
	} {
		*f.to = nil
		for _, name := range f.names {
			if *f.to = parseBlkio(r.Read(name)); len(*f.to) > 0 {
				break
			}
		}
	}
}

// parseBlkio parses "MAJ:MIN OP VALUE" or "MAJ:MIN VALUE" lines; the grand
// total at the end belongs to no device and is left out.
func parseBlkio(b []byte) []cgroups.BlkioEntry {
	var list []cgroups.BlkioEntry
	ctl.EachLine(b, func(line []byte) {
		f := strings.Fields(string(line))
		major, minor, ok := ctl.ParseDevice(f)
		if !ok || len(f) < 2 || len(f) > 3 {
			return
		}
		v, err := ctl.ParseUint(f[len(f)-1])
		if err != nil {
			return
		}
		e := cgroups.BlkioEntry{Major: major, Minor: minor, Value: v}
		if len(f) == 3 {
			e.Op = f[1]
		}
		list = append(list, e)
	})
	return list
}

func statHugetlb(r *ctl.Reader, s *cgroups.Stats) {
	ctl.EachHugetlb(r, ".usage_in_bytes", func(size string, used uint64) {
		h := cgroups.HugetlbStats{Usage: used}
		h.Max = number(r, "hugetlb."+size+".max_usage_in_bytes")
		h.Failcnt = number(r, "hugetlb."+size+".failcnt")
		s.Hugetlb[size] = h
	})
}
