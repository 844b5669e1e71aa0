package manager

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/cgroups"
)

func TestSignal(t *testing.T) {
	each(t, func(t *testing.T, m cgroups.Manager) {
		settle := create(t, m)
		one, two, out := sleeper(t), sleeper(t), sleeper(t)
		for _, p := range []*exec.Cmd{one, two} {
			if err := m.Join(p.Process.Pid, cgroups.All); err != nil {
				t.Fatal(err)
			}
		}
		settle()
		if err := cgroups.Signal(t.Context(), m, unix.SIGUSR1); err != nil {
			t.Fatal(err)
		}
		for _, p := range []*exec.Cmd{one, two} {
			if err := p.Wait(); err == nil || err.Error() != "signal: user defined signal 1" {
				t.Errorf("a member ended with %v", err)
			}
		}
		if err := out.Process.Signal(syscall.Signal(0)); err != nil {
			t.Errorf("a stranger was hit: %v", err)
		}
		if m.NeedsPID() {
			return // systemd has ended the scope, now that it is empty
		}
		last := sleeper(t)
		if err := errors.Join(m.Join(last.Process.Pid, cgroups.All), cgroups.Signal(t.Context(), m, unix.SIGKILL)); err != nil {
			t.Fatal(err)
		}
		if err := last.Wait(); err == nil || err.Error() != "signal: killed" {
			t.Errorf("a member ended with %v", err)
		}
	})
}

func TestChildAndDelegate(t *testing.T) {
	each(t, func(t *testing.T, m cgroups.Manager) {
		create(t, m)
		c := m.Config()
		for _, bad := range []string{"", "/", "../x", "a/../../b", "a\nb"} {
			if _, err := c.Child(bad); err == nil {
				t.Errorf("Child(%q) is no error", bad)
			}
		}
		child, err := c.Child("payload")
		if err != nil {
			t.Fatal(err)
		}
		sub, err := New(child)
		if err != nil {
			t.Fatal(err)
		}
		create(t, sub)
		const uid = 4242
		if os.Geteuid() != 0 {
			t.Skip("needs root to give files away")
		}
		if err := child.Delegate(uid); err != nil {
			t.Fatal(err)
		}
		if c.Mode() != cgroups.V2 {
			for _, d := range child.Dirs {
				if owner(t, d.Path) != 0 {
					t.Errorf("%s was given away on %v", d.Path, c.Mode())
				}
			}
			return
		}
		for name, want := range map[string]int{"": uid, "cgroup.procs": uid, "cgroup.subtree_control": uid, "cgroup.threads": uid,
			"cgroup.freeze": 0, "cgroup.max.depth": 0, "cgroup.kill": 0} {
			if got := owner(t, filepath.Join(child.Unified(), name)); got != want {
				t.Errorf("%q belongs to %d, want %d", name, got, want)
			}
		}
	})
}

func owner(t *testing.T, path string) int {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return int(st.Uid)
}

// TestBusyParent: below a cgroup with processes there are no controllers, and
// nothing turns it into the root of a threaded subtree but limits that can do
// with that.
func TestBusyParent(t *testing.T) {
	eachFiles(t, func(t *testing.T, m cgroups.Manager) {
		c := m.Config()
		if c.Mode() != cgroups.V2 {
			t.Skip("v1 has no such rule")
		}
		create(t, m)
		p := sleeper(t)
		if err := m.Join(p.Process.Pid, cgroups.All); err != nil {
			t.Fatal(err)
		}
		try := func(name string, r *specs.LinuxResources) (string, error) {
			child, err := c.Child(name)
			if err != nil {
				t.Fatal(err)
			}
			sub, err := New(child)
			if err != nil {
				t.Fatal(err)
			}
			err = sub.Create(t.Context(), cgroups.CreateOptions{Resources: r})
			b, _ := os.ReadFile(child.Unified() + "/cgroup.type")
			return strings.TrimSpace(string(b)), err
		}
		if typ, err := try("plain", nil); err != nil || typ != "domain" {
			t.Errorf("without limits: %q, %v", typ, err)
		}
		if !has(t, m, "memory") || !has(t, m, "pids") {
			t.Skip("no controllers")
		}
		if typ, err := try("limited", limitsFor(t, m)); !errors.Is(err, unix.EBUSY) || typ != "" {
			t.Errorf("with a memory limit: %q, %v", typ, err)
		}
		if typ, err := try("threaded", &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr[int64](9)}}); err != nil || typ != "threaded" {
			t.Errorf("with a pids limit: %q, %v", typ, err)
		}
	})
}

func TestDisabled(t *testing.T) {
	t.Parallel()
	m, err := New(cgroups.Config{Kind: cgroups.Disabled})
	if err != nil {
		t.Fatal(err)
	}
	create(t, m)
	if err := m.Join(os.Getpid(), cgroups.All); err != nil || m.Exists() {
		t.Errorf("Join: %v, exists %v", err, m.Exists())
	}
	if err := m.Freeze(t.Context()); err == nil || !strings.Contains(err.Error(), "cgroups are disabled") {
		t.Errorf("Freeze: %v", err)
	}
}

// What systemd does to cgroups of others in v1 hierarchies, while a container is being made.
func TestJoinMakesAnewWhatWasTakenAway(t *testing.T) {
	each(t, func(t *testing.T, m cgroups.Manager) {
		c := m.Config()
		pids, devs := c.Paths()["pids"], c.Paths()["devices"]
		if m.NeedsPID() || pids == "" || devs == "" {
			t.Skip("not a v1 manager of plain directories")
		}
		create(t, m)
		limit := int64(77)
		if _, err := m.Set(t.Context(), &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: &limit}}); err != nil {
			t.Fatal(err)
		}
		if _, err := m.SetDevices(t.Context(), []specs.LinuxDeviceCgroup{{Access: "rwm"}}); err != nil {
			t.Fatal(err)
		}
		rules, err := os.ReadFile(devs + "/devices.list")
		if err != nil || strings.HasPrefix(string(rules), "a ") {
			t.Fatalf("devices.list: %q, %v", rules, err)
		}
		if err := errors.Join(os.Remove(pids), os.Remove(devs)); err != nil {
			t.Fatal(err)
		}
		p := sleeper(t)
		stranger, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := stranger.Join(p.Process.Pid, cgroups.All); !errors.Is(err, unix.ENOENT) {
			t.Fatalf("a manager that has not made them: %v", err)
		}
		if err := m.Join(p.Process.Pid, cgroups.All); err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]string{
			pids + "/pids.max": "77\n", devs + "/devices.list": string(rules),
			pids + "/cgroup.procs": fmt.Sprintln(p.Process.Pid), devs + "/cgroup.procs": fmt.Sprintln(p.Process.Pid),
		} {
			if b, err := os.ReadFile(path); err != nil || string(b) != want {
				t.Errorf("%s: %q, %v; want %q", path, b, err, want)
			}
		}
	})
}
