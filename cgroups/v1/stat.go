package v1

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
	"tare/cgroups/v2"
)

// reader reads control files into one buffer, and remembers the first error.
// A file that does not exist reads as empty.
type reader struct {
	buf []byte
	err error
}

func (r *reader) read(dir, name string) []byte {
	if r.err != nil || dir == "" {
		return nil
	}
	b, err := ctl.Read(dir, name, r.buf)
	if err != nil {
		if !errors.Is(err, unix.ENOENT) {
			r.err = err
		}
		return nil
	}
	r.buf = b
	return b
}

func (r *reader) uint(dir, name string) uint64 {
	b := r.read(dir, name)
	if len(b) == 0 {
		return 0
	}
	v, err := ctl.ParseUint(string(b))
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("read %q: %w", dir+"/"+name, err)
	}
	return v
}

// Stat reads the statistics of every hierarchy, and from cgroup2 the
// pressure and whatever only that accounts for.
func (m *Manager) Stat() (*cgroups.Stats, error) {
	s := &cgroups.Stats{}
	if m.unified != nil && m.unified.Exists() {
		beside, err := m.unified.Stat()
		if err != nil {
			return nil, err
		}
		*s = *beside
		s.CPU.Usage, s.CPU.Throttling = cgroups.CPUUsage{}, cgroups.Throttling{}
	}
	r := &reader{buf: make([]byte, 0, 4096)}
	m.statCPU(r, &s.CPU)
	m.statCpuset(r, &s.CPUSet)
	m.statMemory(r, &s.Memory)
	m.statPids(r, &s.Pids)
	m.statBlkio(r, &s.BlockIO)
	if d := m.dir("hugetlb"); d != "" && r.err == nil {
		r.err = statHugetlb(d, s)
	}
	if d := m.dir("rdma"); d != "" && r.err == nil {
		r.err = v2.StatRdma(d, s)
	}
	if r.err != nil {
		return nil, r.err
	}
	return s, nil
}

func (m *Manager) statCPU(r *reader, s *cgroups.CPUStats) {
	ctl.EachPair(r.read(m.dir("cpu"), "cpu.stat"), func(key []byte, v uint64) {
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
	d := m.dir("cpuacct")
	s.Usage.Total = r.uint(d, "cpuacct.usage")
	s.Usage.User = r.uint(d, "cpuacct.usage_user")
	s.Usage.Kernel = r.uint(d, "cpuacct.usage_sys")
	s.Usage.PerCPU = parseUints(string(r.read(d, "cpuacct.usage_percpu")))
	s.Usage.PerCPUUser, s.Usage.PerCPUKernel = parseUsageAll(r.read(d, "cpuacct.usage_all"))
}

func parseUints(s string) []uint64 {
	var list []uint64
	for f := range strings.FieldsSeq(s) {
		v, err := ctl.ParseUint(f)
		if err != nil {
			return nil
		}
		list = append(list, v)
	}
	return list
}

// parseUsageAll parses cpuacct.usage_all: a head line "cpu user system", then
// a line for each CPU.
func parseUsageAll(b []byte) (user, kernel []uint64) {
	ctl.EachLine(b, func(line []byte) {
		if v := parseUints(string(line)); len(v) == 3 {
			user, kernel = append(user, v[1]), append(kernel, v[2])
		}
	})
	return user, kernel
}

func (m *Manager) statCpuset(r *reader, s *cgroups.CPUSetStats) {
	d := m.find("cpuset")
	if d == nil {
		return
	}
	p := cpusetPrefix(d)
	s.CPUs, _ = ctl.ParseList(string(r.read(d.Path, p+"cpus")))
	s.Mems, _ = ctl.ParseList(string(r.read(d.Path, p+"mems")))
	s.CPUExclusive = r.uint(d.Path, p+"cpu_exclusive")
	s.MemHardwall = r.uint(d.Path, p+"mem_hardwall")
	s.MemExclusive = r.uint(d.Path, p+"mem_exclusive")
	s.MemoryMigrate = r.uint(d.Path, p+"memory_migrate")
	s.MemorySpreadPage = r.uint(d.Path, p+"memory_spread_page")
	s.MemorySpreadSlab = r.uint(d.Path, p+"memory_spread_slab")
	s.MemoryPressure = r.uint(d.Path, p+"memory_pressure")
	s.SchedLoadBalance = r.uint(d.Path, p+"sched_load_balance")
	level := strings.TrimSpace(string(r.read(d.Path, p+"sched_relax_domain_level")))
	s.SchedRelaxDomainLevel, _ = strconv.ParseInt(level, 10, 64)
}

func (m *Manager) statMemory(r *reader, s *cgroups.MemoryStats) {
	d := m.dir("memory")
	stat := r.read(d, "memory.stat")
	if len(stat) == 0 {
		return
	}
	s.Raw = make(map[string]uint64, 48)
	ctl.EachPair(stat, func(key []byte, v uint64) { s.Raw[string(key)] = v })
	s.Cache = s.Raw["cache"]
	for _, e := range []struct {
		to     *cgroups.MemoryEntry
		prefix string
	}{{&s.Usage, "memory."}, {&s.Swap, "memory.memsw."}, {&s.Kernel, "memory.kmem."}, {&s.KernelTCP, "memory.kmem.tcp."}} {
		e.to.Limit = r.uint(d, e.prefix+"limit_in_bytes")
		e.to.Usage = r.uint(d, e.prefix+"usage_in_bytes")
		e.to.Max = r.uint(d, e.prefix+"max_usage_in_bytes")
		e.to.Failcnt = r.uint(d, e.prefix+"failcnt")
	}
}

func (m *Manager) statPids(r *reader, s *cgroups.PidsStats) {
	d := m.dir("pids")
	if d == "" {
		return
	}
	s.Current = r.uint(d, "pids.current")
	if s.Limit = r.uint(d, "pids.max"); s.Limit == math.MaxUint64 {
		s.Limit = 0
	}
}

// statBlkio reads the recursive counters of the first policy that counts
// anything: CFQ's, BFQ's, or at last those of the throttling policy, which
// sees every request.
func (m *Manager) statBlkio(r *reader, s *cgroups.BlockIOStats) {
	d := m.dir("blkio")
	if d == "" {
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
			if *f.to = parseBlkio(r.read(d, name)); len(*f.to) > 0 {
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

func statHugetlb(dir string, s *cgroups.Stats) error {
	var inner error
	err := ctl.EachHugetlb(dir, ".usage_in_bytes", func(size string, used uint64) {
		h := cgroups.HugetlbStats{Usage: used}
		var err1, err2 error
		h.Max, err1 = ctl.Uint(dir, "hugetlb."+size+".max_usage_in_bytes")
		h.Failcnt, err2 = ctl.Uint(dir, "hugetlb."+size+".failcnt")
		inner = errors.Join(inner, err1, err2)
		if s.Hugetlb == nil {
			s.Hugetlb = make(map[string]cgroups.HugetlbStats)
		}
		s.Hugetlb[size] = h
	})
	return errors.Join(err, inner)
}
