package manager

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups"
)

// onSystemd runs fn with the systemd variant, and a unit name.
func onSystemd(t *testing.T, fn func(t *testing.T, v variant, unit string)) {
	for _, v := range variants(t) {
		if v.systemd {
			t.Run(v.name, func(t *testing.T) {
				t.Parallel()
				fn(t, v, fmt.Sprintf("%s-%d", strings.ReplaceAll(t.Name(), "/", "-"), os.Getpid()))
			})
			return
		}
	}
	t.Skip("systemd does not run here")
}

// unit returns a manager for slice:prefix:name, and below it sub.
func (v variant) unit(t *testing.T, path, sub string) cgroups.Manager {
	t.Helper()
	r := v.request(t)
	r.CgroupsPath, r.Sub = path, sub
	p, err := cgroups.Resolve(r)
	if err != nil {
		t.Fatal(err)
	}
	m, err := New(v.layout.Config(p))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Destroy(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return m
}

// show returns properties of the unit as systemctl prints them.
func show(t *testing.T, m cgroups.Manager, names ...string) []string {
	t.Helper()
	u := m.Config().Unit
	args := []string{"show", u.Name, "-p", strings.Join(names, ",")}
	if u.User {
		args = append([]string{"--user"}, args...)
	}
	out, err := exec.Command("systemctl", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	return lines
}

func TestSystemdProperties(t *testing.T) {
	onSystemd(t, func(t *testing.T, v variant, unit string) {
		m := v.unit(t, ":tare:"+unit, "")
		p := sleeper(t)
		err := m.Create(t.Context(), cgroups.CreateOptions{PID: p.Process.Pid, Description: "a test's container",
			Annotations: map[string]string{"org.systemd.property.TimeoutStopSec": "7", "other": "x"}})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"Delegate=yes", "Description=a test's container", "Slice=" + m.Config().Unit.Slice, "TimeoutStopUSec=7s"}
		if got := show(t, m, "Description", "Delegate", "Slice", "TimeoutStopUSec"); !slices.Equal(got, want) {
			t.Errorf("at the start: %q, want %q", got, want)
		}
		if m.Config().Mode() != cgroups.V2 {
			t.Skip("the limits' properties differ on v1")
		}
		if _, err := m.Set(t.Context(), &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr[int64](64 * mib), Swap: ptr[int64](64 * mib)},
			Pids: &specs.LinuxPids{Limit: ptr[int64](40)}}); err != nil {
			t.Fatal(err)
		}
		want = []string{"MemoryMax=67108864", "MemorySwapMax=0", "TasksMax=40"}
		if got := show(t, m, "MemoryMax", "MemorySwapMax", "TasksMax"); !slices.Equal(got, want) {
			t.Errorf("after Set: %q, want %q", got, want)
		}
		if _, err := m.Update(t.Context(), &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr[int64](50)},
			HugepageLimits: []specs.LinuxHugepageLimit{{Pagesize: "3MB"}}}); err == nil {
			t.Error("a bad Update succeeded")
		}
		if got := show(t, m, "MemoryMax", "MemorySwapMax", "TasksMax"); !slices.Equal(got, want) {
			t.Errorf("after a failed Update: %q, want %q", got, want)
		}
	})
}

// TestSystemdForgetsFailedUnit: a unit that systemd has ended by force stays
// as "failed" and holds its name.
func TestSystemdForgetsFailedUnit(t *testing.T) {
	onSystemd(t, func(t *testing.T, v variant, unit string) {
		m := v.unit(t, ":tare:"+unit, "")
		p := sleeper(t)
		o := cgroups.CreateOptions{PID: p.Process.Pid, Annotations: map[string]string{"org.systemd.property.RuntimeMaxSec": "0.1"}}
		if err := m.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait() // systemd ends it
		for show(t, m, "ActiveState")[0] != "ActiveState=failed" {
			if t.Context().Err() != nil {
				t.Fatal("the unit never failed")
			}
		}
		again := sleeper(t)
		if err := m.Create(t.Context(), cgroups.CreateOptions{PID: again.Process.Pid}); err != nil {
			t.Fatal(err)
		}
		if err := m.Join(again.Process.Pid, cgroups.All); err != nil {
			t.Fatal(err)
		}
		if pids, err := m.Pids(true); err != nil || !slices.Equal(pids, []int{again.Process.Pid}) {
			t.Errorf("%v, %v", pids, err)
		}
		if err := m.Destroy(t.Context()); err != nil || m.Exists() {
			t.Errorf("%v, exists %v", err, m.Exists())
		}
		if got := show(t, m, "LoadState"); got[0] != "LoadState=not-found" {
			t.Errorf("after Destroy: %q", got)
		}
		if err := m.Destroy(t.Context()); err != nil {
			t.Errorf("Destroy again: %v", err)
		}
	})
}

func TestSystemdSubCgroup(t *testing.T) {
	onSystemd(t, func(t *testing.T, v variant, unit string) {
		m := v.unit(t, ":tare:"+unit, "container")
		p := sleeper(t)
		if err := m.Create(t.Context(), cgroups.CreateOptions{PID: p.Process.Pid}); err != nil {
			t.Fatal(err)
		}
		if pids, err := m.Pids(false); err != nil || !slices.Equal(pids, []int{p.Process.Pid}) || !strings.HasSuffix(m.Config().Path, ".scope/container") {
			list, perr := cgroups.Of(p.Process.Pid)
			t.Errorf("%s: %v, %v; process %d is in %v, %v", m.Config().Path, pids, err, p.Process.Pid, list, perr)
		}
		if _, err := m.Set(t.Context(), &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr[int64](33)}}); err != nil {
			t.Error(err)
		}
		if err := m.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait()
		if err := m.Destroy(t.Context()); err != nil || m.Exists() {
			t.Errorf("%v, exists %v", err, m.Exists())
		}
		for _, d := range m.Config().Dirs {
			if _, err := os.Stat(strings.TrimSuffix(d.Path, "/container")); err == nil {
				t.Errorf("%s: its parent is left", d.Path)
			}
		}
	})
}

func TestSystemdSlice(t *testing.T) {
	onSystemd(t, func(t *testing.T, v variant, unit string) {
		name := strings.ReplaceAll(unit, "-", "_")
		m := v.unit(t, "-.slice::"+name+".slice", "")
		if m.NeedsPID() {
			t.Fatal("a slice needs no process")
		}
		if err := m.Create(t.Context(), cgroups.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		p := sleeper(t)
		if err := m.Join(p.Process.Pid, cgroups.All); err != nil {
			t.Fatal(err)
		}
		checkJoined(t, m, p.Process.Pid, cgroups.All)
		if err := m.Kill(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait()
		if err := m.Destroy(t.Context()); err != nil || m.Exists() {
			t.Errorf("%v, exists %v", err, m.Exists())
		}
	})
}

// TestSystemdBusAway: an operation on a bus that is not there says so, soon.
func TestSystemdBusAway(t *testing.T) {
	c := cgroups.Config{Kind: cgroups.Systemd, Path: "/x.slice/tare-absent.scope", Unit: &cgroups.Unit{
		Name: "tare-absent.scope", Slice: "x.slice", Bus: "unix:path=/nonexistent/bus"},
		Dirs: []cgroups.Dir{{Hierarchy: cgroups.Hierarchy{Mount: "/nonexistent", Version: 2}, Path: "/nonexistent/x.slice/tare-absent.scope"}}}
	m, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	err = m.Create(t.Context(), cgroups.CreateOptions{PID: os.Getpid()})
	if err == nil || !strings.Contains(err.Error(), `start unit "tare-absent.scope": connect to bus "unix:path=/nonexistent/bus": `) {
		t.Errorf("Create: %v", err)
	}
	if err := m.Destroy(t.Context()); err != nil {
		t.Errorf("Destroy of what never was: %v", err)
	}
	if time.Since(begin) > 20*time.Second {
		t.Error("that took a time-out")
	}
}
