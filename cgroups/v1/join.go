package v1

import (
	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

// late reports whether joining the hierarchy charges the process: what it
// uses then counts, or hits a limit, before it has become the container.
func late(d *cgroups.Dir) bool { return d.Has("memory") || d.Has("pids") }

// Join moves the process in the hierarchies of the phase.
func (m *Manager) Join(pid int, p cgroups.Phase) error {
	if p&cgroups.Early != 0 {
		if m.unified != nil {
			if err := m.unified.JoinNow(pid); err != nil {
				return err
			}
		}
		if err := m.join(pid, false); err != nil {
			return err
		}
	}
	if p&cgroups.Late != 0 {
		return m.join(pid, true)
	}
	return nil
}

func (m *Manager) join(pid int, isLate bool) error {
	for i := range m.dirs {
		d := &m.dirs[i]
		if late(d) != isLate {
			continue
		}
		if err := ctl.Join(d.Path, pid); err != nil {
			return err
		}
	}
	return nil
}

// Pids lists the processes, from cgroup2 if it is there.
func (m *Manager) Pids(recursive bool) ([]int, error) {
	if m.unified != nil {
		return m.unified.Pids(recursive)
	}
	return ctl.Pids(m.members().Path, recursive)
}
