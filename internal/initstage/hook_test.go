package initstage_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"tare/internal/step"
	"tare/internal/sys"
)

// script writes a shell script and gives its path.
func script(t *testing.T, text string) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(p, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func hookStep(path string, args ...string) *step.Hook {
	return &step.Hook{Place: step.At("hooks.createContainer[0]"), Name: "createContainer", Path: path,
		Args: append([]string{"hook"}, args...), Env: []string{"PATH=/usr/bin:/bin", "X=y z"},
		StateHead: []byte(`{"id":"a","pid":`), StateTail: []byte(`,"bundle":"/b"}`)}
}

func TestHookGetsStateAndEnvironment(t *testing.T) {
	needRoot(t)
	t.Parallel()
	out := filepath.Join(t.TempDir(), "out")
	h := hookStep(script(t, `{ cat; echo; echo "$0|$1|$X|$PWD|$(umask)"; env | wc -l; ls /proc/self/fd | tr '\n' ' '; } > `+out), "one")
	h.Dir = "/usr"
	j := &job{t: t, clone: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, steps: append([]step.Step{h}, plain()...)}
	j.env = []string{"TEST_UMASK=031"}
	j.start()
	j.finish()
	got, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(got), "\n")
	// $0 is the script's path, whatever argv[0] says: the shell is the interpreter.
	if lines[0] != `{"id":"a","pid":1,"bundle":"/b"}` {
		t.Errorf("state: %s", lines[0])
	}
	if want := h.Path + "|one|y z|/usr|0031"; lines[1] != want {
		t.Errorf("got %s, want %s", lines[1], want)
	}
	if lines[3] != "0 1 2 3 " { // 3 is ls's own
		t.Errorf("descriptors of the hook: %s", lines[3])
	}
}

func TestHookWithoutDirRunsInTheRootfs(t *testing.T) {
	needRoot(t)
	t.Parallel()
	rootfs, head := bundle(t)
	out := filepath.Join(t.TempDir(), "out")
	j := &job{t: t, clone: testClone, steps: join(head, []step.Step{hookStep(script(t, "pwd > "+out)), &step.PivotRoot{}}, ending())}
	j.start()
	j.finish()
	if got, _ := os.ReadFile(out); strings.TrimSpace(string(got)) != rootfs {
		t.Errorf("got %s, want %s", got, rootfs)
	}
}

func TestHookFailures(t *testing.T) {
	t.Parallel()
	pidFile := filepath.Join(t.TempDir(), "pid")
	slow := script(t, "echo slow; sleep 1000 & echo $! > "+pidFile+"; wait")
	for _, c := range []struct {
		name, text string
		hook       *step.Hook
		errno      syscall.Errno
	}{
		{"status", `exit status 3, output: "out\nmore"`, hookStep(script(t, "cat >/dev/null; echo out; echo more; exit 3")), 0},
		{"stderr", `exit status 1, output: "err"`, hookStep(script(t, "echo err >&2; exit 1")), 0},
		{"signal", `killed by signal 15 (terminated)`, hookStep(script(t, "kill -TERM $$")), 0},
		{"missing", `no such file or directory`, hookStep("/no/such/hook"), syscall.ENOENT},
		{"format", `exec format error`, hookStep(notProgram(t)), syscall.ENOEXEC},
		{"timeout", `: hook ran past specified timeout of 0.3s, output: "slow"`, timed(hookStep(slow), 300), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			j := &job{t: t, steps: append([]step.Step{c.hook}, plain()...)}
			j.start()
			r := j.failure()
			if !strings.Contains(text(r), c.text) || r.Op != "hook" || r.Value != c.hook.Path || r.At != c.hook.At || r.Errno != uint32(c.errno) {
				t.Errorf("got %s (%+v), want %s", text(r), r, c.text)
			}
			if c.name == "timeout" {
				pid, err := os.ReadFile(pidFile)
				if err != nil {
					t.Fatal(err)
				}
				gone(t, string(pid))
			}
		})
	}
}

func timed(h *step.Hook, ms uint64) *step.Hook {
	h.TimeoutMS = ms
	return h
}

func notProgram(t *testing.T) string {
	p := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(p, []byte("\x01\x02\x03 no program"), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestHookOutputIsBounded(t *testing.T) {
	t.Parallel()
	j := &job{t: t, steps: append([]step.Step{hookStep(script(t, "yes 0123456789 | head -c 300000; echo the end; exit 1"))}, plain()...)}
	j.start()
	r := j.failure()
	if n := len(r.Text); n < 4000 || n > 16<<10 || !strings.HasSuffix(r.Text, `the end"`) {
		t.Errorf("%d bytes, ending %q", n, r.Text[max(0, n-20):])
	}
}

// A hook that does not read its state, and one larger than a pipe, are no errors.
func TestHookThatDoesNotRead(t *testing.T) {
	t.Parallel()
	h := hookStep(script(t, "exec <&-; exit 0"))
	h.StateTail = make([]byte, 1<<20)
	big := filepath.Join(t.TempDir(), "n")
	h2 := hookStep(script(t, "wc -c > "+big))
	h2.StateTail = make([]byte, 1<<20)
	j := &job{t: t, steps: append([]step.Step{h, h2}, plain()...)}
	j.start()
	j.finish()
	if got, _ := os.ReadFile(big); len(strings.TrimSpace(string(got))) != 7 {
		t.Errorf("read %s bytes of a MiB", got)
	}
}

// In a new pid namespace the orphans of a hook are the init's to reap.
func TestHookLeavesNoZombie(t *testing.T) {
	needRoot(t)
	t.Parallel()
	done := filepath.Join(t.TempDir(), "done")
	if err := syscall.Mkfifo(done, 0o600); err != nil {
		t.Fatal(err)
	}
	_, head := bundle(t)
	// The orphan's end of the FIFO closes when it dies: only then does the hook end.
	h := hookStep(script(t, "( (echo x > "+done+") & ) ; cat "+done+"; sleep 0.1"))
	h.Dir = "/"
	j := &job{t: t, clone: testClone, steps: join(head, []step.Step{h, &step.PivotRoot{}}, ending("zombies="))}
	j.start()
	if s, _ := j.finish(); s.Read["zombies="] != "" {
		t.Errorf("left: %s", s.Read["zombies="])
	}
}

// A grandchild that keeps the hook's output open must not hold up the start.
func TestHookLeavesADaemon(t *testing.T) {
	needRoot(t)
	t.Parallel()
	j := &job{t: t, clone: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, steps: append([]step.Step{hookStep(script(t, "sleep 1000 &\nexit 0"))}, plain()...)}
	j.start()
	j.finish()
}

func TestHostGoneKillsTheHook(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	j := &job{t: t, steps: append([]step.Step{hookStep(script(t, "echo $$ > "+fifo+"; sleep 1000"))}, plain()...)}
	j.start()
	pid, err := os.ReadFile(fifo)
	if err != nil {
		t.Fatal(err)
	}
	j.conn.Close()
	if state, err := j.cmd.Wait(); err != nil || state.ExitCode() != 1 {
		t.Fatalf("init: %v %v", state, err)
	}
	gone(t, string(pid))
}

// gone waits until the process has ended, if only as a zombie.
func gone(t *testing.T, pid string) {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(pid))
	if err != nil {
		t.Fatal(err)
	}
	fd, err := sys.PidfdOpen(n)
	if err != nil {
		return
	}
	defer fd.Close()
	readable(t, fd.Int())
}
