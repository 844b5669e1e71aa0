package libcontainer

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"tare/internal/plan"
	"tare/internal/state"
)

// Runtime is a state root and the way containers below it are made. Its methods may be called from
// many goroutines at once.
type Runtime struct {
	cfg   Config
	store state.Store
}

// Plan is what will be done to the kernel for a container or an exec.
type Plan = plan.Plan

// DefaultRoot is the state root when none is given: /run/tare, or $XDG_RUNTIME_DIR/tare for a caller
// that is not the host's root.
func DefaultRoot() string {
	root, _ := state.DefaultRoot()
	return root
}

// New checks the configuration. It touches nothing.
func New(cfg Config) (*Runtime, error) {
	rt := &Runtime{cfg: cfg}
	if cfg.Root == "" {
		rt.store.Root, rt.store.Sticky = state.DefaultRoot()
	} else {
		rt.store.Root = filepath.Clean(cfg.Root)
	}
	if !filepath.IsAbs(rt.store.Root) || rt.store.Root == "/" {
		return nil, fmt.Errorf("state root %q: must be an absolute path other than /", cfg.Root)
	}
	switch cfg.Cgroups {
	case "", Cgroupfs, Systemd, Disabled:
	default:
		return nil, fmt.Errorf("cgroup manager %q: unknown (cgroupfs, systemd or disabled)", cfg.Cgroups)
	}
	switch cfg.Rootless {
	case "", RootlessAuto, RootlessYes, RootlessNo:
	default:
		return nil, fmt.Errorf("rootless mode %q: unknown (true, false or auto)", cfg.Rootless)
	}
	return rt, nil
}

// Load gives the container id. ErrNotFound, ErrID.
func (rt *Runtime) Load(id string) (*Container, error) {
	dir, err := rt.store.Open(id)
	if err != nil {
		return nil, wrapID(id, err)
	}
	dir.Close()
	return &Container{rt: rt, id: id}, nil
}

// List gives all containers, sorted by id. A missing state root is an error of fs.ErrNotExist when
// it was given, and an empty list when it is the default one.
func (rt *Runtime) List() ([]*Container, error) {
	ids, err := rt.store.List()
	if errors.Is(err, fs.ErrNotExist) && rt.cfg.Root == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	out := make([]*Container, len(ids))
	for i, id := range ids {
		out[i] = &Container{rt: rt, id: id}
	}
	return out, nil
}

func (rt *Runtime) warn(format string, args ...any) {
	if rt.cfg.Warn != nil {
		rt.cfg.Warn(fmt.Sprintf(format, args...))
	}
}

func (rt *Runtime) debug(id, format string, args ...any) {
	if rt.cfg.Debug != nil {
		rt.cfg.Debug(Event{Time: time.Now(), Container: id, Stage: "host", Message: fmt.Sprintf(format, args...)})
	}
}

func wrapID(id string, err error) error {
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrExists) || errors.Is(err, ErrID) {
		return fmt.Errorf("container %q: %w", id, err)
	}
	return err
}

func (rt *Runtime) warnAll(warnings []string) {
	for _, w := range warnings {
		rt.warn("%s", w)
	}
}
