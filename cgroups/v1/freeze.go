package v1

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

const fileState = "freezer.state"

// Kill kills through cgroup2 if it can; whoever is then still in the v1
// hierarchies (they need not be the same) is killed one by one, frozen
// meanwhile so that no process forks ahead of the list.
func (m *Manager) Kill(ctx context.Context) error {
	members := m.members().Path
	var hit []int
	if m.unified != nil {
		hit, _ = m.unified.Pids(true)
	}
	if pids, err := ctl.Pids(members, true); err == nil && len(pids)+len(hit) == 0 {
		return nil // the usual case of a container that has ended
	}
	if m.unified != nil {
		err := m.unified.Kill(ctx)
		left, lerr := ctl.Pids(members, true)
		if err == nil && lerr == nil && subset(left, hit) {
			return m.thawV1() // the v1 freezer holds even killed processes
		}
	}
	if m.dir("freezer") == "" {
		return m.chase(ctx, members)
	}
	_ = m.freezeV1(ctx) // a task that cannot freeze dies all the same
	return errors.Join(m.killAll(members), m.thawV1())
}

func subset(list, of []int) bool {
	slices.Sort(of)
	for _, v := range list {
		if _, ok := slices.BinarySearch(of, v); !ok {
			return false
		}
	}
	return true
}

func (m *Manager) killAll(dir string) error {
	pids, err := ctl.Pids(dir, true)
	if err != nil {
		return err
	}
	return ctl.KillAll(pids)
}

// chase kills again until the list stays empty: without a freezer a process
// can fork while it is read.
func (m *Manager) chase(ctx context.Context, dir string) error {
	for {
		pids, err := ctl.Pids(dir, true)
		if err != nil || len(pids) == 0 {
			return err
		}
		if err := ctl.KillAll(pids); err != nil {
			return err
		}
		if !ctl.Pause(ctx, time.Millisecond) {
			return fmt.Errorf("kill cgroup %q: %w", dir, ctx.Err())
		}
	}
}

// Freeze freezes through cgroup2 if it is there, else the v1 freezer.
func (m *Manager) Freeze(ctx context.Context) error {
	if m.unified != nil {
		return m.unified.Freeze(ctx)
	}
	if err := m.freezeV1(ctx); err != nil {
		return errors.Join(err, m.thawV1())
	}
	return nil
}

// Thaw thaws both, whoever froze them.
func (m *Manager) Thaw(ctx context.Context) error {
	if m.unified == nil && m.dir("freezer") == "" {
		return fmt.Errorf("thaw: controller freezer: %w", cgroups.ErrNotSupported)
	}
	err := m.thawV1()
	if m.unified != nil {
		err = errors.Join(m.unified.Thaw(ctx), err)
	}
	return err
}

// freezeV1 writes FROZEN until the kernel reports it. A process that forks
// while the kernel walks them leaves the state at FREEZING for good; only
// another write, sometimes only after a thaw, gets further. Nothing announces
// the change, so it is polled.
func (m *Manager) freezeV1(ctx context.Context) error {
	dir := m.dir("freezer")
	if dir == "" {
		return fmt.Errorf("freeze: controller freezer: %w", cgroups.ErrNotSupported)
	}
	for try := 0; ; try++ {
		if try%50 == 49 {
			if err := ctl.Write(dir, fileState, "THAWED"); err != nil {
				return fmt.Errorf("freeze: %w", err)
			}
			if !ctl.Pause(ctx, 10*time.Millisecond) {
				return fmt.Errorf("freeze %q: %w", dir, ctx.Err())
			}
		}
		if err := ctl.Write(dir, fileState, "FROZEN"); err != nil {
			return fmt.Errorf("freeze: %w", err)
		}
		state, err := ctl.Line(dir, fileState)
		if err != nil {
			return fmt.Errorf("freeze: %w", err)
		}
		switch state {
		case "FROZEN":
			return nil
		case "FREEZING":
		default:
			return fmt.Errorf("freeze %q: %w: %s is %q", dir, ctl.ErrFormat, fileState, state)
		}
		if try == freezeTries {
			return fmt.Errorf("freeze %q: still freezing after %d tries", dir, try)
		}
		if !ctl.Pause(ctx, min(time.Duration(try+1)*20*time.Microsecond, time.Millisecond)) {
			return fmt.Errorf("freeze %q: %w", dir, ctx.Err())
		}
	}
}

const freezeTries = 2000

// thawV1 writes THAWED where a freezer is; a directory that is gone needs none.
func (m *Manager) thawV1() error {
	dir := m.dir("freezer")
	if dir == "" {
		return nil
	}
	err := ctl.Write(dir, fileState, "THAWED")
	if err != nil && !ctl.Gone(err) {
		return fmt.Errorf("cgroup %q: %w", dir, err)
	}
	return nil
}

// Frozen reports whether either freezer, or one above it, is on.
func (m *Manager) Frozen() (bool, error) {
	if m.unified != nil {
		if frozen, err := m.unified.Frozen(); frozen || err != nil {
			return frozen, err
		}
	}
	dir := m.dir("freezer")
	if dir == "" {
		return false, nil
	}
	state, err := ctl.Line(dir, fileState)
	if ctl.Gone(err) {
		return false, nil
	}
	return state == "FROZEN" || state == "FREEZING", err
}
