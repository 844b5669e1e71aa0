package v2

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

// enableAll gives the cgroup every controller that its parents have. Those in
// need must be among them; for the rest it is not an error to be missing.
func (m *Manager) enableAll(need []Need) error {
	root, err := controllers(m.mount)
	if err != nil {
		return err
	}
	have, err := controllers(m.dir)
	if err != nil {
		return err
	}
	if missing := minus(root, have); len(missing) > 0 {
		if err := m.enable(missing, need); err != nil {
			// Unneeded controllers may stay off; whether a needed one is, shows below.
			if have, rerr := controllers(m.dir); rerr != nil || !covers(have, need) {
				return errors.Join(checkNeed(have, need), err, rerr)
			}
			return m.settle(need)
		}
		if have, err = controllers(m.dir); err != nil {
			return err
		}
	}
	if err := checkNeed(have, need); err != nil {
		return err
	}
	return m.settle(need)
}

// settle waits until the files of the needed controllers are there. The kernel
// lists a controller that another process is just enabling before it has made
// the files; a write to cgroup.subtree_control waits for that process, and what
// is enabled already changes nothing. Where the caller may not write, it was
// not another container's start that enabled it either.
func (m *Manager) settle(need []Need) error {
	if len(need) == 0 || m.dir == m.mount {
		return nil
	}
	err := ctl.Write(filepath.Dir(m.dir), "cgroup.subtree_control", "+"+need[0].Controller)
	switch {
	case err == nil, errors.Is(err, unix.EACCES), errors.Is(err, unix.EROFS), errors.Is(err, unix.EPERM):
		return nil
	}
	return fmt.Errorf("%s: wait for cgroup controller %q: %w", need[0].At, need[0].Controller, err)
}

// enable turns controllers on in every ancestor, from the mount downwards,
// and goes on after an error. It returns the first about a needed controller,
// else the first: a caller without privilege gets some about others.
func (m *Manager) enable(names []string, need []Need) error {
	var first error
	relevant := false
	path := m.dir[len(m.mount):]
	for i := 0; i < len(path); i++ {
		if path[i] != '/' {
			continue
		}
		missing, err := enableIn(m.mount+path[:i], names, need)
		if is := len(wanted(missing, need)) > 0; err != nil && (first == nil || is && !relevant) {
			first, relevant = err, is
		}
	}
	return first
}

// enableIn writes what is missing to dir's cgroup.subtree_control: all at
// once, and one by one if the kernel refuses that.
//
// EBUSY means that dir has processes. Even then the kernel enables threaded
// controllers, but for ever turns dir into the root of a threaded subtree,
// whose members may not have memory limits and such. That is done only for
// limits that need no more.
func enableIn(dir string, names []string, need []Need) (missing []string, err error) {
	enabled, err := ctl.Line(dir, "cgroup.subtree_control")
	if err != nil {
		return nil, err
	}
	have, err := ctl.Line(dir, "cgroup.controllers")
	if err != nil {
		return nil, err
	}
	missing = lacking(names, have, enabled)
	if len(missing) == 0 {
		return nil, nil
	}
	err = writeSubtree(dir, "+"+strings.Join(missing, " +"))
	if err == nil {
		return nil, nil
	}
	single := missing
	if errors.Is(err, unix.EBUSY) {
		if !threadedOnly(need) {
			return missing, err
		}
		single = wanted(missing, need)
	}
	for _, n := range single {
		if e := writeSubtree(dir, "+"+n); e != nil {
			err = e
		}
	}
	return missing, err
}

// lacking returns those of names that a cgroup has (cgroup.controllers) and does
// not give to its children (cgroup.subtree_control).
func lacking(names []string, have, enabled string) []string {
	given := strings.Fields(have)
	return slices.DeleteFunc(minus(names, strings.Fields(enabled)), func(n string) bool { return !slices.Contains(given, n) })
}

// threadedOnly reports whether there are needs, all of threaded controllers.
func threadedOnly(need []Need) bool {
	for _, n := range need {
		if !threaded(n.Controller) {
			return false
		}
	}
	return len(need) > 0
}

// threaded controllers work on threads (cgroups(7), "Thread mode").
func threaded(controller string) bool {
	switch controller {
	case "cpu", "cpuset", "perf_event", "pids":
		return true
	}
	return false
}

func wanted(names []string, need []Need) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return !slices.ContainsFunc(need, func(n Need) bool { return n.Controller == name })
	})
}

func writeSubtree(dir, value string) error {
	err := ctl.Write(dir, "cgroup.subtree_control", value)
	switch {
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("cgroup %q: %w (the cgroup has processes of its own)", dir, err)
	case err != nil:
		return fmt.Errorf("cgroup %q: %w", dir, err)
	}
	return nil
}

func controllers(dir string) ([]string, error) {
	line, err := ctl.Line(dir, "cgroup.controllers")
	return strings.Fields(line), err
}

func minus(a, b []string) []string {
	var out []string
	for _, s := range a {
		if !slices.Contains(b, s) {
			out = append(out, s)
		}
	}
	return out
}

func covers(have []string, need []Need) bool { return checkNeed(have, need) == nil }

func checkNeed(have []string, need []Need) error {
	for _, n := range need {
		if !slices.Contains(have, n.Controller) {
			return fmt.Errorf("%s: cgroup controller %q: %w", n.At, n.Controller, cgroups.ErrNotSupported)
		}
	}
	return nil
}

// fixType makes a cgroup below a threaded one usable: there it is born
// "domain invalid" and can only become threaded, which rules out controllers
// such as memory (cgroups(7), "Thread mode").
func (m *Manager) fixType(need []Need) error {
	typ, err := ctl.Line(m.dir, "cgroup.type")
	if err != nil || typ != "domain invalid" {
		return err
	}
	for _, n := range need {
		if !threaded(n.Controller) {
			return fmt.Errorf("%s: controller %q in a threaded cgroup: %w", n.At, n.Controller, cgroups.ErrNotSupported)
		}
	}
	return ctl.Write(m.dir, "cgroup.type", "threaded")
}
