package manager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
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

func name(t *testing.T) string {
	return fmt.Sprintf("/tare-cgroups-%d/%s", os.Getpid(), strings.ReplaceAll(t.Name(), "/", "-"))
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

func TestLifecycle(t *testing.T) {
	each(t, func(t *testing.T, m cgroups.Manager) {
		if m.Exists() {
			t.Fatal("exists before Create")
		}
		settle := create(t, m)
		if !m.Exists() {
			t.Fatal("does not exist after Create")
		}
		for c, dir := range m.Config().Dirs {
			if _, err := os.Stat(dir.Path); err != nil {
				t.Errorf("%v: %v", c, err)
			}
		}
		p := sleeper(t)
		if err := m.Join(p.Process.Pid, cgroups.Early); err != nil {
			t.Fatal(err)
		}
		checkJoined(t, m, p.Process.Pid, cgroups.Early)
		if err := m.Join(p.Process.Pid, cgroups.Late); err != nil {
			t.Fatal(err)
		}
		checkJoined(t, m, p.Process.Pid, cgroups.All)
		settle()
		pids, err := m.Pids(false)
		if err != nil || !slices.Equal(pids, []int{p.Process.Pid}) {
			t.Fatalf("Pids: %v, %v", pids, err)
		}
		if err := m.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := p.Wait(); err == nil || err.Error() != "signal: killed" {
			t.Fatalf("process ended with %v", err)
		}
		for range 2 {
			if err := m.Destroy(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if m.Exists() {
			t.Fatal("exists after Destroy")
		}
		if pids, err := m.Pids(true); err != nil || len(pids) != 0 {
			t.Fatalf("Pids after Destroy: %v, %v", pids, err)
		}
		if err := m.Kill(t.Context()); err != nil {
			t.Fatalf("Kill after Destroy: %v", err)
		}
		if frozen, err := m.Frozen(); err != nil || frozen {
			t.Fatalf("Frozen after Destroy: %v, %v", frozen, err)
		}
	})
}

// checkJoined compares /proc/PID/cgroup with what the phase should have moved.
func checkJoined(t *testing.T, m cgroups.Manager, pid int, p cgroups.Phase) {
	t.Helper()
	list, err := cgroups.Of(pid)
	if err != nil {
		t.Fatal(err)
	}
	c := m.Config()
	for _, d := range c.Dirs {
		late := d.Has("memory") || d.Has("pids") || c.Mode() == cgroups.V2
		want := p&cgroups.Early != 0 && !late || p&cgroups.Late != 0 && late
		i := slices.IndexFunc(list, func(ms cgroups.Membership) bool { return slices.Equal(ms.Controllers, d.Controllers) })
		if got := i >= 0 && list[i].Path == c.Path; got != want {
			t.Errorf("hierarchy %v: joined %v, want %v (%v)", d.Controllers, got, want, list)
		}
	}
}

func TestRebuiltFromRecord(t *testing.T) {
	each(t, func(t *testing.T, m cgroups.Manager) {
		settle := create(t, m)
		text, err := json.Marshal(m.Config())
		if err != nil {
			t.Fatal(err)
		}
		var c cgroups.Config
		if err := json.Unmarshal(text, &c); err != nil {
			t.Fatal(err)
		}
		later, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		p := sleeper(t)
		if err := later.Join(p.Process.Pid, cgroups.All); err != nil {
			t.Fatal(err)
		}
		settle()
		if pids, err := later.Pids(true); err != nil || !slices.Equal(pids, []int{p.Process.Pid}) {
			t.Fatalf("%v, %v", pids, err)
		}
		if err := later.Undo(t.Context()); err != nil || !later.Exists() {
			t.Fatalf("Undo by another than the creator: %v, exists %v", err, later.Exists())
		}
		if err := later.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait()
		if err := later.Destroy(t.Context()); err != nil || later.Exists() {
			t.Fatalf("%v, exists %v", err, later.Exists())
		}
	})
}

func TestCreateRefusesInhabited(t *testing.T) {
	eachFiles(t, func(t *testing.T, m cgroups.Manager) {
		create(t, m)
		p := sleeper(t)
		if err := m.Join(p.Process.Pid, cgroups.All); err != nil {
			t.Fatal(err)
		}
		again, err := New(m.Config())
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Create(t.Context(), cgroups.CreateOptions{}); !errors.Is(err, cgroups.ErrNotEmpty) {
			t.Fatalf("Create in a used cgroup: %v", err)
		}
		if !again.Exists() {
			t.Fatal("the refused Create removed the cgroup")
		}
		if err := m.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait()
		if err := m.Freeze(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := again.Create(t.Context(), cgroups.CreateOptions{}); !errors.Is(err, cgroups.ErrFrozen) {
			t.Fatalf("Create in a frozen cgroup: %v", err)
		}
	})
}

func TestUndoRemovesOnlyItsOwn(t *testing.T) {
	eachFiles(t, func(t *testing.T, m cgroups.Manager) {
		create(t, m)
		sub, err := New(under(m.Config(), "/deep/leaf"))
		if err != nil {
			t.Fatal(err)
		}
		create(t, sub)
		if err := sub.Undo(t.Context()); err != nil {
			t.Fatal(err)
		}
		if sub.Exists() {
			t.Error("the leaf is left")
		}
		for _, d := range m.Config().Dirs {
			if _, err := os.Stat(d.Path + "/deep"); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s/deep is left: %v", d.Path, err)
			}
			if _, err := os.Stat(d.Path); err != nil {
				t.Errorf("what another made is gone: %v", err)
			}
		}
	})
}

func TestFreeze(t *testing.T) {
	each(t, func(t *testing.T, m cgroups.Manager) {
		create(t, m)
		p := start(t, exec.Command("sh", "-c", "while :; do :; done"))
		if err := m.Join(p.Process.Pid, cgroups.All); err != nil {
			t.Fatal(err)
		}
		if err := m.Freeze(t.Context()); err != nil {
			t.Fatal(err)
		}
		if frozen, err := m.Frozen(); err != nil || !frozen {
			t.Fatalf("Frozen: %v, %v", frozen, err)
		}
		before := ticks(t, p.Process.Pid)
		time.Sleep(50 * time.Millisecond) // the test's subject: it must not run now
		if after := ticks(t, p.Process.Pid); after != before {
			t.Errorf("a frozen process ran: %s, then %s ticks", before, after)
		}
		if err := m.Thaw(t.Context()); err != nil {
			t.Fatal(err)
		}
		if frozen, err := m.Frozen(); err != nil || frozen {
			t.Fatalf("Frozen after Thaw: %v, %v", frozen, err)
		}
		if err := m.Freeze(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := m.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait() // returns only if Kill reached the frozen process
		if frozen, err := m.Frozen(); err != nil || frozen {
			t.Fatalf("Frozen after Kill: %v, %v", frozen, err)
		}
	})
}

// ticks returns user and system time of a process, as text.
func ticks(t *testing.T, pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	f := strings.Fields(string(b[strings.LastIndexByte(string(b), ')'):]))
	return f[12] + "+" + f[13]
}

func TestKillTree(t *testing.T) {
	each(t, func(t *testing.T, m cgroups.Manager) {
		settle := create(t, m)
		c := m.Config()
		for _, d := range c.Dirs {
			if err := os.MkdirAll(d.Path+"/a/b", 0o755); err != nil {
				t.Fatal(err)
			}
			if d.Has("cpuset") {
				for _, f := range []string{"/a", "/a/b"} {
					for _, n := range []string{"/cpuset.cpus", "/cpuset.mems"} {
						v, _ := os.ReadFile(d.Path + n)
						if err := os.WriteFile(d.Path+f+n, v, 0); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
		}
		deep, err := c.Sub([]string{"a/b"})
		if err != nil {
			t.Fatal(err)
		}
		sub, err := New(deep)
		if err != nil {
			t.Fatal(err)
		}
		one, two := sleeper(t), sleeper(t)
		if err := errors.Join(m.Join(one.Process.Pid, cgroups.All), sub.Join(two.Process.Pid, cgroups.All)); err != nil {
			t.Fatal(err)
		}
		settle()
		if pids, err := m.Pids(true); err != nil || len(pids) != 2 {
			t.Fatalf("Pids: %v, %v", pids, err)
		}
		now, err := c.Current(two.Process.Pid)
		if err != nil || !slices.EqualFunc(now.Dirs, deep.Dirs, func(a, b cgroups.Dir) bool { return a.Path == b.Path }) {
			t.Fatalf("Current: %v, %v", now.Dirs, err)
		}
		if err := m.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, _ = one.Process.Wait()
		_, _ = two.Process.Wait()
		if err := m.Destroy(t.Context()); err != nil || m.Exists() {
			t.Fatalf("Destroy: %v, exists %v", err, m.Exists())
		}
	})
}

func TestDestroyWaitsForTheLastProcess(t *testing.T) {
	each(t, func(t *testing.T, m cgroups.Manager) {
		if m.NeedsPID() {
			t.Skip("systemd ends what is in a unit that it stops")
		}
		create(t, m)
		p := sleeper(t)
		if err := m.Join(p.Process.Pid, cgroups.All); err != nil {
			t.Fatal(err)
		}
		short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := m.Destroy(short); !errors.Is(err, unix.EBUSY) {
			t.Fatalf("Destroy of a used cgroup: %v", err)
		}
		done := make(chan error)
		go func() { done <- m.Destroy(t.Context()) }()
		if err := p.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait()
		if err := <-done; err != nil || m.Exists() {
			t.Fatalf("Destroy: %v, exists %v", err, m.Exists())
		}
	})
}

// TestContention has workers make and remove cgroups whose parents they share
// and undo, so that parents vanish under each other's feet.
func TestContention(t *testing.T) {
	eachFiles(t, func(t *testing.T, m cgroups.Manager) {
		var wg sync.WaitGroup
		for w := range 8 {
			wg.Go(func() {
				for i := range 25 {
					one, err := New(under(m.Config(), fmt.Sprintf("/%d/shared/%d", i%2, w)))
					if err == nil {
						err = one.Create(context.Background(), cgroups.CreateOptions{})
					}
					if err == nil {
						err = one.Undo(context.Background())
					}
					if err != nil {
						t.Errorf("worker %d, round %d: %v", w, i, err)
						return
					}
				}
			})
		}
		wg.Wait()
		create(t, m) // for the clean-up to find, whatever is left below
	})
}

func TestCloneIntoCgroup(t *testing.T) {
	each(t, func(t *testing.T, m cgroups.Manager) {
		create(t, m)
		c := m.Config()
		fd, err := m.FD()
		if c.Mode() == cgroups.V1 {
			if !errors.Is(err, cgroups.ErrNotSupported) {
				t.Fatalf("FD on v1: %d, %v", fd, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		cmd := exec.Command("cat", "/proc/self/cgroup")
		cmd.SysProcAttr = &unix.SysProcAttr{UseCgroupFD: true, CgroupFD: fd}
		out, err := cmd.Output()
		if err != nil || !strings.Contains(string(out), "0::"+c.Path+"\n") {
			t.Fatalf("%v: %s", err, out)
		}
	})
}

func TestDevices(t *testing.T) {
	each(t, func(t *testing.T, m cgroups.Manager) {
		create(t, m)
		if m.Config().Rootless {
			w, err := m.SetDevices(t.Context(), nil)
			if err != nil || len(w) == 0 {
				t.Errorf("SetDevices without privilege: %q, %v", w, err)
			}
			return
		}
		zero, kmsg := "/dev/zero", "/dev/kmsg"
		if err := tryOpen(t, m, kmsg); err != nil {
			t.Skipf("/dev/kmsg cannot be opened here at all: %v", err)
		}
		kmsgRule := []specs.LinuxDeviceCgroup{{Allow: true, Type: "c", Major: ptr[int64](1), Minor: ptr[int64](11), Access: "rw"}}
		for _, step := range []struct {
			rules []specs.LinuxDeviceCgroup
			kmsg  bool
		}{{nil, false}, {kmsgRule, true}, {nil, false}, {[]specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}, true}} {
			if _, err := m.SetDevices(t.Context(), step.rules); err != nil {
				t.Fatal(err)
			}
			if err := tryOpen(t, m, zero); err != nil {
				t.Errorf("rules %v: open %s: %v", step.rules, zero, err)
			}
			if err := tryOpen(t, m, kmsg); (err == nil) != step.kmsg {
				t.Errorf("rules %v: open %s: %v", step.rules, kmsg, err)
			}
		}
	})
}

func ptr[T any](v T) *T { return &v }

// tryOpen reads a device from a process inside the cgroup.
func tryOpen(t *testing.T, m cgroups.Manager, dev string) error {
	t.Helper()
	cmd := exec.Command("sh", "-c", "read go; exec 3<"+dev)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := m.Join(cmd.Process.Pid, cgroups.All); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(in)
	return cmd.Wait()
}
