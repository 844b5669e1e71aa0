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
	atCPU = "linux.resources.cpu."
	// The kernel clamps cpu.shares to these without an error.
	minShares = 2
	maxShares = 1 << 18
)

// set reports whether v is there and not 0, which counts as unset.
func set[T int64 | uint64](v *T) bool { return v != nil && *v != 0 }

func isCPUSet(r *specs.LinuxResources) bool {
	c := r.CPU
	return c != nil && (set(c.Shares) || set(c.Quota) || set(c.Period) || c.Burst != nil || c.Idle != nil ||
		set(c.RealtimePeriod) || set(c.RealtimeRuntime))
}

func (m *Manager) setCPU(w *ctl.Journal, d *cgroups.Dir, r *specs.LinuxResources) error {
	if err := m.setRealtime(w, d, r.CPU); err != nil {
		return err
	}
	if err := setShares(w, d.Path, r.CPU); err != nil {
		return err
	}
	return setBandwidth(w, d.Path, r.CPU)
}

// setShares writes cpu.idle before the shares, which an idle cgroup refuses.
func setShares(w *ctl.Journal, dir string, c *specs.LinuxCPU) error {
	if c.Idle != nil {
		err := w.Write(dir, "cpu.idle", strconv.FormatInt(*c.Idle, 10))
		if err != nil && !(*c.Idle == 0 && errors.Is(err, unix.ENOENT)) { // since Linux 5.15
			return fmt.Errorf(atCPU+"idle: %w", err)
		}
		if *c.Idle == 1 {
			return nil
		}
	}
	if !set(c.Shares) {
		return nil
	}
	if err := w.Write(dir, "cpu.shares", strconv.FormatUint(*c.Shares, 10)); err != nil {
		return fmt.Errorf(atCPU+"shares: %w", err)
	}
	return nil
}

// assign is one value to be written.
type assign struct {
	at, file, value string
	optional        bool // an older kernel may lack the file
}

// setBandwidth writes period, burst and quota. The kernel checks each write
// against the two others as they are, so an order that works now depends on
// the old values: what is refused with EINVAL is tried again after the rest.
func setBandwidth(w *ctl.Journal, dir string, c *specs.LinuxCPU) error {
	var todo []assign
	if set(c.Period) {
		todo = append(todo, assign{at: atCPU + "period", file: "cpu.cfs_period_us", value: strconv.FormatUint(*c.Period, 10)})
	}
	if c.Burst != nil {
		todo = append(todo, assign{atCPU + "burst", "cpu.cfs_burst_us", strconv.FormatUint(*c.Burst, 10), true})
	}
	if set(c.Quota) {
		todo = append(todo, assign{at: atCPU + "quota", file: "cpu.cfs_quota_us", value: strconv.FormatInt(max(*c.Quota, -1), 10)})
	}
	return assignAll(w, dir, todo)
}

func assignAll(w *ctl.Journal, dir string, todo []assign) error {
	for len(todo) > 0 {
		var refused []assign
		var first error
		for _, a := range todo {
			err := w.Write(dir, a.file, a.value)
			switch {
			case err == nil, a.optional && errors.Is(err, unix.ENOENT):
			case errors.Is(err, unix.EINVAL):
				refused = append(refused, a)
				if first == nil {
					first = fmt.Errorf("%s: %w", a.at, err)
				}
			default:
				return fmt.Errorf("%s: %w", a.at, err)
			}
		}
		if len(refused) == len(todo) {
			return first
		}
		todo = refused
	}
	return nil
}

// setRealtime writes the real-time budget. A cgroup has no more than its
// parent, and new ones have none: parents that Create made get it first.
func (m *Manager) setRealtime(w *ctl.Journal, d *cgroups.Dir, c *specs.LinuxCPU) error {
	var todo []assign
	if set(c.RealtimePeriod) {
		todo = append(todo, assign{at: atCPU + "realtimePeriod", file: "cpu.rt_period_us", value: strconv.FormatUint(*c.RealtimePeriod, 10)})
	}
	if set(c.RealtimeRuntime) {
		todo = append(todo, assign{at: atCPU + "realtimeRuntime", file: "cpu.rt_runtime_us", value: strconv.FormatInt(*c.RealtimeRuntime, 10)})
	}
	if len(todo) == 0 {
		return nil
	}
	if !ctl.Has(d.Path, todo[0].file) {
		return fmt.Errorf("%s: this kernel has no real-time budgets of cgroups: %w", todo[0].at, cgroups.ErrNotSupported)
	}
	for _, h := range m.made {
		if h.leaf != d.Path {
			continue
		}
		for _, dir := range h.dirs {
			if dir != d.Path {
				if err := assignAll(w, dir, todo); err != nil {
					return fmt.Errorf("cgroup %q: %w", dir, err)
				}
			}
		}
	}
	return assignAll(w, d.Path, todo)
}
