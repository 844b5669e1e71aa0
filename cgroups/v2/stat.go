package v2

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

// reader reads control files of one cgroup into one buffer. A file that does
// not exist reads as empty: its controller is not enabled.
type reader struct {
	dir string
	buf []byte
	err error
}

func (r *reader) read(name string) []byte {
	if r.err != nil {
		return nil
	}
	b, err := ctl.Read(r.dir, name, r.buf)
	if err != nil {
		// EOPNOTSUPP: a pressure file without PSI.
		if !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EOPNOTSUPP) {
			r.err = err
		}
		return nil
	}
	r.buf = b
	return b
}

func (r *reader) uint(name string) (uint64, bool) {
	b := r.read(name)
	if len(b) == 0 {
		return 0, false
	}
	v, err := ctl.ParseUint(string(b))
	if err != nil && r.err == nil {
		r.err = fmt.Errorf("read %q: %w", r.dir+"/"+name, err)
	}
	return v, err == nil
}

func (r *reader) psi(name string) *cgroups.PSI {
	some, full, ok := ctl.ParsePressure(r.read(name))
	if !ok {
		return nil
	}
	return &cgroups.PSI{Some: cgroups.PSIData(some), Full: cgroups.PSIData(full)}
}

// Stat reads the statistics of every controller that is enabled.
func (m *Manager) Stat() (*cgroups.Stats, error) {
	s := &cgroups.Stats{}
	r := &reader{dir: m.dir, buf: make([]byte, 0, 4096)}
	statCPU(r, &s.CPU)
	statCpuset(r, &s.CPUSet)
	statMemory(r, &s.Memory)
	statPids(r, &s.Pids)
	statIO(r, &s.BlockIO)
	if r.err == nil {
		r.err = StatHugetlb(m.dir, s)
	}
	if r.err == nil {
		r.err = StatRdma(m.dir, s)
	}
	statMisc(r, s)
	if r.err != nil {
		return nil, r.err
	}
	return s, nil
}

func statCPU(r *reader, s *cgroups.CPUStats) {
	const us = 1000 // cpu.stat counts microseconds
	ctl.EachPair(r.read("cpu.stat"), func(key []byte, v uint64) {
		switch string(key) {
		case "usage_usec":
			s.Usage.Total = v * us
		case "user_usec":
			s.Usage.User = v * us
		case "system_usec":
			s.Usage.Kernel = v * us
		case "nr_periods":
			s.Throttling.Periods = v
		case "nr_throttled":
			s.Throttling.ThrottledPeriods = v
		case "throttled_usec":
			s.Throttling.ThrottledTime = v * us
		case "nr_bursts":
			s.Throttling.BurstPeriods = v
		case "burst_usec":
			s.Throttling.BurstTime = v * us
		}
	})
	s.PSI = r.psi("cpu.pressure")
}

func statCpuset(r *reader, s *cgroups.CPUSetStats) {
	s.CPUs, _ = ctl.ParseList(string(r.read("cpuset.cpus.effective")))
	s.Mems, _ = ctl.ParseList(string(r.read("cpuset.mems.effective")))
}

func statMemory(r *reader, s *cgroups.MemoryStats) {
	stat := r.read("memory.stat")
	if len(stat) == 0 {
		return
	}
	s.Raw = make(map[string]uint64, 64)
	ctl.EachPair(stat, func(key []byte, v uint64) { s.Raw[string(key)] = v })
	s.Cache = s.Raw["file"]
	s.Usage.Usage, _ = r.uint("memory.current")
	s.Usage.Limit, _ = r.uint("memory.max")
	s.Usage.Max, _ = r.uint("memory.peak") // since Linux 5.19
	events := r.read("memory.events")
	s.Usage.Failcnt, _ = ctl.Pair(events, "max")
	s.Kernel.Usage = s.Raw["kernel"]
	s.KernelTCP.Usage = s.Raw["sock"]
	s.Swap = s.Usage
	s.Swap.Failcnt = 0
	if used, ok := r.uint("memory.swap.current"); ok {
		s.Swap.Usage += used
		limit, _ := r.uint("memory.swap.max")
		s.Swap.Limit = addLimit(s.Usage.Limit, limit)
		s.Swap.Max = 0 // the peaks of memory and of swap need not coincide
		s.Swap.Failcnt, _ = ctl.Pair(r.read("memory.swap.events"), "max")
	}
	s.PSI = r.psi("memory.pressure")
}

func addLimit(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

func statPids(r *reader, s *cgroups.PidsStats) {
	s.Current, _ = r.uint("pids.current")
	if limit, ok := r.uint("pids.max"); ok && limit != math.MaxUint64 {
		s.Limit = limit
	}
}

// statIO parses io.stat: "MAJ:MIN rbytes=N wbytes=N rios=N wios=N ...".
func statIO(r *reader, s *cgroups.BlockIOStats) {
	parseIOStat(r.read("io.stat"), s)
	s.PSI = r.psi("io.pressure")
}

func parseIOStat(b []byte, s *cgroups.BlockIOStats) {
	ctl.EachLine(b, func(line []byte) {
		f := strings.Fields(string(line))
		major, minor, ok := ctl.ParseDevice(f[:min(len(f), 1)])
		if !ok {
			return
		}
		for _, kv := range f[1:] {
			key, val, _ := strings.Cut(kv, "=")
			v, err := ctl.ParseUint(val)
			if err != nil {
				continue
			}
			e := cgroups.BlkioEntry{Major: major, Minor: minor, Value: v}
			switch key {
			case "rbytes", "wbytes":
				e.Op = ioOp(key)
				s.ServiceBytes = append(s.ServiceBytes, e)
			case "rios", "wios":
				e.Op = ioOp(key)
				s.Serviced = append(s.Serviced, e)
			}
		}
	})
}

func ioOp(key string) string {
	if key[0] == 'r' {
		return "Read"
	}
	return "Write"
}

// StatHugetlb reads the usage of each huge page size of a cgroup2 directory.
func StatHugetlb(dir string, s *cgroups.Stats) error {
	return ctl.EachHugetlb(dir, ".current", func(size string, used uint64) {
		h := cgroups.HugetlbStats{Usage: used}
		if b, err := ctl.Read(dir, "hugetlb."+size+".events", nil); err == nil {
			h.Failcnt, _ = ctl.Pair(b, "max")
		}
		if s.Hugetlb == nil {
			s.Hugetlb = make(map[string]cgroups.HugetlbStats)
		}
		s.Hugetlb[size] = h
	})
}

// StatRdma reads the RDMA devices; v1 and v2 share the files.
func StatRdma(dir string, s *cgroups.Stats) error {
	return ctl.StatRdma(dir, func(dev string, handles, objects, maxHandles, maxObjects uint64) {
		s.Rdma = append(s.Rdma, cgroups.RdmaStats{Device: dev, HCAHandles: handles, HCAObjects: objects, HandlesLimit: maxHandles, ObjectsLimit: maxObjects})
	})
}

func statMisc(r *reader, s *cgroups.Stats) {
	ctl.EachPair(r.read("misc.current"), func(key []byte, v uint64) {
		if s.Misc == nil {
			s.Misc = make(map[string]cgroups.MiscStats)
		}
		s.Misc[string(key)] = cgroups.MiscStats{Usage: v}
	})
	ctl.EachPair(r.read("misc.events"), func(key []byte, v uint64) {
		name, ok := strings.CutSuffix(string(key), ".max")
		if entry, have := s.Misc[name]; ok && have {
			entry.Events = v
			s.Misc[name] = entry
		}
	})
}
