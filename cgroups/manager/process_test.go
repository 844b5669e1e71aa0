package manager

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/cgroups"
)

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
