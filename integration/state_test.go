package integration

import (
	"encoding/json"
	"fmt"
	"os"
	osuser "os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// fullState is the state with what goes beyond the specification.
type fullState struct {
	specs.State
	Rootfs  string `json:"rootfs"`
	Created string `json:"created"`
	Owner   string `json:"owner"`
}

func (b *bundle) fullState() fullState {
	b.t.Helper()
	return decode[fullState](b.t, b.tare("state", b.id).ok(b.t).out)
}

func TestStateHasAllFields(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Annotations = map[string]string{"k": "v"} })
	before := time.Now().Add(-time.Second)
	b.hold()
	st := b.fullState()
	if !strings.HasPrefix(st.Version, "1.") || st.ID != b.id || st.Status != "running" || !alive(st.Pid) || st.Bundle != b.path ||
		st.Rootfs != b.rootfs || st.Annotations["k"] != "v" {
		t.Errorf("%+v", st)
	}
	created, err := time.Parse(time.RFC3339Nano, st.Created)
	if err != nil || created.Before(before) || created.After(time.Now()) || !strings.HasSuffix(st.Created, "Z") {
		t.Errorf("created %q: %v", st.Created, err)
	}
}

func TestStatePidIsTheHostPidOfInit(t *testing.T) {
	b := newBundle(t)
	b.hold()
	pid := b.state().Pid
	if got := strings.Fields(procField(t, pid, "NSpid")); len(got) != 2 || got[1] != "1" {
		t.Errorf("NSpid %v", got)
	}
}

func TestStateOfAStoppedContainerHasPidZero(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.detach()
	b.waitStopped()
	if st := b.state(); st.Pid != 0 {
		t.Errorf("%+v", st)
	}
}

func TestStateOwner(t *testing.T) {
	b := newBundle(t)
	b.hold()
	var got []fullState
	check(t, json.Unmarshal([]byte(b.tare("list", "-f", "json").ok(t).out), &got))
	me, err := osuser.Current()
	check(t, err)
	if len(got) != 1 || got[0].Owner != me.Username || got[0].ID != b.id || got[0].Status != "running" {
		t.Errorf("%+v", got)
	}
}

func TestStateIsStoppedWhateverTheStateInitWasKilledIn(t *testing.T) {
	for name, to := range map[string]func(*bundle){
		"created": func(b *bundle) { b.edit(prog("hold")); b.create() },
		"running": func(b *bundle) { b.hold() },
		"paused": func(b *bundle) {
			needController(b.t, "freezer")
			b.hold()
			b.tare("pause", b.id).ok(b.t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t)
			to(b)
			check(t, syscall.Kill(b.state().Pid, syscall.SIGKILL))
			if name == "paused" { // v1 freezes a dying process too
				b.tare("resume", b.id)
			}
			b.waitStopped()
			b.tare("delete", b.id).ok(t)
			b.wantGone()
		})
	}
}

func TestStateOfAZombieIsStopped(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.write()
	b.live = true
	// The caller of create becomes the parent of init and never reaps it.
	cmd := b.cmd(b.line("create", nil)...)
	cmd.Args = append([]string{filepath.Join(suite.base, "testprog"), "zombies"}, cmd.Args...)
	cmd.Path = cmd.Args[0]
	c := b.begin(cmd)
	t.Cleanup(func() { c.cmd.Process.Kill(); <-c.done })
	waitFor(t, "create", func() bool { return strings.Contains(c.text(), "held") })
	pid := b.state().Pid
	b.start().ok(t)
	waitFor(t, "the zombie", func() bool { return strings.HasPrefix(procField(t, pid, "State"), "Z") })
	if st := b.state(); st.Status != specs.StateStopped || st.Pid != 0 {
		t.Errorf("%+v", st)
	}
	b.tare("kill", b.id).fails(t, "container not running")
	b.tare("delete", b.id).ok(t)
	b.wantGone()
}

func TestStateComparesTheStartTimeOfThePid(t *testing.T) {
	onlyTare(t, "the record is tare's own")
	b := newBundle(t)
	b.hold()
	pid := b.state().Pid
	other := holder(t, 0)
	rewriteRecord(t, b, pid, other)
	if st := b.state(); st.Status != specs.StateStopped {
		t.Errorf("a process that is not init counts as it: %+v", st)
	}
	b.tare("kill", b.id, "KILL").fails(t, "container not running")
	if !alive(other) {
		t.Error("killed a foreign process")
	}
	rewriteRecord(t, b, other, pid)
	b.wantStatus(specs.StateRunning)
}

// rewriteRecord replaces one pid by another in the record, as if the first had been reused.
func rewriteRecord(t *testing.T, b *bundle, from, to int) {
	t.Helper()
	path := filepath.Join(b.root, b.id, "state.json")
	text := readFile(t, path)
	changed := text
	for _, form := range []string{`"pid":%d,`, `"pid": %d,`} {
		changed = strings.ReplaceAll(changed, fmt.Sprintf(form, from), fmt.Sprintf(form, to))
	}
	if changed == text {
		t.Fatalf("no pid %d in the record %s", from, text)
	}
	writeFile(t, path, changed)
}

func TestStateDirectoryModes(t *testing.T) {
	b := newBundle(t)
	b.hold()
	info, err := os.Stat(filepath.Join(b.root, b.id))
	check(t, err)
	if info.Mode().Perm()&0o066 != 0 {
		t.Errorf("mode %v", info.Mode())
	}
	entries, _ := os.ReadDir(filepath.Join(b.root, b.id))
	for _, e := range entries {
		if i, err := e.Info(); err == nil && i.Mode().IsRegular() && i.Mode().Perm()&0o022 != 0 {
			t.Errorf("%s is writable by others: %v", e.Name(), i.Mode())
		}
	}
}

func TestStateIsAlwaysWholeWhileItChanges(t *testing.T) {
	b := newBundle(t, prog("hold"))
	b.create()
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Add(1)
	go func() {
		defer wg.Done()
		for {
			select {
			case <-stop:
				return
			default:
			}
			data, err := os.ReadFile(filepath.Join(b.root, b.id, "state.json"))
			if err == nil && !json.Valid(data) {
				t.Errorf("half a record: %q", data)
				return
			}
		}
	}()
	needGranted(t)
	b.start().ok(t)
	for i := range 5 {
		b.tare("update", "--pids-limit", itoa(100+i), b.id).ok(t)
	}
	close(stop)
	wg.Wait()
}

func TestHalfAStateDirectoryCanBeDeleted(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"empty":            {},
		"empty record":     {"state.json": ""},
		"cut record":       {"state.json": `{"id":"x","pid":`},
		"a record of null": {"state.json": "null"},
	} {
		t.Run(name, func(t *testing.T) {
			not(t, "runc", "1.1 fails for some")
			b := newBundle(t)
			dir := filepath.Join(b.root, b.id)
			mkdirs(t, dir)
			for n, text := range files {
				writeFile(t, filepath.Join(dir, n), text)
			}
			if r := b.tare("state", b.id); r.code != 1 || strings.Contains(r.err, "goroutine") {
				t.Errorf("%v", r)
			}
			b.tare("delete", "--force", b.id).ok(t)
			b.wantGone()
		})
	}
}

func TestListTableHasItsColumns(t *testing.T) {
	b := newBundle(t)
	b.hold()
	lines := strings.Split(strings.TrimSpace(b.tare("list").ok(t).out), "\n")
	if got := strings.Fields(lines[0]); strings.Join(got, " ") != "ID PID STATUS BUNDLE CREATED OWNER" {
		t.Errorf("%q", lines[0])
	}
	if f := strings.Fields(lines[1]); len(lines) != 2 || f[0] != b.id || f[1] != itoa(b.state().Pid) || f[2] != "running" || f[3] != b.path {
		t.Errorf("%q", lines)
	}
}

func TestListQuietPrintsOnlyIDs(t *testing.T) {
	b := newBundle(t)
	b.hold()
	if out := b.tare("list", "--quiet").ok(t).out; out != b.id+"\n" {
		t.Errorf("%q", out)
	}
}

func TestListOfAnEmptyRoot(t *testing.T) {
	b := newBundle(t)
	if out := b.tare("list", "-f", "json").ok(t).out; strings.TrimSpace(out) != "null" && strings.TrimSpace(out) != "[]" {
		t.Errorf("%q", out)
	}
	if out := b.tare("list", "-q").ok(t).out; out != "" {
		t.Errorf("%q", out)
	}
}

func TestListGoesOnAfterAnUnreadableEntry(t *testing.T) {
	b := newBundle(t)
	b.hold()
	bad := filepath.Join(b.root, "broken")
	mkdirs(t, bad)
	writeFile(t, bad+"/state.json", "{")
	t.Cleanup(func() { os.RemoveAll(bad) })
	r := b.tare("list")
	if !strings.Contains(r.out, b.id) || strings.Count(r.err, `container "broken"`) != 1 {
		not(t, "runc", "1.1 names no container")
		t.Errorf("%v", r)
	}
}

func TestListSortsNothingAway(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.detach()
	b.waitStopped()
	if out := b.tare("list").ok(t).out; !strings.Contains(out, "stopped") {
		t.Errorf("%q", out)
	}
}
