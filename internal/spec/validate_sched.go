package spec

import (
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func (c *checker) scheduler(at *node, s *specs.Scheduler) {
	if _, ok := SchedulerPolicy(s.Policy); !ok {
		c.fail(at.field("policy"), string(s.Policy), "unknown scheduling policy")
		return
	}
	c.schedNice(at.field("nice"), s)
	c.schedPriority(at.field("priority"), s)
	for i, f := range s.Flags {
		if _, ok := SchedulerFlag(f); !ok {
			c.fail(at.field("flags").at(i), string(f), "unknown scheduler flag")
		}
	}
	c.schedDeadline(at, s)
}

func (c *checker) schedNice(at *node, s *specs.Scheduler) {
	nice := itoa(int64(s.Nice))
	switch {
	case s.Nice < -20 || s.Nice > 19:
		c.fail(at, nice, "not in -20..19")
	case s.Nice != 0 && s.Policy != specs.SchedOther && s.Policy != specs.SchedBatch:
		c.fail(at, nice, "only SCHED_OTHER and SCHED_BATCH have a nice value")
	}
}

func (c *checker) schedPriority(at *node, s *specs.Scheduler) {
	priority := itoa(int64(s.Priority))
	realtime := s.Policy == specs.SchedFIFO || s.Policy == specs.SchedRR
	switch {
	case realtime && (s.Priority < 1 || s.Priority > 99):
		c.fail(at, priority, "not in 1..99")
	case !realtime && s.Priority != 0:
		c.fail(at, priority, "only SCHED_FIFO and SCHED_RR have a priority")
	}
}

// schedDeadline checks what sched_setattr(2) asks of SCHED_DEADLINE: 1024 ns ≤
// runtime ≤ deadline ≤ period, where an absent period is the deadline and the
// topmost bit of both has to be clear.
func (c *checker) schedDeadline(at *node, s *specs.Scheduler) {
	runtime := strconv.FormatUint(s.Runtime, 10)
	if s.Policy != specs.SchedDeadline {
		for _, f := range [...]struct {
			name  string
			value uint64
		}{{"runtime", s.Runtime}, {"deadline", s.Deadline}, {"period", s.Period}} {
			if f.value != 0 {
				c.fail(at.field(f.name), strconv.FormatUint(f.value, 10), "only SCHED_DEADLINE has it")
			}
		}
		return
	}
	if s.Runtime < 1024 {
		c.fail(at.field("runtime"), runtime, "below 1024 ns")
	}
	if s.Deadline == 0 || s.Deadline>>63 != 0 || s.Runtime > s.Deadline {
		c.fail(at.field("deadline"), strconv.FormatUint(s.Deadline, 10), "must be at least the runtime")
	}
	if s.Period>>63 != 0 || s.Period != 0 && s.Period < s.Deadline {
		c.fail(at.field("period"), strconv.FormatUint(s.Period, 10), "must be at least the deadline")
	}
}
