package v1

import (
	"slices"

	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/devices"
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
		err := ctl.Join(d.Path, pid)
		if ctl.Gone(err) && m.remake(d) == nil {
			err = ctl.Join(d.Path, pid)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// remake makes a directory that Create has made once more, with its limits: whenever systemd gives a
// controller to its own units, or takes it away, it removes the empty cgroups of others in that hierarchy.
func (m *Manager) remake(d *cgroups.Dir) error {
	i := slices.IndexFunc(m.made, func(h made) bool { return h.leaf == d.Path })
	if i < 0 {
		return unix.ENOENT
	}
	again, err := ctl.MkdirAll(d.Mount, d.Path[len(d.Mount):], prepare(d))
	for _, dir := range again {
		if !slices.Contains(m.made[i].dirs, dir) {
			m.made[i].dirs = append(m.made[i].dirs, dir)
		}
	}
	if err != nil {
		return err
	}
	if d.Has("devices") && m.policy != nil {
		if _, err := devices.Tolerate(m.policy.WriteV1(d.Path), m.config.Rootless); err != nil {
			return err
		}
	}
	if m.applied == nil {
		return nil
	}
	for _, s := range steps() {
		if d.Has(s.controller) && s.isSet(m.applied) {
			if err := s.set(m, nil, d, m.applied); err != nil {
				return err
			}
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
