package initstage

import (
	"syscall"

	"tare/internal/step"
	"tare/internal/sys"
)

func scheduler(s *step.Scheduler) error {
	err := sys.SchedSetattr(sys.SchedAttr{Policy: s.Policy, Flags: s.Flags, Nice: int32(s.Nice), Priority: s.Priority,
		Runtime: s.Runtime, Deadline: s.Deadline, Period: s.Period})
	if e, ok := err.(*sys.Error); ok && e.Errno == syscall.EPERM {
		e.Note = "no right to this policy, or a deadline policy together with a cpuset or an affinity mask, or a cgroup without real-time budget"
	}
	return err
}

// affinity sets the mask; the empty one stands for every processor that the cpuset allows: the kernel
// takes the intersection, and as much of a long mask as it needs.
func affinity(s *step.Affinity) error {
	mask := s.Mask
	if len(mask) == 0 {
		mask = make([]byte, 1024)
		for i := range mask {
			mask[i] = 0xff
		}
	}
	return sys.SchedSetaffinity(mask)
}
