package cgroups

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// Kind names a way of managing cgroups, as command lines spell it.
type Kind string

const (
	// Disabled touches no cgroup at all.
	Disabled Kind = "disabled"
	// Files works on the cgroup file systems directly.
	Files Kind = "cgroupfs"
	// Systemd asks systemd for a transient unit.
	Systemd Kind = "systemd"
)

// Config describes a managed cgroup completely: a Manager can be rebuilt from
// it by a process that did not create the cgroup. It marshals to JSON. Write
// it down before Create, and a create that is killed half way can be swept.
type Config struct {
	Kind Kind `json:"kind"`
	// Path of the cgroup below each mount: clean, absolute, never "/".
	Path string `json:"path,omitempty"`
	// Dirs are its directories, one in each hierarchy.
	Dirs []Dir `json:"dirs,omitempty"`
	// Unit owns the cgroup, for Systemd.
	Unit *Unit `json:"unit,omitempty"`
	// Rootless: device rules that the kernel refuses with EPERM are a
	// warning, as a caller without privilege cannot have any.
	Rootless bool `json:"rootless,omitempty"`
}

// Dir is one cgroup directory.
type Dir struct {
	Hierarchy
	// Path is the absolute path of the directory.
	Path string `json:"path"`
}

// Config places p in every hierarchy of the layout: the Config of a Systemd
// manager if p has a unit, else that of a Files manager.
func (l *Layout) Config(p Path) Config {
	c := Config{Kind: Files, Path: p.Path, Unit: p.Unit}
	if p.Unit != nil {
		c.Kind = Systemd
	}
	c.Dirs = make([]Dir, 0, len(l.Hierarchies))
	for _, h := range l.Hierarchies {
		c.Dirs = append(c.Dirs, Dir{Hierarchy: h, Path: h.Mount + p.Path})
	}
	return c
}

// Clone returns a copy that shares nothing with c.
func (c Config) Clone() Config {
	c.Dirs = slices.Clone(c.Dirs)
	if c.Unit != nil {
		u := *c.Unit
		c.Unit = &u
	}
	return c
}

// Check returns an error for a Config that no manager may work on: one read
// from a damaged file could otherwise point at the root or out of its mount.
func (c Config) Check() error {
	if c.Kind == Disabled {
		return nil
	}
	if c.Kind != Files && c.Kind != Systemd {
		return fmt.Errorf("cgroup manager %q: unknown", c.Kind)
	}
	if c.Path == "/" {
		return fmt.Errorf("cgroup %q: %w", c.Path, ErrRoot)
	}
	if !strings.HasPrefix(c.Path, "/") || path.Clean(c.Path) != c.Path {
		return fmt.Errorf("cgroup %q: not a clean absolute path", c.Path)
	}
	if len(c.Dirs) == 0 {
		return fmt.Errorf("cgroup %q: %w: none is mounted", c.Path, ErrMode)
	}
	if c.Kind == Systemd && c.Unit == nil {
		return fmt.Errorf("cgroup %q: no systemd unit", c.Path)
	}
	for i := range c.Dirs {
		if err := c.Dirs[i].check(); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dir) check() error {
	switch {
	case !strings.HasPrefix(d.Mount, "/") || path.Clean(d.Path) != d.Path || !strings.HasPrefix(d.Path, d.Mount+"/"):
		return fmt.Errorf("cgroup %q: not below its mount %q", d.Path, d.Mount)
	case d.Version != 1 && d.Version != 2:
		return fmt.Errorf("cgroup %q: unknown version %d", d.Path, d.Version)
	case d.Version == 1 && len(d.Controllers) == 0:
		return fmt.Errorf("cgroup %q: no controllers", d.Path)
	}
	return nil
}

// Mode returns the mode that the Dirs amount to.
func (c Config) Mode() Mode {
	var mode Mode
	for i := range c.Dirs {
		if c.Dirs[i].Version == 2 {
			mode |= V2
		} else {
			mode |= V1
		}
	}
	return mode // V1|V2 == Hybrid
}

// Paths maps each v1 controller, named hierarchy ("name=systemd") and, under
// "", the unified hierarchy, to the absolute path of the cgroup.
func (c Config) Paths() map[string]string {
	m := make(map[string]string, len(c.Dirs)+2)
	for i := range c.Dirs {
		d := &c.Dirs[i]
		if d.Version == 2 {
			m[""] = d.Path
		}
		for _, name := range d.Controllers {
			m[name] = d.Path
		}
	}
	return m
}

// Unified returns the cgroup2 directory, or "".
func (c Config) Unified() string {
	for i := range c.Dirs {
		if c.Dirs[i].Version == 2 {
			return c.Dirs[i].Path
		}
	}
	return ""
}

// The following are wrapped by the errors of Create for a cgroup that existed
// before and is not fit for a new container (config-linux.md, "Control
// groups").
var (
	// ErrNotEmpty: there are processes in it already.
	ErrNotEmpty = errors.New("container's cgroup is not empty")
	// ErrFrozen: it, or one above it, is frozen.
	ErrFrozen = errors.New("container's cgroup unexpectedly frozen")
	// ErrNotSupported: the manager or the hierarchy has no such thing.
	ErrNotSupported = errors.New("not supported")
)
