package manager

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/systemd"
)

// variant is one kind of manager to run the suite on.
type variant struct {
	name    string
	layout  cgroups.Layout
	systemd bool
}

// variants returns every manager that this machine can have: on a hybrid host
// its v1 half and its v2 half alone are two more. Without root those that a
// delegated cgroup and the user's own systemd allow.
func variants(t *testing.T) []variant {
	t.Helper()
	l, err := cgroups.Detect()
	if err != nil {
		t.Fatal(err)
	}
	if l.Mode == cgroups.NoCgroups {
		t.Skip("no cgroups are mounted")
	}
	list := []variant{{name: l.Mode.String(), layout: l}}
	if os.Geteuid() != 0 && (l.Mode != cgroups.V2 || unix.Access(filepath.Dir(ownDir(t, l)), unix.W_OK) != nil) {
		t.Skip("needs root, or a delegated cgroup of v2, to make cgroups")
	}
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		list = append(list, variant{"systemd-" + l.Mode.String(), l, true})
	} else {
		t.Log("no systemd manager: systemd does not run here")
	}
	if l.Mode == cgroups.Hybrid {
		var v1 []cgroups.Hierarchy
		for _, h := range l.Hierarchies {
			if h.Version == 1 {
				v1 = append(v1, h)
			}
		}
		list = append(list,
			variant{name: "v1", layout: cgroups.Layout{Mode: cgroups.V1, Hierarchies: v1}},
			variant{name: "v2", layout: cgroups.Layout{Mode: cgroups.V2, Hierarchies: []cgroups.Hierarchy{*l.Unified()}}})
	}
	return list
}

func ownPath(t *testing.T) string {
	t.Helper()
	list, err := cgroups.Of(0)
	if err != nil {
		t.Fatal(err)
	}
	return cgroups.UnifiedPath(list)
}

func ownDir(t *testing.T, l cgroups.Layout) string { return l.Unified().Mount + ownPath(t) }

// request is what all of the variant's places have in common.
func (v variant) request(t *testing.T) cgroups.Request {
	t.Helper()
	r := cgroups.Request{ID: "x", Mode: v.layout.Mode, Systemd: v.systemd}
	if os.Geteuid() == 0 {
		return r
	}
	r.Own = ownPath(t)
	if !v.systemd {
		return r
	}
	var err error
	r.User = true
	if r.Bus, r.BusUID, err = systemd.UserBus(os.Getenv("DBUS_SESSION_BUS_ADDRESS"), os.Getenv("XDG_RUNTIME_DIR"), os.Geteuid()); err != nil {
		t.Fatal(err)
	}
	if r.Root, err = systemd.Root(t.Context(), cgroups.Unit{User: true, Bus: r.Bus, BusUID: r.BusUID}); err != nil {
		t.Skipf("the user has no systemd: %v", err)
	}
	return r
}

// each runs fn on every variant, on a cgroup name of its own.
func each(t *testing.T, fn func(t *testing.T, m cgroups.Manager)) {
	for _, v := range variants(t) {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			fn(t, v.manager(t, name(t)))
		})
	}
}

// eachFiles is each for what systemd, which keeps its units apart and with a
// process in each, has no like of.
func eachFiles(t *testing.T, fn func(t *testing.T, m cgroups.Manager)) {
	for _, v := range variants(t) {
		if !v.systemd {
			t.Run(v.name, func(t *testing.T) {
				t.Parallel()
				fn(t, v.manager(t, name(t)))
			})
		}
	}
}

// name is a cgroup below one of the test's own: a test that ends takes its parent away with it.
func name(t *testing.T) string {
	return fmt.Sprintf("/tare-cgroups-%d-%s/it", os.Getpid(), strings.ReplaceAll(t.Name(), "/", "-"))
}

// config places path, or a unit with a name made from it.
func (v variant) config(t *testing.T, path string) cgroups.Config {
	t.Helper()
	r := v.request(t)
	switch {
	case v.systemd:
		r.CgroupsPath = ":tare:" + strings.ReplaceAll(strings.Trim(path, "/"), "/", "-")
	case os.Geteuid() != 0:
		r.CgroupsPath = strings.TrimPrefix(path, "/") // relative: in what is delegated
	default:
		r.CgroupsPath = path
	}
	p, err := cgroups.Resolve(r)
	if err != nil {
		t.Fatal(err)
	}
	c := v.layout.Config(p)
	c.Rootless = os.Geteuid() != 0
	return c
}

// manager returns a manager that is destroyed, with its processes, at the end.
func (v variant) manager(t *testing.T, path string) cgroups.Manager {
	t.Helper()
	c := v.config(t, path)
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = m.Kill(context.Background())
		if err := m.Destroy(context.Background()); err != nil {
			t.Error(err)
		}
		for _, d := range c.Dirs {
			for dir := filepath.Dir(d.Path); !v.systemd && dir != d.Mount; dir = filepath.Dir(dir) {
				_ = unix.Rmdir(dir) // shared by the tests: the last one succeeds
			}
		}
	})
	return m
}

// create creates, and returns what ends the process that a scope needs at
// first: to be called when the test has moved in another.
func create(t *testing.T, m cgroups.Manager) (settle func()) {
	t.Helper()
	o := cgroups.CreateOptions{}
	settle = func() {}
	if m.NeedsPID() {
		first := sleeper(t)
		o.PID = first.Process.Pid
		settle = func() {
			_ = first.Process.Kill()
			_ = first.Wait()
		}
	}
	if err := m.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	return settle
}

// under returns the Config of a cgroup below that of c.
func under(c cgroups.Config, sub string) cgroups.Config {
	c.Path += sub
	for i := range c.Dirs {
		c.Dirs[i].Path += sub
	}
	return c
}

// sleeper starts a process that lives until it is killed.
func sleeper(t *testing.T) *exec.Cmd {
	t.Helper()
	return start(t, exec.Command("sleep", "1000"))
}

func start(t *testing.T, cmd *exec.Cmd) *exec.Cmd {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd
}
