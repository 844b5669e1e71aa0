package v2

import (
	"bytes"
	"math"
	"strings"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

func psi(r *ctl.Reader, name string) *cgroups.PSI {
	some, full, ok := ctl.ParsePressure(r.Read(name))
	if !ok {
		return nil
	}
	return &cgroups.PSI{Some: cgroups.PSIData(some), Full: cgroups.PSIData(full)}
}

// Stat reads the statistics of every controller that is enabled.
func (m *Manager) Stat() (*cgroups.Stats, error) { return m.StatOf(cgroups.StatAll) }

// StatOf reads the statistics of some controllers.
func (m *Manager) StatOf(which cgroups.StatSet) (*cgroups.Stats, error) {
	s := cgroups.NewStats(which)
	r := ctl.NewReader()
	defer r.Close()
	m.StatInto(r, s, which)
	if r.Err != nil {
		return nil, r.Err
	}
	return s, nil
}

// StatInto is StatOf with a reader that the caller has, and closes.
func (m *Manager) StatInto(r *ctl.Reader, s *cgroups.Stats, which cgroups.StatSet) {
	if !r.In(m.dir) {
		return
	}
	want := func(c cgroups.StatSet) bool { return which&c != 0 }
	if want(cgroups.StatCPU) {
		statCPU(r, &s.CPU)
	}
	if want(cgroups.StatCPUSet) {
		statCpuset(r, &s.CPUSet)
	}
	if want(cgroups.StatMemory) {
		statMemory(r, &s.Memory)
	}
	if want(cgroups.StatPids) {
		statPids(r, &s.Pids)
	}
	if want(cgroups.StatIO) {
		statIO(r, &s.BlockIO)
	}
	if want(cgroups.StatHugetlb) {
		statHugetlb(r, s)
	}
	if want(cgroups.StatRdma) {
		StatRdma(r, s)
	}
	if want(cgroups.StatMisc) {
		statMisc(r, s)
	}
}

func statCPU(r *ctl.Reader, s *cgroups.CPUStats) {
	const us = 1000 // cpu.stat counts microseconds
	ctl.EachPair(r.Read("cpu.stat"), func(key []byte, v uint64) {
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
	s.PSI = psi(r, "cpu.pressure")
}

func statCpuset(r *ctl.Reader, s *cgroups.CPUSetStats) {
	s.CPUs, _ = ctl.ParseList(string(r.Read("cpuset.cpus.effective")))
	s.Mems, _ = ctl.ParseList(string(r.Read("cpuset.mems.effective")))
}

func statMemory(r *ctl.Reader, s *cgroups.MemoryStats) {
	s.PSI = psi(r, "memory.pressure") // is there without the controller, too
	stat := r.Read("memory.stat")
	if len(stat) == 0 {
		return
	}
	s.Raw = make(map[string]uint64, 64)
	ctl.StatKeys(s.Raw, stat)
	s.Cache = s.Raw["file"]
	s.Usage.Usage, _ = r.Uint("memory.current")
	s.Usage.Limit, _ = r.Uint("memory.max")
	s.Usage.Max, _ = r.Uint("memory.peak") // since Linux 5.19
	events := r.Read("memory.events")
	s.Usage.Failcnt, _ = ctl.Pair(events, "max")
	s.Kernel.Usage = s.Raw["kernel"]
	s.KernelTCP.Usage = s.Raw["sock"]
	s.Swap = s.Usage
	s.Swap.Failcnt = 0
	if used, ok := r.Uint("memory.swap.current"); ok {
		s.Swap.Usage += used
		limit, _ := r.Uint("memory.swap.max")
		s.Swap.Limit = addLimit(s.Usage.Limit, limit)
		s.Swap.Max = 0 // the peaks of memory and of swap need not coincide
		s.Swap.Failcnt, _ = ctl.Pair(r.Read("memory.swap.events"), "max")
	}
}

func addLimit(a, b uint64) uint64 {
	if a > math.MaxUint64-b {
		return math.MaxUint64
	}
	return a + b
}

// statPids counts the tasks of the cgroup itself where the controller, which knows those below as well, is
// not enabled.
func statPids(r *ctl.Reader, s *cgroups.PidsStats) {
	var ok bool
	if s.Current, ok = r.Uint("pids.current"); !ok {
		s.Current = uint64(bytes.Count(r.Read("cgroup.threads"), []byte("\n")))
		return
	}
	if limit, ok := r.Uint("pids.max"); ok && limit != math.MaxUint64 {
		s.Limit = limit
	}
}

// statIO parses io.stat: "MAJ:MIN rbytes=N wbytes=N rios=N wios=N ...".
func statIO(r *ctl.Reader, s *cgroups.BlockIOStats) {
	parseIOStat(r.Read("io.stat"), s)
	s.PSI = psi(r, "io.pressure")
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

func statHugetlb(r *ctl.Reader, s *cgroups.Stats) {
	ctl.EachHugetlb(r, ".current", func(size string, used uint64) {
		h := cgroups.HugetlbStats{Usage: used}
		h.Failcnt, _ = ctl.Pair(r.Read("hugetlb."+size+".events"), "max")
		s.Hugetlb[size] = h
	})
}

// StatRdma reads the RDMA devices; v1 and v2 share the files.
func StatRdma(r *ctl.Reader, s *cgroups.Stats) {
	ctl.StatRdma(r, func(dev string, handles, objects, maxHandles, maxObjects uint64) {
		s.Rdma = append(s.Rdma, cgroups.RdmaStats{Device: dev, HCAHandles: handles, HCAObjects: objects, HandlesLimit: maxHandles, ObjectsLimit: maxObjects})
	})
}

func statMisc(r *ctl.Reader, s *cgroups.Stats) {
	ctl.EachPair(r.Read("misc.current"), func(key []byte, v uint64) {
		if s.Misc == nil {
			s.Misc = make(map[string]cgroups.MiscStats)
		}
		s.Misc[string(key)] = cgroups.MiscStats{Usage: v}
	})
	ctl.EachPair(r.Read("misc.events"), func(key []byte, v uint64) {
		name, ok := strings.CutSuffix(string(key), ".max")
		if entry, have := s.Misc[name]; ok && have {
			entry.Events = v
			s.Misc[name] = entry
		}
	})
}
