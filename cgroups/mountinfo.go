package cgroups

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"tare/cgroups/internal/ctl"
)

const defaultMount = "/sys/fs/cgroup"

// ParseMountinfo finds the cgroup hierarchies in the content of a
// /proc/PID/mountinfo (proc_pid_mountinfo(5)). Of a hierarchy that is mounted
// more than once it takes the mount below /sys/fs/cgroup, else the first.
// cgroup2 at /sys/fs/cgroup itself means Mode V2: v1 mounts elsewhere are then
// nobody's concern.
func ParseMountinfo(b []byte) (Layout, error) {
	var found []Hierarchy
	var bad error
	ctl.EachLine(b, func(line []byte) {
		// Most lines are other file systems: drop them before they cost.
		if bad != nil || !bytes.Contains(line, []byte(" - cgroup")) {
			return
		}
		h, ok, err := parseMount(string(line))
		if err != nil {
			bad = err
		} else if ok {
			found = addMount(found, h)
		}
	})
	if bad != nil {
		return Layout{}, bad
	}
	return classify(found), nil
}

// parseMount parses one line; !ok is some other file system.
func parseMount(line string) (h Hierarchy, ok bool, err error) {
	left, right, _ := strings.Cut(line, " - ")
	pre, post := strings.Split(left, " "), strings.Split(right, " ")
	if len(pre) < 6 || len(post) < 3 {
		return h, false, fmt.Errorf("parse mountinfo %q: %w", line, ctl.ErrFormat)
	}
	h.Root, h.Mount = unescape(pre[3]), unescape(pre[4])
	switch post[0] {
	case "cgroup2":
		h.Version = 2
		return h, true, nil
	case "cgroup":
		h.Version = 1
	default:
		return h, false, nil
	}
	for o := range strings.SplitSeq(post[2], ",") {
		switch {
		case o == "noprefix":
			h.NoPrefix = true
		case isV1Controller(o), isNamed(o):
			h.Controllers = append(h.Controllers, o)
		}
	}
	slices.Sort(h.Controllers)
	return h, len(h.Controllers) > 0, nil
}

func addMount(list []Hierarchy, h Hierarchy) []Hierarchy {
	for i := range list {
		old := &list[i]
		if old.Version != h.Version || !slices.Equal(old.Controllers, h.Controllers) {
			continue
		}
		// The later of two mounts at one place hides the earlier.
		if old.Mount == h.Mount || below(h.Mount) && !below(old.Mount) {
			*old = h
		}
		return list
	}
	return append(list, h)
}

func below(mount string) bool {
	return mount == defaultMount || strings.HasPrefix(mount, defaultMount+"/")
}

func classify(found []Hierarchy) Layout {
	v2 := slices.IndexFunc(found, func(h Hierarchy) bool { return h.Version == 2 })
	switch {
	case len(found) == 0:
		return Layout{}
	case v2 < 0:
		return Layout{Mode: V1, Hierarchies: found}
	case len(found) == 1 || found[v2].Mount == defaultMount:
		return Layout{Mode: V2, Hierarchies: found[v2 : v2+1]}
	}
	return Layout{Mode: Hybrid, Hierarchies: found}
}

// isV1Controller tells controllers from other superblock options. The list
// is closed: the kernel takes no new v1 controllers.
func isV1Controller(s string) bool {
	switch s {
	case "blkio", "cpu", "cpuacct", "cpuset", "debug", "devices", "freezer", "hugetlb", "memory",
		"misc", "net_cls", "net_prio", "perf_event", "pids", "rdma":
		return true
	}
	return false
}

func isNamed(s string) bool { return strings.HasPrefix(s, "name=") }

// unescape undoes the kernel's octal escapes of blank, tab, newline and
// backslash.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && octal(s[i+1:i+4]) {
			b.WriteByte((s[i+1]-'0')<<6 | (s[i+2]-'0')<<3 | (s[i+3] - '0'))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func octal(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '7' {
			return false
		}
	}
	return s[0] <= '3'
}

func fields(s string) []string { return strings.Fields(s) }
