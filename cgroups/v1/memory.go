package v1

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

const (
	atMemory  = "linux.resources.memory."
	fileLimit = "memory.limit_in_bytes"
	fileSwap  = "memory.memsw.limit_in_bytes"
)

func isMemorySet(r *specs.LinuxResources) bool {
	m := r.Memory
	return m != nil && (set(m.Limit) || set(m.Swap) || set(m.Reservation) || m.Swappiness != nil ||
		m.DisableOOMKiller != nil || m.UseHierarchy != nil)
}

func value(v *int64) int64 {
	if v == nil {
		return 0
	}
	return *v
}

func (m *Manager) setMemory(w *ctl.Journal, d *cgroups.Dir, r *specs.LinuxResources) error {
	mem := r.Memory
	if mem.UseHierarchy != nil {
		if err := w.Write(d.Path, "memory.use_hierarchy", flag(*mem.UseHierarchy)); err != nil {
			return fmt.Errorf(atMemory+"useHierarchy: %w", err)
		}
	}
	if err := setLimits(w, d.Path, value(mem.Limit), value(mem.Swap)); err != nil {
		return err
	}
	if set(mem.Reservation) {
		if err := writeBytes(w, d.Path, "memory.soft_limit_in_bytes", *mem.Reservation); err != nil {
			return fmt.Errorf(atMemory+"reservation: %w", err)
		}
	}
	if mem.Swappiness != nil {
		if err := w.Write(d.Path, "memory.swappiness", strconv.FormatUint(*mem.Swappiness, 10)); err != nil {
			return fmt.Errorf(atMemory+"swappiness: %w", err)
		}
	}
	if mem.DisableOOMKiller != nil {
		if err := w.Write(d.Path, "memory.oom_control", flag(*mem.DisableOOMKiller)); err != nil {
			return fmt.Errorf(atMemory+"disableOOMKiller: %w", err)
		}
	}
	return nil
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func writeBytes(w *ctl.Journal, dir, file string, v int64) error {
	return w.Write(dir, file, strconv.FormatInt(max(v, -1), 10))
}

// setLimits writes limit and swap (memory plus swap) so that at no moment the
// limit is above the swap limit, which the kernel refuses: when they grow the
// swap limit goes first, when they shrink the limit.
func setLimits(w *ctl.Journal, dir string, limit, swap int64) error {
	optional := false
	if limit == -1 && swap == 0 {
		swap, optional = -1, true
	}
	if swap == 0 {
		return setLimit(w, dir, limit)
	}
	swapFirst := swap < 0
	if !swapFirst {
		now, err := ctl.Uint(dir, fileLimit)
		if err != nil {
			return fmt.Errorf(atMemory+"limit: %w", err)
		}
		swapFirst = now < uint64(swap)
	}
	if swapFirst {
		if err := setSwap(w, dir, swap, optional); err != nil {
			return err
		}
		return setLimit(w, dir, limit)
	}
	if err := setLimit(w, dir, limit); err != nil {
		return err
	}
	return setSwap(w, dir, swap, optional)
}

func setSwap(w *ctl.Journal, dir string, v int64, optional bool) error {
	err := writeBytes(w, dir, fileSwap, v)
	switch {
	case err == nil, optional && errors.Is(err, unix.ENOENT): // no swap accounting, so nothing to lift
		return nil
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf(atMemory+"swap: %w%s", err, usage(dir, "memory.memsw."))
	}
	return fmt.Errorf(atMemory+"swap: %w", err)
}

func setLimit(w *ctl.Journal, dir string, v int64) error {
	if v == 0 {
		return nil
	}
	err := writeBytes(w, dir, fileLimit, v)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf(atMemory+"limit: %w%s", err, usage(dir, "memory."))
	}
	return fmt.Errorf(atMemory+"limit: %w", err)
}

// usage says why a limit is EBUSY: the kernel cannot reclaim down to it.
func usage(dir, prefix string) string {
	now, err1 := ctl.Uint(dir, prefix+"usage_in_bytes")
	peak, err2 := ctl.Uint(dir, prefix+"max_usage_in_bytes")
	if err1 != nil || err2 != nil {
		return ""
	}
	return fmt.Sprintf(" (usage is %d bytes, its peak %d)", now, peak)
}
