package manager

import (
	"encoding/json"
	"errors"
	"os"
	"slices"
	"testing"

	"tare/cgroups"
)

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

// TestSweepHalfMade: a create killed between two mkdirs leaves some of the
// directories, and a later process that knows only the Config removes them.
func TestSweepHalfMade(t *testing.T) {
	eachFiles(t, func(t *testing.T, m cgroups.Manager) {
		c := m.Config()
		for i, d := range c.Dirs {
			if i%2 == 0 {
				if err := os.MkdirAll(d.Path+"/left", 0o755); err != nil {
					t.Fatal(err)
				}
			}
		}
		later, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		if !later.Exists() {
			t.Error("half a cgroup does not exist")
		}
		if err := errors.Join(later.Kill(t.Context()), later.Destroy(t.Context())); err != nil || later.Exists() {
			t.Errorf("%v, exists %v", err, later.Exists())
		}
	})
}
