package v2

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

// Join moves the process in the late phase: memory and pids are charged here.
func (m *Manager) Join(pid int, p cgroups.Phase) error {
	if p&cgroups.Late == 0 {
		return nil
	}
	return m.JoinNow(pid)
}

// JoinNow moves the process. Beside v1 hierarchies it may be early.
func (m *Manager) JoinNow(pid int) error {
	err := ctl.Join(m.dir, pid)
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("%w (the cgroup has given controllers to children)", err)
	}
	return err
}
