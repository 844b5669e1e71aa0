package v2

import (
	"context"
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

// step applies one controller's part of the resources.
type step struct {
	controller string
	at         string // its place in config.json
	isSet      func(*specs.LinuxResources) bool
	set        func(w *ctl.Journal, dir string, r *specs.LinuxResources) error
}

// steps in the order in which they are applied.
func steps() []step {
	return []step{
		{"cpuset", "linux.resources.cpu", isCpusetSet, setCpuset},
		{"cpu", "linux.resources.cpu", isCPUSet, setCPU},
		{"memory", "linux.resources.memory", isMemorySet, setMemory},
		{"pids", "linux.resources.pids", isPidsSet, setPids},
		{"io", "linux.resources.blockIO", isIOSet, setIO},
		{"hugetlb", "linux.resources.hugepageLimits", isHugetlbSet, setHugetlb},
		{"rdma", "linux.resources.rdma", isRdmaSet, setRdma},
	}
}

// Set applies r; unified values come last and so override converted ones.
func (m *Manager) Set(_ context.Context, r *specs.LinuxResources) ([]string, error) {
	if r == nil {
		return nil, nil
	}
	if err := Preflight(m.dir, r); err != nil {
		return nil, err
	}
	return Warnings(r), m.SetOnly(nil, r, nil)
}

// Update is Set that puts the old values back if it fails.
func (m *Manager) Update(ctx context.Context, r *specs.LinuxResources) ([]string, error) {
	warnings, _, err := m.Change(ctx, r)
	return warnings, err
}

// Change is Update that can also be undone after it has succeeded.
func (m *Manager) Change(_ context.Context, r *specs.LinuxResources) (warnings []string, undo func() error, err error) {
	w := &ctl.Journal{}
	if r == nil {
		return nil, w.Rollback, nil
	}
	if err := Preflight(m.dir, r); err != nil {
		return nil, nil, err
	}
	if err := m.SetOnly(w, r, nil); err != nil {
		return nil, nil, errors.Join(err, w.Rollback())
	}
	return Warnings(r), w.Rollback, nil
}

// Preflight returns the error that Set on dir would return for reasons that
// can be known before anything is written.
func Preflight(dir string, r *specs.LinuxResources) error {
	if err := inexpressible(r); err != nil {
		return err
	}
	if err := checkUnified(r.Unified); err != nil {
		return err
	}
	if r.CPU != nil {
		if err := cgroups.CheckBurst(r.CPU.Burst, r.CPU.Quota); err != nil {
			return err
		}
	}
	if r.Memory != nil {
		return checkUsage(dir, r.Memory)
	}
	return nil
}

// SetOnly applies the parts of r whose controllers are in only (nil: all),
// and the unified values. Beside v1 hierarchies, which have the others. The
// journal may be nil.
func (m *Manager) SetOnly(w *ctl.Journal, r *specs.LinuxResources, only func(controller string) bool) error {
	if err := checkUnified(r.Unified); err != nil {
		return err
	}
	var todo []step
	var need []Need
	for _, s := range steps() {
		if s.isSet(r) && (only == nil || only(s.controller)) {
			todo = append(todo, s)
			need = append(need, Need{s.controller, s.at})
		}
	}
	if m.lazy {
		if err := m.enableNeeded(append(need, unifiedNeed(r)...)); err != nil {
			return err
		}
	}
	for _, s := range todo {
		if err := s.set(w, m.dir, r); err != nil {
			return m.explain(s, err)
		}
	}
	return m.setUnified(w, r.Unified)
}

func unifiedNeed(r *specs.LinuxResources) []Need {
	return Needed(&specs.LinuxResources{Unified: r.Unified})
}

// enableNeeded turns on the controllers of need alone.
func (m *Manager) enableNeeded(need []Need) error {
	have, err := controllers(m.dir)
	if err != nil {
		return err
	}
	if covers(have, need) {
		return m.settle(need)
	}
	names := make([]string, 0, len(need))
	for _, n := range need {
		names = append(names, n.Controller)
	}
	enableErr := m.enable(names, need)
	if have, err = controllers(m.dir); err != nil {
		return err
	}
	switch err := checkNeed(have, need); {
	case err == nil:
		return m.settle(need)
	case enableErr != nil:
		return fmt.Errorf("%w: %w", err, enableErr)
	default:
		return err
	}
}

// explain says that the controller is missing if that is the reason for err.
func (m *Manager) explain(s step, err error) error {
	if have, cerr := controllers(m.dir); cerr == nil {
		if nerr := checkNeed(have, []Need{{s.controller, s.at}}); nerr != nil {
			return fmt.Errorf("%w: %w", nerr, err)
		}
	}
	return err
}

// inexpressible refuses what only v1 has.
func inexpressible(r *specs.LinuxResources) error {
	no := func(at string) error {
		return fmt.Errorf("linux.resources.%s: cgroup v2: %w", at, cgroups.ErrNotSupported)
	}
	if n := r.Network; n != nil {
		if n.ClassID != nil && *n.ClassID != 0 {
			return no("network.classID")
		}
		if len(n.Priorities) > 0 {
			return no("network.priorities")
		}
	}
	if c := r.CPU; c != nil {
		if c.RealtimeRuntime != nil && *c.RealtimeRuntime != 0 {
			return no("cpu.realtimeRuntime")
		}
		if c.RealtimePeriod != nil && *c.RealtimePeriod != 0 {
			return no("cpu.realtimePeriod")
		}
	}
	if mem := r.Memory; mem != nil {
		switch {
		case mem.Swappiness != nil:
			return no("memory.swappiness")
		case mem.DisableOOMKiller != nil && *mem.DisableOOMKiller:
			return no("memory.disableOOMKiller")
		case mem.UseHierarchy != nil && !*mem.UseHierarchy:
			return no("memory.useHierarchy")
		}
	}
	return nil
}

// Warnings names the values that no kernel honours any more.
func Warnings(r *specs.LinuxResources) []string {
	var w []string
	if r.Memory == nil {
		return nil
	}
	if v := r.Memory.Kernel; v != nil && *v != 0 {
		w = append(w, "linux.resources.memory.kernel: obsolete, ignored")
	}
	if v := r.Memory.KernelTCP; v != nil && *v != 0 {
		w = append(w, "linux.resources.memory.kernelTCP: obsolete, ignored")
	}
	return w
}
