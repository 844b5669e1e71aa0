package cgroups

import (
	"errors"
	"fmt"
	"path"
	"strings"
)

// Request is what decides where a container's cgroup lies.
type Request struct {
	// CgroupsPath is linux.cgroupsPath (config-linux.md, "Cgroups Path").
	// Without Systemd: absolute, from the mount of each hierarchy; relative,
	// from a place of the runtime's: on V2 the parent of Own (whose processes
	// keep Own itself from having controllers for children), on v1 the root.
	// With Systemd: slice:prefix:name.
	CgroupsPath string
	// ID names the cgroup when CgroupsPath is empty.
	ID string
	// Own is the caller's path in the unified hierarchy, as UnifiedPath
	// returns it; "" counts as "/". Only read for relative paths on V2.
	Own string
	// Mode of the host.
	Mode Mode
	// Systemd asks for a unit.
	Systemd bool
	// User: the unit lives in the user's systemd instance, whose bus is at
	// Bus and takes BusUID, and whose cgroup is Root (systemd.Root tells).
	User   bool
	Bus    string
	BusUID int
	Root   string
	// Sub asks for a cgroup of this name below the unit's, which then is the
	// container's, and leaves systemd the other.
	Sub string
	// Prefix of the default unit name, such as the runtime's name.
	Prefix string
}

// Path is a resolved place.
type Path struct {
	// Path is clean, absolute and not "/": it lies below each hierarchy's mount.
	Path string
	// Unit is set for systemd.
	Unit *Unit
}

// ErrRoot: a container must not own the root cgroup, where killing its
// processes would mean killing everything.
var ErrRoot = errors.New("the root cgroup cannot be a container's")

// Resolve turns the request into a place. It is pure.
func Resolve(r Request) (Path, error) {
	if strings.ContainsAny(r.CgroupsPath+r.ID, "\x00\n") {
		return Path{}, fmt.Errorf("linux.cgroupsPath: %q: NUL or newline in a path", r.CgroupsPath)
	}
	if r.Systemd {
		return resolveUnit(r)
	}
	p := r.CgroupsPath
	if p == "" {
		p = r.ID
	}
	// Cleaning a rooted path resolves every "..", so none can climb further.
	clean := path.Clean("/" + p)
	if clean == "/" {
		return Path{}, fmt.Errorf("linux.cgroupsPath: %q: %w", r.CgroupsPath, ErrRoot)
	}
	if !strings.HasPrefix(p, "/") && r.Mode == V2 {
		own := path.Clean("/" + r.Own)
		clean = path.Join(path.Dir(own), clean)
	}
	return Path{Path: clean}, nil
}

func resolveUnit(r Request) (Path, error) {
	slice, prefix, name, err := parseUnit(r.CgroupsPath)
	if err != nil {
		return Path{}, err
	}
	if slice == "" {
		slice = "system.slice"
		if r.User {
			slice = "user.slice"
		}
	}
	if r.CgroupsPath == "" {
		prefix, name = r.Prefix, r.ID
	}
	unit, err := unitName(prefix, name)
	if err != nil {
		return Path{}, err
	}
	parent, err := ExpandSlice(slice)
	if err != nil {
		return Path{}, fmt.Errorf("linux.cgroupsPath: %w", err)
	}
	full := parent + "/" + unit
	if strings.HasSuffix(unit, ".slice") {
		// A slice's own name decides its place; it must be where it was asked for.
		if full, err = ExpandSlice(unit); err != nil {
			return Path{}, fmt.Errorf("linux.cgroupsPath: %w", err)
		}
		if full == "" {
			return Path{}, fmt.Errorf("linux.cgroupsPath: %q: %w", r.CgroupsPath, ErrRoot)
		}
		if path.Dir(full) != parent && !(parent == "" && path.Dir(full) == "/") {
			return Path{}, fmt.Errorf("linux.cgroupsPath: slice %q does not lie in slice %q", unit, slice)
		}
	}
	if r.Sub != "" {
		if strings.ContainsAny(r.Sub, "/\x00\n") || r.Sub == "." || r.Sub == ".." {
			return Path{}, fmt.Errorf("sub-cgroup %q: not the name of a cgroup", r.Sub)
		}
		full += "/" + r.Sub
	}
	u := &Unit{Name: unit, Slice: slice, User: r.User, Bus: r.Bus, BusUID: r.BusUID, Sub: r.Sub}
	return Path{Path: path.Join("/", r.Root, full), Unit: u}, nil
}
