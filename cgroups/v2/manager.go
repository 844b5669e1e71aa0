// Package v2 manages a cgroup in the unified hierarchy, cgroup2.
package v2

import (
	"context"
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/devices"
	"tare/cgroups/internal/ctl"
)

// Manager owns one cgroup2 directory.
type Manager struct {
	config cgroups.Config
	mount  string
	dir    string
	made   []string
	// lazy: controllers are enabled when a limit needs them, not at Create.
	lazy bool
}

var _ cgroups.Manager = (*Manager)(nil)

// New returns the manager of the Config's unified directory.
func New(c cgroups.Config) (*Manager, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	c = c.Clone()
	for i := range c.Dirs {
		if d := &c.Dirs[i]; d.Version == 2 {
			return &Manager{config: c, mount: d.Mount, dir: d.Path}, nil
		}
	}
	return nil, fmt.Errorf("cgroup %q: v2: %w", c.Path, cgroups.ErrMode)
}

// NewBeside is New for a cgroup2 mounted beside v1 hierarchies: controllers
// there are few and cost time, so only a limit that needs one enables it.
func NewBeside(c cgroups.Config) (*Manager, error) {
	m, err := New(c)
	if m != nil {
		m.lazy = true
	}
	return m, err
}

// Config describes the cgroup.
func (m *Manager) Config() cgroups.Config { return m.config.Clone() }

// Paths maps controllers to directories: see cgroups.Config.
func (m *Manager) Paths() map[string]string { return m.config.Paths() }

// NeedsPID is false.
func (m *Manager) NeedsPID() bool { return false }

// Exists reports whether the directory exists.
func (m *Manager) Exists() bool { return ctl.Exists(m.dir) }

// Create makes the directory and its parents and enables every controller
// that the parents have to give.
func (m *Manager) Create(ctx context.Context, o cgroups.CreateOptions) error {
	return m.create(ctx, o, m.checkFit)
}

// Adopt is Create for a cgroup that may be there and in use: one that systemd
// has just made.
func (m *Manager) Adopt(ctx context.Context, o cgroups.CreateOptions) error {
	return m.create(ctx, o, func() error { return nil })
}

func (m *Manager) create(ctx context.Context, o cgroups.CreateOptions, check func() error) (err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Undo(ctx))
		}
	}()
	if o.Resources != nil {
		if err := checkUnified(o.Resources.Unified); err != nil {
			return err
		}
	}
	base, path := m.mount, m.dir[len(m.mount):]
	m.made, err = ctl.MkdirAll(base, path, nil)
	if err != nil {
		return err
	}
	if len(m.made) == 0 || m.made[len(m.made)-1] != m.dir {
		if err := check(); err != nil {
			return err
		}
	}
	need := Needed(o.Resources)
	if m.lazy {
		return nil
	}
	if err := m.enableAll(need); err != nil {
		return err
	}
	return m.fixType(need)
}

// checkFit refuses a cgroup that another container still lives in.
func (m *Manager) checkFit() error {
	pids, err := m.Pids(true)
	if err != nil {
		return err
	}
	if len(pids) > 0 {
		return fmt.Errorf("cgroup %q: %w: %d process(es) found", m.dir, cgroups.ErrNotEmpty, len(pids))
	}
	if frozen, err := m.Frozen(); err != nil {
		return err
	} else if frozen {
		return fmt.Errorf("cgroup %q: %w", m.dir, cgroups.ErrFrozen)
	}
	return nil
}

// Undo removes what Create made.
func (m *Manager) Undo(ctx context.Context) error {
	made := m.made
	m.made = nil
	return ctl.UndoMkdir(ctx, m.dir, made)
}

// Destroy removes the cgroup and all below it.
func (m *Manager) Destroy(ctx context.Context) error { return ctl.Remove(ctx, m.dir) }

// SetDevices attaches the eBPF program for the rules, in place of an own
// earlier one.
func (m *Manager) SetDevices(_ context.Context, rules []specs.LinuxDeviceCgroup) ([]string, error) {
	policy, err := devices.Compile(rules)
	if err != nil {
		return nil, err
	}
	return devices.Tolerate(policy.Attach(m.dir), m.config.Rootless)
}

// FD opens the directory for CLONE_INTO_CGROUP.
func (m *Manager) FD() (int, error) {
	fd, err := unix.Open(m.dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return -1, fmt.Errorf("open %q: %w", m.dir, err)
	}
	return fd, nil
}

// Pids lists the processes.
func (m *Manager) Pids(recursive bool) ([]int, error) { return ctl.Pids(m.dir, recursive) }

// Dir returns the directory.
func (m *Manager) Dir() string { return m.dir }
