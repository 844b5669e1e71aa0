package cgroups

import (
	"errors"
	"slices"

	"golang.org/x/sys/unix"

	"tare/cgroups/internal/ctl"
)

// Mode says which cgroup versions a host uses.
type Mode uint8

const (
	// NoCgroups: no cgroup file system is mounted.
	NoCgroups Mode = iota
	// V1: only v1 hierarchies.
	V1
	// V2: the unified hierarchy alone.
	V2
	// Hybrid: controllers on v1 hierarchies, and cgroup2 mounted beside them.
	Hybrid
)

// String returns none, v1, v2 or hybrid.
func (m Mode) String() string {
	switch m {
	case V1:
		return "v1"
	case V2:
		return "v2"
	case Hybrid:
		return "hybrid"
	}
	return "none"
}

// Hierarchy is one mounted cgroup hierarchy.
type Hierarchy struct {
	// Mount is where it is mounted, absolute.
	Mount string `json:"mount"`
	// Root is the cgroup that shows at Mount, as /proc/PID/cgroup names it;
	// "/" but for bind mounts and foreign cgroup namespaces.
	Root string `json:"root,omitempty"`
	// Version is 1 or 2.
	Version int `json:"version"`
	// Controllers of a v1 hierarchy, sorted; a named one has "name=NAME".
	// Empty for v2, whose controllers can change: see cgroup.controllers.
	Controllers []string `json:"controllers,omitempty"`
	// NoPrefix: a v1 cpuset mount whose files are called cpus, not cpuset.cpus.
	NoPrefix bool `json:"noPrefix,omitempty"`
}

// Has reports whether the v1 hierarchy carries the controller.
func (h *Hierarchy) Has(controller string) bool {
	return slices.Contains(h.Controllers, controller)
}

// Layout is what a host has mounted.
type Layout struct {
	Mode        Mode
	Hierarchies []Hierarchy
}

// Unified returns the cgroup2 hierarchy, or nil.
func (l *Layout) Unified() *Hierarchy {
	for i := range l.Hierarchies {
		if l.Hierarchies[i].Version == 2 {
			return &l.Hierarchies[i]
		}
	}
	return nil
}

// Controllers returns the names of all controllers that the layout offers,
// sorted, without named hierarchies. It reads cgroup.controllers.
func (l *Layout) Controllers() ([]string, error) {
	var all []string
	for i := range l.Hierarchies {
		h := &l.Hierarchies[i]
		if h.Version == 2 {
			own, err := ctl.Line(h.Mount, "cgroup.controllers")
			if err != nil {
				return nil, err
			}
			all = append(all, fields(own)...)
			continue
		}
		for _, c := range h.Controllers {
			if !isNamed(c) {
				all = append(all, c)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// Detect returns what is mounted. Where /sys/fs/cgroup is the whole cgroup2 hierarchy, as one statfs and
// the number of its inode tell, that is all; elsewhere it reads /proc/self/mountinfo, once. Without any
// cgroup mount it returns an empty Layout and no error.
func Detect() (Layout, error) {
	if wholeUnified() {
		return Layout{Mode: V2, Hierarchies: []Hierarchy{{Mount: defaultMount, Root: "/", Version: 2}}}, nil
	}
	b, err := ctl.Read("/proc/self", "mountinfo", make([]byte, 0, 16<<10))
	if err != nil {
		return Layout{}, err
	}
	return ParseMountinfo(b)
}

// ErrMode is returned by a constructor for a Config of the wrong kind.
var ErrMode = errors.New("no such cgroup hierarchy")

// wholeUnified tells whether /sys/fs/cgroup is the cgroup2 hierarchy from its root down, and the caller in
// the first cgroup namespace: then mountinfo would have nothing to add. A "no" may also be an error,
// which reading mountinfo will meet again.
func wholeUnified() bool {
	const (
		rootInode = 1          // of any kernfs
		firstNS   = 0xEFFFFFFB // PROC_CGROUP_INIT_INO, include/linux/proc_ns.h
	)
	var fs unix.Statfs_t
	if unix.Statfs(defaultMount, &fs) != nil || fs.Type != unix.CGROUP2_SUPER_MAGIC {
		return false
	}
	var st unix.Stat_t
	if unix.Stat(defaultMount, &st) != nil || st.Ino != rootInode {
		return false
	}
	return unix.Stat("/proc/self/ns/cgroup", &st) == nil && st.Ino == firstNS
}
