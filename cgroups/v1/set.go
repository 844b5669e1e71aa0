package v1

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
	"tare/cgroups/v2"
)

// step applies one controller's part of the resources.
type step struct {
	controller string
	twin       string // the v2 controller that does the same
	at         string // its place in config.json
	isSet      func(*specs.LinuxResources) bool
	set        func(*Manager, *ctl.Journal, *cgroups.Dir, *specs.LinuxResources) error
}

// steps in the order in which they are applied.
func steps() []step {
	return []step{
		{"cpuset", "cpuset", "linux.resources.cpu", isCpusetSet, (*Manager).setCpuset},
		{"cpu", "cpu", "linux.resources.cpu", isCPUSet, (*Manager).setCPU},
		{"memory", "memory", "linux.resources.memory", isMemorySet, (*Manager).setMemory},
		{"pids", "pids", "linux.resources.pids", isPidsSet, (*Manager).setPids},
		{"blkio", "io", "linux.resources.blockIO", isBlkioSet, (*Manager).setBlkio},
		{"hugetlb", "hugetlb", "linux.resources.hugepageLimits", isHugetlbSet, (*Manager).setHugetlb},
		{"rdma", "rdma", "linux.resources.rdma", isRdmaSet, (*Manager).setRdma},
		{"net_cls", "", "linux.resources.network.classID", isClassSet, (*Manager).setClass},
		{"net_prio", "", "linux.resources.network.priorities", isPrioSet, (*Manager).setPrio},
	}
}

// Set applies r, on v1 hierarchies as far as they have the controllers, and
// on cgroup2 what only that has.
func (m *Manager) Set(_ context.Context, r *specs.LinuxResources) ([]string, error) {
	if r == nil {
		return nil, nil
	}
	m.applied = r
	return v2.Warnings(r), m.set(nil, r)
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
	if err := m.set(w, r); err != nil {
		return nil, nil, errors.Join(err, w.Rollback())
	}
	return v2.Warnings(r), w.Rollback, nil
}

func (m *Manager) set(w *ctl.Journal, r *specs.LinuxResources) error {
	if err := Preflight(r); err != nil {
		return err
	}
	var beside []string
	for _, s := range steps() {
		if !s.isSet(r) {
			continue
		}
		d := m.find(s.controller)
		switch {
		case d != nil:
			if err := s.set(m, w, d, r); err != nil {
				return err
			}
		case m.unified != nil && s.twin != "":
			beside = append(beside, s.twin)
		default:
			return fmt.Errorf("%s: cgroup controller %q: %w", s.at, s.controller, cgroups.ErrMode)
		}
	}
	return m.setBeside(w, r, beside)
}

// Preflight returns the error that Set would return for reasons that can be
// known before anything is written.
func Preflight(r *specs.LinuxResources) error {
	if c := r.CPU; c != nil {
		if set(c.Shares) && (*c.Shares < minShares || *c.Shares > maxShares) {
			return fmt.Errorf(atCPU+"shares: %d is not within %d and %d", *c.Shares, minShares, maxShares)
		}
		if err := cgroups.CheckBurst(c.Burst, c.Quota); err != nil {
			return err
		}
	}
	if m := r.Memory; m != nil {
		if m.Swappiness != nil && *m.Swappiness > 100 {
			return fmt.Errorf(atMemory+"swappiness: %d is not within 0 and 100", *m.Swappiness)
		}
		if limit, swap := value(m.Limit), value(m.Swap); limit > 0 && swap > 0 && swap < limit {
			return fmt.Errorf(atMemory+"swap: %d is below the memory limit %d that it includes", swap, limit)
		}
	}
	return nil
}

// setBeside applies on cgroup2 the controllers named and the unified values.
func (m *Manager) setBeside(w *ctl.Journal, r *specs.LinuxResources, names []string) error {
	if m.unified == nil {
		for key := range r.Unified {
			return fmt.Errorf("linux.resources.unified.%s: cgroup v1: %w", key, cgroups.ErrNotSupported)
		}
		return nil
	}
	if len(names) == 0 && len(r.Unified) == 0 {
		return nil
	}
	return m.unified.SetOnly(w, r, func(c string) bool { return slices.Contains(names, c) })
}

func isPidsSet(r *specs.LinuxResources) bool { return r.Pids != nil && r.Pids.Limit != nil }

func (m *Manager) setPids(w *ctl.Journal, d *cgroups.Dir, r *specs.LinuxResources) error {
	if err := w.Write(d.Path, "pids.max", cgroups.PidsLimit(*r.Pids.Limit)); err != nil {
		return fmt.Errorf("linux.resources.pids.limit: %w", err)
	}
	return nil
}

func isHugetlbSet(r *specs.LinuxResources) bool { return len(r.HugepageLimits) > 0 }

func (m *Manager) setHugetlb(w *ctl.Journal, d *cgroups.Dir, r *specs.LinuxResources) error {
	for i, h := range r.HugepageLimits {
		if err := ctl.SetHugetlb(w, d.Path, h.Pagesize, h.Limit, "limit_in_bytes"); err != nil {
			return fmt.Errorf("linux.resources.hugepageLimits[%d].%w", i, err)
		}
	}
	return nil
}

func isRdmaSet(r *specs.LinuxResources) bool { return len(r.Rdma) > 0 }

func (m *Manager) setRdma(w *ctl.Journal, d *cgroups.Dir, r *specs.LinuxResources) error {
	for _, name := range ctl.RdmaNames(r.Rdma) {
		if err := ctl.SetRdma(w, d.Path, name, r.Rdma[name]); err != nil {
			return err
		}
	}
	return nil
}

func isClassSet(r *specs.LinuxResources) bool {
	return r.Network != nil && isClass(r.Network.ClassID)
}

func isClass(v *uint32) bool { return v != nil && *v != 0 }

func (m *Manager) setClass(w *ctl.Journal, d *cgroups.Dir, r *specs.LinuxResources) error {
	if err := w.Write(d.Path, "net_cls.classid", strconv.FormatUint(uint64(*r.Network.ClassID), 10)); err != nil {
		return fmt.Errorf("linux.resources.network.classID: %w", err)
	}
	return nil
}

func isPrioSet(r *specs.LinuxResources) bool {
	return r.Network != nil && len(r.Network.Priorities) > 0
}

func (m *Manager) setPrio(w *ctl.Journal, d *cgroups.Dir, r *specs.LinuxResources) error {
	for i, p := range r.Network.Priorities {
		line := p.Name + " " + strconv.FormatUint(uint64(p.Priority), 10)
		if err := w.Write(d.Path, "net_prio.ifpriomap", line); err != nil {
			return fmt.Errorf("linux.resources.network.priorities[%d]: %w", i, err)
		}
	}
	return nil
}
