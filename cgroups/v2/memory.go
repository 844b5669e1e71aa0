package v2

import (
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

const atMemory = "linux.resources.memory."

func isMemorySet(r *specs.LinuxResources) bool {
	m := r.Memory
	return m != nil && (set(m.Limit) || set(m.Swap) || set(m.Reservation))
}

func value(v *int64) int64 {
	if v == nil {
		return 0
	}
	return *v
}

func setMemory(w *ctl.Journal, dir string, r *specs.LinuxResources) error {
	m := r.Memory
	limit := value(m.Limit)
	base := limit
	if base == 0 && value(m.Swap) > 0 {
		// Swap alone, in an update: it counts on top of the limit in force.
		now, err := ctl.Uint(dir, "memory.max")
		if err != nil {
			return fmt.Errorf(atMemory+"swap: %w", err)
		}
		if now <= math.MaxInt64 {
			base = int64(now)
		}
	}
	swap, setSwap, err := cgroups.SwapMax(base, value(m.Swap))
	if err != nil {
		return err
	}
	if err := checkUsage(dir, m); err != nil {
		return err
	}
	if setSwap {
		err := w.Write(dir, "memory.swap.max", cgroups.Limit(swap))
		// Without swap accounting there is no swap to use: none and no limit hold.
		if err != nil && !(errors.Is(err, unix.ENOENT) && swap <= 0) {
			return fmt.Errorf(atMemory+"swap: %w", err)
		}
	}
	if w != nil && limit > 0 && m.CheckBeforeUpdate == nil {
		if err := shrink(dir, uint64(limit)); err != nil {
			return err
		}
	}
	if limit != 0 {
		if err := w.Write(dir, "memory.max", cgroups.Limit(limit)); err != nil {
			return fmt.Errorf(atMemory+"limit: %w", err)
		}
	}
	if set(m.Reservation) {
		if err := w.Write(dir, "memory.low", cgroups.Limit(*m.Reservation)); err != nil {
			return fmt.Errorf(atMemory+"reservation: %w", err)
		}
	}
	return nil
}

// checkUsage refuses a limit below the present use if memory.checkBeforeUpdate
// asks for it: v2 would kill processes instead of refusing.
func checkUsage(dir string, m *specs.LinuxMemory) error {
	if m.CheckBeforeUpdate == nil || !*m.CheckBeforeUpdate || value(m.Limit) <= 0 {
		return nil
	}
	used, err := ctl.Uint(dir, "memory.current")
	if ctl.Gone(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf(atMemory+"checkBeforeUpdate: %w", err)
	}
	if used > uint64(*m.Limit) {
		return belowUsage(uint64(*m.Limit), used)
	}
	return nil
}

func belowUsage(limit, used uint64) error {
	return fmt.Errorf(atMemory+"limit: %d is below the usage of %d bytes: %w", limit, used, unix.EBUSY)
}

// shrink makes room for a limit below the present use, or refuses it as v1's
// kernel does: memory.max takes it in any case, and kills for what cannot be
// reclaimed. Before Linux 5.19 there is no asking first.
func shrink(dir string, limit uint64) error {
	const tries = 16 // those inside allocate meanwhile
	for try := 0; ; try++ {
		used, err := ctl.Uint(dir, "memory.current")
		if err != nil || used <= limit {
			return nil
		}
		if try == tries {
			return belowUsage(limit, used)
		}
		err = ctl.Write(dir, "memory.reclaim", strconv.FormatUint(used-limit, 10))
		switch {
		case errors.Is(err, unix.EAGAIN): // it was less that could be reclaimed
			try = tries - 1
		case err != nil:
			return nil
		}
	}
}
