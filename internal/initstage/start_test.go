package initstage_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tare/internal/step"
	"tare/internal/sys"
)

// plain is a plan that needs no rootfs: it runs the probe of the host.
func plain(args ...string) []step.Step {
	exe, _ := os.Executable()
	return []step.Step{
		&step.FindExec{Place: step.At("process.args[0]"), Name: exe},
		&step.Exec{Place: step.At("process.args[0]"), Args: append([]string{"probe"}, args...), Env: []string{"A=1", "B=2"}},
	}
}

// listen makes the start listener.
func listen(t *testing.T) (path string, fd int) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "s")
	s, err := sys.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		err = syscall.Bind(s.Int(), &syscall.SockaddrUnix{Name: path})
	}
	if err == nil {
		err = syscall.Listen(s.Int(), 8)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path, s.Disown()
}

func dial(t *testing.T, path string) *sys.FD {
	t.Helper()
	s, err := sys.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := sys.ConnectUnix(s.Int(), path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func waiting(t *testing.T, steps []step.Step) (j *job, path string) {
	t.Helper()
	path, fd := listen(t)
	j = &job{t: t, steps: append([]step.Step{&step.WaitStart{Listener: 1}}, steps...), fds: []int{fd}}
	j.start()
	if m, ok := j.recv(); ok {
		t.Fatalf("message %d %q; want the end of the stream when the init waits for start", m.kind, m.payload)
	}
	syscall.Close(fd) // the init's is the last one now
	return j, path
}

func sayGo(t *testing.T, s *sys.FD) {
	t.Helper()
	if err := sys.SendAll(s.Int(), append(step.AppendHeader(nil, step.MsgGo, 5), "start"...), nil); err != nil {
		t.Fatal(err)
	}
}

func TestStartByTheSecondClient(t *testing.T) {
	t.Parallel()
	j, path := waiting(t, plain())
	dial(t, path).Close() // gone without a word
	s := dial(t, path)
	sayGo(t, s)
	m, ok := recv(t, s.Int())
	if !ok || m.kind != step.MsgArrived || string(m.payload) != step.ArrivedExec {
		t.Fatalf("got %v %d %q, want the word that execve comes", ok, m.kind, m.payload)
	}
	if m, ok := recv(t, s.Int()); ok {
		t.Fatalf("message %d after it", m.kind)
	}
	r := j.result()
	for fd, to := range r.FDs {
		if strings.HasPrefix(to, "socket:") {
			t.Errorf("descriptor %s is %s: the program holds a socket of ours", fd, to)
		}
	}
	s2, err := sys.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s2.Close()
	if err := sys.ConnectUnix(s2.Int(), path); sys.ErrnoOf(err) != syscall.ECONNREFUSED {
		t.Errorf("the listener still accepts after execve: %v", err)
	}
}

// From the moment of go nobody else can start it, also while a hook still runs.
func TestNoSecondStart(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	j, path := waiting(t, append([]step.Step{hookStep(script(t, "echo x > "+fifo+"; cat "+fifo))}, plain()...))
	s := dial(t, path)
	sayGo(t, s)
	if b, err := os.ReadFile(fifo); err != nil || string(b) != "x\n" { // the hook runs
		t.Fatal(b, err)
	}
	s2, err := sys.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s2.Close()
	if err := sys.ConnectUnix(s2.Int(), path); sys.ErrnoOf(err) != syscall.ECONNREFUSED {
		t.Errorf("a second start is let in: %v", err)
	}
	if err := os.WriteFile(fifo, []byte("go on"), 0o600); err != nil {
		t.Fatal(err)
	}
	for {
		if _, ok := recv(t, s.Int()); !ok {
			break
		}
	}
	j.result()
}

func TestFailureAfterStartGoesToTheClient(t *testing.T) {
	t.Parallel()
	gone := filepath.Join(t.TempDir(), "prog")
	_, path := waiting(t, []step.Step{&step.Exec{Place: step.At("process.args[0]"), Args: []string{gone}}})
	s := dial(t, path)
	sayGo(t, s)
	m, ok := recv(t, s.Int())
	if ok && m.kind == step.MsgArrived {
		m, ok = recv(t, s.Int())
	}
	if !ok || m.kind != step.MsgFailure {
		t.Fatalf("got %v, message %d", ok, m.kind)
	}
	r := m.report(t)
	if want := "process.args[0]: exec " + gone + ": no such file or directory"; text(r) != want || r.Errno != uint32(syscall.ENOENT) {
		t.Errorf("got %s, errno %d; want %s", text(r), r.Errno, want)
	}
	if r.Index != 1 || r.Step != step.KindExec {
		t.Errorf("step %d, %s", r.Index, r.Step)
	}
}

func TestBarriers(t *testing.T) {
	t.Parallel()
	j := &job{t: t, steps: append([]step.Step{&step.Barrier{Name: "one"}, &step.Barrier{Name: "two"}}, plain()...)}
	j.start()
	for _, name := range []string{"one", "two"} {
		m, ok := j.recv()
		if !ok || m.kind != step.MsgArrived || string(m.payload) != name {
			t.Fatalf("got %v %d %q, want arrival at %s", ok, m.kind, m.payload, name)
		}
		j.send(step.MsgGo, []byte(name), nil)
	}
	j.finish()
}

func TestHostGoneAtBarrierEndsTheInit(t *testing.T) {
	t.Parallel()
	j := &job{t: t, steps: append([]step.Step{&step.Barrier{Name: "one"}}, plain()...)}
	j.start()
	if m, ok := j.recv(); !ok || m.kind != step.MsgArrived {
		t.Fatal("no arrival")
	}
	j.conn.Close()
	if state, err := j.cmd.Wait(); err != nil || state.ExitCode() != 1 {
		t.Errorf("got %v %v, want exit status 1", state, err)
	}
}

func TestHostGoneBeforeThePlanEndsTheInit(t *testing.T) {
	t.Parallel()
	for _, b := range [][]byte{nil, {1, 2, 3}, step.AppendHeader(nil, step.MsgPlan, 1000)} {
		j := &job{t: t, steps: []step.Step{&step.Barrier{Name: "x"}}}
		j.raw = b
		j.start()
		j.conn.Close()
		if state, err := j.cmd.Wait(); err != nil || state.ExitCode() != 1 {
			t.Errorf("after %q: got %v %v, want exit status 1", b, state, err)
		}
	}
}

func TestMalformedPlanIsReported(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		raw  []byte
		want string
	}{
		{append(step.AppendHeader(nil, step.MsgPlan, 3), 1, 2, 3), step.ErrCodec.Error()},
		{append(step.AppendHeader(nil, step.MsgGo, 1), 'x'), "unexpected message before the plan"},
		{[]byte("garbage!"), "impossible message header"},
	} {
		j := &job{t: t, raw: c.raw}
		j.start()
		if got := text(j.failure()); !strings.Contains(got, c.want) {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestFailureNamesTheInnerStep(t *testing.T) {
	t.Parallel()
	bad := func(at string) step.Step { return &step.Unshare{Place: step.At(at), Flags: 1 << 62} }
	j := &job{t: t, steps: []step.Step{
		&step.Fallback{First: []step.Step{bad("first")}, On: []uint32{uint32(syscall.EINVAL)}, Else: nil},
		&step.Fallback{First: []step.Step{bad("first")}, On: []uint32{uint32(syscall.EINVAL)}, Else: []step.Step{bad("else")}},
	}}
	j.start()
	r := j.failure()
	if r.At != "else" || r.Index != 1 || r.Step != step.KindUnshare || r.Errno != uint32(syscall.EINVAL) || r.Op != "unshare" {
		t.Errorf("got %+v", r)
	}
	j = &job{t: t, steps: []step.Step{
		&step.Fallback{First: []step.Step{bad("first")}, On: []uint32{uint32(syscall.EPERM)}, Else: []step.Step{bad("else")}},
	}}
	j.start()
	if r := j.failure(); r.At != "first" {
		t.Errorf("an errno that is not in the list took the other way: %+v", r)
	}
}

func TestHostStepIsRefused(t *testing.T) {
	t.Parallel()
	j := &job{t: t, steps: []step.Step{&step.CgroupCreate{}}}
	j.start()
	if got := text(j.failure()); !strings.Contains(got, "belongs to the host") {
		t.Errorf("got %s", got)
	}
	j = &job{t: t, steps: []step.Step{&step.Hostname{Name: "never"}}[:0]}
	j.start()
	if got := text(j.failure()); !strings.Contains(got, "no exec step") {
		t.Errorf("got %s", got)
	}
}

func TestDebugNamesEachStep(t *testing.T) {
	t.Parallel()
	j := &job{t: t, debug: true, steps: append([]step.Step{&step.Setsid{}}, plain()...)}
	j.start()
	last := int64(0)
	for i, k := range []step.Kind{step.KindSetsid, step.KindFindExec, step.KindExec} {
		m, ok := j.recv()
		if !ok || m.kind != step.MsgLog {
			t.Fatalf("step %d: message %d, %v", i, m.kind, ok)
		}
		r := m.report(t)
		if int(r.Index) != i || r.Step != k || r.Nanos < last || r.Nanos < 1e18 {
			t.Errorf("got %+v, want index %d, %s", r, i, k)
		}
		last = r.Nanos
	}
}
