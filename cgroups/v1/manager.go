// Package v1 manages a cgroup that has a directory in each of several v1
// hierarchies and, on a hybrid host, one in cgroup2 as well.
//
// On a hybrid host the limits are v1's, but for controllers that only cgroup2
// has. Processes join both, so that they can be killed and frozen through
// cgroup2, which does it at once and reports when it is done.
package v1

import (
	"context"
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups"
	"tare/cgroups/devices"
	"tare/cgroups/internal/ctl"
	"tare/cgroups/v2"
)

// Manager owns the directories of one cgroup.
type Manager struct {
	config  cgroups.Config
	dirs    []cgroups.Dir // v1 only
	unified *v2.Manager   // nil without cgroup2
	made    []made
	// What Set and SetDevices have applied, for a directory that has to be made again.
	applied *specs.LinuxResources
	policy  *devices.Policy
}

// made is what Create made in one hierarchy.
type made struct {
	leaf string
	dirs []string
}

var _ cgroups.Manager = (*Manager)(nil)

// New returns the manager of all the Config's directories.
func New(c cgroups.Config) (*Manager, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	c = c.Clone()
	m := &Manager{config: c}
	for _, d := range c.Dirs {
		if d.Version == 1 {
			m.dirs = append(m.dirs, d)
		}
	}
	if len(m.dirs) == 0 {
		return nil, fmt.Errorf("cgroup %q: v1: %w", c.Path, cgroups.ErrMode)
	}
	if len(m.dirs) < len(c.Dirs) {
		var err error
		if m.unified, err = v2.NewBeside(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Config describes the cgroup.
func (m *Manager) Config() cgroups.Config { return m.config.Clone() }

// Paths maps controllers to directories: see cgroups.Config.
func (m *Manager) Paths() map[string]string { return m.config.Paths() }

// NeedsPID is false.
func (m *Manager) NeedsPID() bool { return false }

// dir returns the directory that has the controller, or "".
func (m *Manager) dir(controller string) string {
	if d := m.find(controller); d != nil {
		return d.Path
	}
	return ""
}

func (m *Manager) find(controller string) *cgroups.Dir {
	for i := range m.dirs {
		if m.dirs[i].Has(controller) {
			return &m.dirs[i]
		}
	}
	return nil
}

// Exists reports whether any of the directories exists.
func (m *Manager) Exists() bool {
	for i := range m.dirs {
		if ctl.Exists(m.dirs[i].Path) {
			return true
		}
	}
	return m.unified != nil && m.unified.Exists()
}

// Create makes the directory in each hierarchy.
func (m *Manager) Create(ctx context.Context, o cgroups.CreateOptions) error {
	return m.create(ctx, o, (*v2.Manager).Create, m.checkFit)
}

// Adopt is Create for a cgroup that may be there and in use: one that systemd
// has just made.
func (m *Manager) Adopt(ctx context.Context, o cgroups.CreateOptions) error {
	return m.create(ctx, o, (*v2.Manager).Adopt, func(*cgroups.Dir) error { return nil })
}

func (m *Manager) create(ctx context.Context, o cgroups.CreateOptions,
	unified func(*v2.Manager, context.Context, cgroups.CreateOptions) error, check func(*cgroups.Dir) error) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Undo(ctx))
		}
	}()
	if m.unified != nil {
		if err := unified(m.unified, ctx, o); err != nil {
			return err
		}
	}
	members := m.members()
	for i := range m.dirs {
		d := &m.dirs[i]
		dirs, err := ctl.MkdirAll(d.Mount, d.Path[len(d.Mount):], prepare(d))
		m.made = append(m.made, made{d.Path, dirs})
		if err != nil {
			return err
		}
		existed := len(dirs) == 0 || dirs[len(dirs)-1] != d.Path
		if existed && (d == members || d.Has("freezer")) {
			if err := check(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// members is the v1 hierarchy in which to look for the processes: one that
// they join early, and that a payload does not rearrange.
func (m *Manager) members() *cgroups.Dir {
	for _, c := range []string{"freezer", "devices", "cpu", "cpuset", "blkio", "pids", "memory"} {
		if d := m.find(c); d != nil {
			return d
		}
	}
	return &m.dirs[0]
}

// checkFit refuses a cgroup that another container still lives in.
func (m *Manager) checkFit(d *cgroups.Dir) error {
	pids, err := ctl.Pids(d.Path, true)
	if err != nil {
		return err
	}
	if len(pids) > 0 {
		return fmt.Errorf("cgroup %q: %w: %d process(es) found", d.Path, cgroups.ErrNotEmpty, len(pids))
	}
	if !d.Has("freezer") {
		return nil
	}
	if state, err := ctl.Line(d.Path, "freezer.state"); err != nil {
		return err
	} else if state != "THAWED" {
		return fmt.Errorf("cgroup %q: %w", d.Path, cgroups.ErrFrozen)
	}
	return nil
}

// Undo removes what Create made.
func (m *Manager) Undo(ctx context.Context) error {
	var errs []error
	if m.unified != nil {
		errs = append(errs, m.unified.Undo(ctx))
	}
	for _, h := range m.made {
		errs = append(errs, ctl.UndoMkdir(ctx, h.leaf, h.dirs))
	}
	m.made = nil
	return errors.Join(errs...)
}

// Destroy removes every directory. It begins with cgroup2, where it can wait
// for the processes to end.
func (m *Manager) Destroy(ctx context.Context) error {
	var errs []error
	if m.unified != nil {
		errs = append(errs, m.unified.Destroy(ctx))
	}
	for i := range m.dirs {
		errs = append(errs, ctl.Remove(ctx, m.dirs[i].Path))
	}
	return errors.Join(errs...)
}

// SetDevices writes to the devices controller; where that is not mounted, to
// cgroup2.
func (m *Manager) SetDevices(ctx context.Context, rules []specs.LinuxDeviceCgroup) ([]string, error) {
	dir := m.dir("devices")
	if dir == "" && m.unified != nil {
		return m.unified.SetDevices(ctx, rules)
	}
	policy, err := devices.Compile(rules)
	if err != nil {
		return nil, err
	}
	if dir == "" {
		if policy.AllowsAll() {
			return nil, nil
		}
		return nil, fmt.Errorf("linux.resources.devices: controller devices: %w", cgroups.ErrMode)
	}
	m.policy = policy
	return devices.Tolerate(policy.WriteV1(dir), m.config.Rootless)
}

// FD opens the cgroup2 directory of a hybrid host.
func (m *Manager) FD() (int, error) {
	if m.unified == nil {
		return -1, fmt.Errorf("cgroup %q: v1 has no directory to clone into: %w", m.config.Path, cgroups.ErrNotSupported)
	}
	return m.unified.FD()
}
