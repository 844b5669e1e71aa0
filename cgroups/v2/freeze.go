package v2

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

// Kill writes cgroup.kill (Linux 5.14), which reaches every process below at
// once, also frozen ones and ones being forked.
func (m *Manager) Kill(context.Context) error {
	err := ctl.Write(m.dir, "cgroup.kill", "1")
	switch {
	case err == nil:
	case ctl.Gone(err) && !m.Exists():
		return nil
	case errors.Is(err, unix.EOPNOTSUPP): // a threaded cgroup: its processes are its domain's
		if err := m.killEach(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("cgroup %q: %w", m.dir, err)
	}
	// Killed processes leave a frozen cgroup too; but it must not greet
	// another process frozen.
	return m.thaw()
}

func (m *Manager) killEach() error {
	pids, err := ctl.Threads(m.dir)
	if err != nil {
		return err
	}
	return ctl.KillAll(pids)
}

// Freeze stops the processes and waits until cgroup.events says so.
func (m *Manager) Freeze(ctx context.Context) error {
	if err := m.writeFreeze("1"); err != nil {
		return err
	}
	if err := ctl.WaitEvent(ctx, m.dir, "frozen", 1); err != nil {
		return errors.Join(fmt.Errorf("freeze: %w", err), m.thaw())
	}
	return nil
}

// Thaw lets the processes run again.
func (m *Manager) Thaw(context.Context) error { return m.writeFreeze("0") }

func (m *Manager) writeFreeze(value string) error {
	err := ctl.Write(m.dir, "cgroup.freeze", value)
	if errors.Is(err, unix.ENOENT) && m.Exists() {
		return fmt.Errorf("cgroup %q: freeze: %w", m.dir, cgroups.ErrNotSupported)
	}
	if err != nil {
		return fmt.Errorf("cgroup %q: %w", m.dir, err)
	}
	return nil
}

// thaw is Thaw, content if there is nothing left to thaw.
func (m *Manager) thaw() error {
	if frozen, err := m.Frozen(); err == nil && !frozen {
		if set, err := ctl.Uint(m.dir, "cgroup.freeze"); err != nil || set == 0 {
			return nil
		}
	}
	if err := m.writeFreeze("0"); err != nil && !ctl.Gone(err) {
		return err
	}
	return nil
}

// Frozen reports what cgroup.events says, so a frozen parent counts.
func (m *Manager) Frozen() (bool, error) {
	b, err := ctl.Read(m.dir, "cgroup.events", nil)
	if ctl.Gone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	v, _ := ctl.Pair(b, "frozen")
	return v == 1, nil
}
