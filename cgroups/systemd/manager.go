package systemd

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/godbus/dbus/v5"
	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
	"tare/cgroups/v1"
	"tare/cgroups/v2"
)

// files is what this package needs of a manager of the files.
type files interface {
	cgroups.Manager
	Adopt(ctx context.Context, o cgroups.CreateOptions) error
	Change(ctx context.Context, r *specs.LinuxResources) (warnings []string, undo func() error, err error)
}

// Manager owns a unit, and the cgroup's files through another manager.
type Manager struct {
	files
	unit    *cgroups.Unit
	mode    cgroups.Mode
	path    string
	dirs    map[string]string
	started bool // by this Manager
	version int
}

var _ cgroups.Manager = (*Manager)(nil)

// New returns the manager of the Config's unit and directories.
func New(c cgroups.Config) (*Manager, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	if c.Unit == nil {
		return nil, fmt.Errorf("cgroup %q: no systemd unit", c.Path)
	}
	c = c.Clone()
	m := &Manager{unit: c.Unit, mode: c.Mode(), path: c.Path, dirs: c.Paths()}
	var err error
	if m.mode == cgroups.V2 {
		m.files, err = v2.New(c)
	} else {
		m.files, err = v1.New(c)
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Manager) isSlice() bool { return strings.HasSuffix(m.unit.Name, ".slice") }

// NeedsPID is true for a scope: systemd makes none without a process.
func (m *Manager) NeedsPID() bool { return !m.isSlice() }

// Create starts the unit and completes what systemd made: directories in
// hierarchies that it does not manage, and a sub-cgroup.
func (m *Manager) Create(ctx context.Context, o cgroups.CreateOptions) (err error) {
	if m.NeedsPID() && o.PID <= 0 {
		return fmt.Errorf("start unit %q: a scope needs a process", m.unit.Name)
	}
	if err := m.checkFit(); err != nil {
		return err
	}
	defer func() {
		if err != nil && m.started {
			err = errors.Join(err, m.Undo(ctx))
		}
	}()
	if err := with(ctx, m.unit, func(ctx context.Context, c *connection) error { return m.start(ctx, c, o) }); err != nil {
		return fmt.Errorf("start unit %q: %w", m.unit.Name, err)
	}
	m.started = true
	if m.unit.Sub != "" {
		return m.enterSub(ctx, o)
	}
	return m.Adopt(ctx, o)
}

// enterSub makes the sub-cgroup and moves the scope's process there before
// controllers are enabled for it: a cgroup with processes gives none away.
func (m *Manager) enterSub(ctx context.Context, o cgroups.CreateOptions) error {
	early := o
	early.Resources = nil
	if err := m.Adopt(ctx, early); err != nil {
		return err
	}
	if o.PID > 0 {
		if err := m.Join(o.PID, cgroups.All); err != nil {
			return err
		}
	}
	return m.Adopt(ctx, o)
}

// checkFit refuses a cgroup that something lives in. One that does not exist
// is the rule.
func (m *Manager) checkFit() error {
	pids, err := m.Pids(true)
	if err != nil || len(pids) == 0 {
		return err
	}
	return fmt.Errorf("cgroup %q: %w: %d process(es) found", m.path, cgroups.ErrNotEmpty, len(pids))
}

// start starts the unit. A unit of that name that has failed is left over and
// holds the name: it is forgotten, once.
func (m *Manager) start(ctx context.Context, c *connection, o cgroups.CreateOptions) error {
	props, err := m.startProperties(ctx, c, o)
	if err != nil {
		return err
	}
	run := func() error {
		return c.job(ctx, m.unit.Name, func() (job dbus.ObjectPath, err error) {
			type aux struct {
				Name  string
				Props []Property
			}
			err = c.call(ctx, "StartTransientUnit", &job, m.unit.Name, "replace", props, []aux{})
			return job, err
		})
	}
	err = run()
	if isError(err, errUnitExists) {
		if rerr := c.call(ctx, "ResetFailedUnit", nil, m.unit.Name); rerr != nil && !isError(rerr, errNoSuchUnit) {
			return errors.Join(err, rerr)
		}
		if err = run(); isError(err, errUnitExists) && !m.holds(o.PID) {
			return fmt.Errorf("%w: another container's, or a service's (stop it, or choose another name in linux.cgroupsPath)", errExists)
		}
	}
	if isError(err, errUnitExists) {
		return nil // started by a try whose answer was lost with the connection
	}
	return err
}

// holds reports whether pid is in the cgroup already.
func (m *Manager) holds(pid int) bool {
	pids, err := m.Pids(true)
	return err == nil && slices.Contains(pids, pid)
}

var errExists = errors.New("a unit of this name exists already")

func (m *Manager) startProperties(ctx context.Context, c *connection, o cgroups.CreateOptions) ([]Property, error) {
	props := m.baseProperties(o)
	annotated, err := Annotated(o.Annotations)
	if err != nil {
		return nil, err
	}
	t, err := m.target(ctx, c, o.Resources)
	if err != nil {
		return nil, err
	}
	t.start, t.quota, t.period = true, -1, 0
	limits, _, err := properties(startOnly(o.Resources), t)
	if err != nil {
		return nil, err
	}
	return append(append(props, annotated...), limits...), nil
}

// startOnly picks what cannot be given later: the limits themselves wait for
// Set, so that a small one does not hit a process that is still starting.
func startOnly(r *specs.LinuxResources) *specs.LinuxResources {
	if r == nil || r.Unified["memory.oom.group"] == "" {
		return nil
	}
	return &specs.LinuxResources{Unified: map[string]string{"memory.oom.group": r.Unified["memory.oom.group"]}}
}

func (m *Manager) baseProperties(o cgroups.CreateOptions) []Property {
	description := o.Description
	if description == "" {
		description = "container " + m.unit.Name
	}
	props := []Property{prop("Description", description)}
	if m.isSlice() {
		// A slice's name says where it lies; it cannot be delegated.
		props = append(props, prop("Wants", []string{m.unit.Slice}))
	} else {
		props = append(props, prop("Slice", m.unit.Slice), prop("Delegate", true), prop("PIDs", []uint32{uint32(o.PID)}))
	}
	props = append(props, prop("MemoryAccounting", true), prop("CPUAccounting", true), prop("TasksAccounting", true))
	if m.mode == cgroups.V2 {
		props = append(props, prop("IOAccounting", true))
	} else {
		props = append(props, prop("BlockIOAccounting", true))
	}
	return append(props, prop("DefaultDependencies", false))
}

// Undo stops the unit if this Manager started it.
func (m *Manager) Undo(ctx context.Context) error {
	if !m.started {
		return nil
	}
	m.started = false
	return m.Destroy(ctx)
}

// Destroy stops the unit, has systemd forget it if it failed, and removes
// what is left. systemd, unlike other managers, kills what is still inside.
func (m *Manager) Destroy(ctx context.Context) error {
	err := with(ctx, m.unit, m.stop)
	rest := errors.Join(m.files.Destroy(ctx), m.removeUnitDirs(ctx))
	if err != nil && !m.Exists() && rest == nil && errors.Is(err, ErrNoBus) {
		return nil
	}
	if err != nil {
		err = fmt.Errorf("stop unit %q: %w", m.unit.Name, err)
	}
	return errors.Join(err, rest)
}

// removeUnitDirs removes the directories above a sub-cgroup in hierarchies
// that systemd does not manage.
func (m *Manager) removeUnitDirs(ctx context.Context) error {
	if m.unit.Sub == "" {
		return nil
	}
	var errs []error
	for _, dir := range m.dirs {
		errs = append(errs, ctl.Remove(ctx, path.Dir(dir)))
	}
	return errors.Join(errs...)
}

func (m *Manager) stop(ctx context.Context, c *connection) error {
	err := c.job(ctx, m.unit.Name, func() (job dbus.ObjectPath, err error) {
		err = c.call(ctx, "StopUnit", &job, m.unit.Name, "replace")
		return job, err
	})
	if err != nil && !isError(err, errNoSuchUnit) {
		return err
	}
	// It exists only if the unit has failed; most have not.
	if err := c.call(ctx, "ResetFailedUnit", nil, m.unit.Name); err != nil && !isError(err, errNoSuchUnit) {
		return err
	}
	return nil
}
