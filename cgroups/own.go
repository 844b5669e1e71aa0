package cgroups

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tare/cgroups/internal/ctl"
)

// Membership is one line of /proc/PID/cgroup: the cgroup of a process in one
// hierarchy (cgroups(7)).
type Membership struct {
	// Controllers of the v1 hierarchy, sorted, "name=NAME" for a named one;
	// empty for the unified hierarchy.
	Controllers []string
	// Path from the root of the hierarchy as the reader's cgroup namespace
	// shows it; it begins with "/.." outside of that.
	Path string
}

// ParseProcCgroup parses the content of a /proc/PID/cgroup.
func ParseProcCgroup(b []byte) ([]Membership, error) {
	var list []Membership
	var bad error
	ctl.EachLine(b, func(line []byte) {
		parts := strings.SplitN(string(line), ":", 3)
		if len(parts) != 3 || !strings.HasPrefix(parts[2], "/") {
			bad = fmt.Errorf("parse cgroup line %q: %w", line, ctl.ErrFormat)
			return
		}
		m := Membership{Path: strings.TrimSuffix(parts[2], " (deleted)")}
		if parts[1] != "" {
			m.Controllers = strings.Split(parts[1], ",")
			slices.Sort(m.Controllers)
		} else if parts[0] != "0" {
			return // a v1 hierarchy without controllers or name: nobody can mount it
		}
		list = append(list, m)
	})
	if bad != nil {
		return nil, bad
	}
	return list, nil
}

// Of reads the memberships of a process; pid 0 is the caller.
func Of(pid int) ([]Membership, error) {
	dir := "/proc/self"
	if pid != 0 {
		dir = "/proc/" + strconv.Itoa(pid)
	}
	b, err := ctl.Read(dir, "cgroup", nil)
	if err != nil {
		return nil, err
	}
	return ParseProcCgroup(b)
}

// UnifiedPath returns the path in the unified hierarchy, or "".
func UnifiedPath(list []Membership) string {
	for _, m := range list {
		if len(m.Controllers) == 0 {
			return m.Path
		}
	}
	return ""
}

// dirOf returns the directory of the membership that belongs to h, or "" if
// there is none or it lies outside of what is mounted.
func dirOf(h *Hierarchy, list []Membership) string {
	for _, m := range list {
		if !slices.Equal(m.Controllers, h.Controllers) {
			continue
		}
		path := m.Path
		if h.Root != "" && h.Root != "/" {
			rest, ok := strings.CutPrefix(path, h.Root)
			if !ok || rest != "" && rest[0] != '/' {
				return ""
			}
			path = rest
		}
		if path == "/.." || strings.HasPrefix(path, "/../") {
			return ""
		}
		return h.Mount + strings.TrimSuffix(path, "/")
	}
	return ""
}
