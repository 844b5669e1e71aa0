package initstage_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tare/internal/step"
	"tare/internal/sys"
)

const testClone = syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET

// job is one run of the init stage.
type job struct {
	t     *testing.T
	clone uintptr
	maps  bool // a user namespace, 0 is us
	steps []step.Step
	fds   []int
	env   []string
	debug bool
	files []*os.File // 0-2; default: null, pipe, stderr
	raw   []byte     // sent instead of a plan

	cmd  *os.Process
	conn *os.File
	out  *os.File
}

type message struct {
	kind    uint32
	payload []byte
	fds     []int
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root for mounts and namespaces")
	}
}

// start starts the init stage and sends it the plan.
func (j *job) start() {
	t := j.t
	t.Helper()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	child := os.NewFile(uintptr(pair[1]), "child")
	defer child.Close()
	j.conn = os.NewFile(uintptr(pair[0]), "conn")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	j.out = r
	null, err := os.Open("/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	attr := &syscall.SysProcAttr{Cloneflags: j.clone, Pdeathsig: syscall.SIGKILL}
	if j.maps {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: 0, Size: 1}, {ContainerID: 1, HostID: 100001, Size: 1000}}
		attr.GidMappings = attr.UidMappings
		attr.GidMappingsEnableSetgroups = true
	}
	files := j.files
	if files == nil {
		files = []*os.File{null, w, os.Stderr}
	}
	j.cmd, err = os.StartProcess("/proc/self/exe", []string{step.InitName, step.ModeGo}, &os.ProcAttr{
		Files: append(files[:len(files):len(files)], child), Sys: attr,
		Env: append([]string{"GOMAXPROCS=1", "GOGC=off"}, j.env...)})
	if err != nil {
		t.Fatal(err)
	}
	cmd := j.cmd
	t.Cleanup(func() { cmd.Kill(); cmd.Wait(); j.conn.Close(); r.Close() })
	if j.raw != nil {
		if err := sys.SendAll(int(j.conn.Fd()), j.raw, nil); err != nil {
			t.Fatal(err)
		}
		return
	}
	req := &step.Request{Debug: j.debug, Steps: j.steps}
	if len(j.fds) > 0 {
		j.send(step.MsgFDs, nil, j.fds)
	}
	head, steps := req.Encode(0)
	j.send(step.MsgPlan, append(head, steps...), nil)
}

func (j *job) send(kind uint32, payload []byte, fds []int) {
	j.t.Helper()
	b := append(step.AppendHeader(nil, kind, len(payload)), payload...)
	if err := sys.SendAll(int(j.conn.Fd()), b, fds); err != nil {
		j.t.Fatal(err)
	}
}

// readable waits until there is something to read, or the end.
func readable(t *testing.T, fd int) {
	t.Helper()
	fds := []sys.PollFD{{FD: int32(fd), Events: sys.POLLIN}}
	for deadline := time.Now().Add(20 * time.Second); ; {
		n, err := sys.Poll(fds, int64(time.Second))
		if err != nil || n == 0 && time.Now().After(deadline) {
			t.Fatal("nothing to read within 20 s", err)
		}
		if n > 0 {
			break
		}
	}
}

// recv reads one message; ok is false at the end of the stream.
func recv(t *testing.T, conn int) (m message, ok bool) {
	t.Helper()
	readable(t, conn)
	head := make([]byte, step.HeaderSize)
	n, got, err := sys.RecvFDs(conn, head, 8)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatal(err)
	}
	if n == 0 {
		return m, false
	}
	kind, size, valid := step.ParseHeader(head[:n])
	if !valid {
		t.Fatalf("bad header % x", head[:n])
	}
	m.kind = kind
	m.payload = make([]byte, size)
	for at := 0; at < size; {
		n, err := sys.Read(conn, m.payload[at:])
		if err != nil || n == 0 {
			t.Fatal("short payload", err)
		}
		at += n
	}
	for _, f := range got {
		m.fds = append(m.fds, f.Disown())
	}
	return m, true
}

func (j *job) recv() (message, bool) { j.t.Helper(); return recv(j.t, int(j.conn.Fd())) }

// report decodes a failure, nil for another message.
func (m message) report(t *testing.T) *step.Report {
	t.Helper()
	r, err := step.DecodeReport(m.payload)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// text is how the tests see a report.
func text(r *step.Report) string {
	e := sys.Error{Op: r.Op, Object: r.Value, Errno: syscall.Errno(r.Errno), Note: r.Text}
	return r.At + ": " + e.Error()
}

// finish expects the end of the stream and gives what the program printed. Warnings are collected.
func (j *job) finish() (*seen, []string) {
	j.t.Helper()
	var warnings []string
	arrived := false
	for {
		m, ok := j.recv()
		if !ok {
			break
		}
		switch m.kind {
		case step.MsgWarning:
			warnings = append(warnings, m.report(j.t).Text)
		case step.MsgLog:
		case step.MsgArrived:
			if string(m.payload) != step.ArrivedExec {
				j.t.Fatalf("arrived at %q", m.payload)
			}
			arrived = true
		case step.MsgFD:
			for _, f := range m.fds {
				syscall.Close(f)
			}
		default:
			j.t.Fatalf("message %d: %s", m.kind, text(m.report(j.t)))
		}
	}
	if !arrived {
		j.t.Error("the end of the stream was not announced")
	}
	return j.result(), warnings
}

func (j *job) result() *seen {
	j.t.Helper()
	b, err := io.ReadAll(j.out)
	if err != nil {
		j.t.Fatal(err)
	}
	state, err := j.cmd.Wait()
	if err != nil {
		j.t.Fatal(err)
	}
	s := new(seen)
	if err := json.NewDecoder(bytes.NewReader(b)).Decode(s); err != nil {
		j.t.Fatalf("%v: program printed %q, %v", err, b, state)
	}
	return s
}

// failure expects that the init gives up and returns why.
func (j *job) failure() *step.Report {
	j.t.Helper()
	for {
		m, ok := j.recv()
		if !ok {
			b, _ := io.ReadAll(j.out)
			j.t.Fatalf("no failure was reported; program printed %s", b)
		}
		if m.kind == step.MsgFailure {
			if _, ok := j.recv(); ok {
				j.t.Fatal("a message after the failure")
			}
			if state, err := j.cmd.Wait(); err != nil || state.ExitCode() != 1 {
				j.t.Fatalf("init ended with %v, %v; want exit status 1", state, err)
			}
			return m.report(j.t)
		}
	}
}

// openDirs makes a directory reachable for everybody.
func openDirs(p string) {
	for top := filepath.Clean(os.TempDir()); strings.HasPrefix(p, top+"/"); p = filepath.Dir(p) {
		os.Chmod(p, 0o755)
	}
}

// public is plan plain with a program that every user can reach.
func public(t *testing.T, args ...string) []step.Step {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(t.TempDir(), "probe")
	if err := os.WriteFile(exe, self, 0o755); err != nil {
		t.Fatal(err)
	}
	openDirs(filepath.Dir(exe))
	steps := plain(args...)
	steps[0].(*step.FindExec).Name = exe
	return steps
}

// bundle makes a rootfs with /bin/probe bound into it by a step.
func bundle(t *testing.T) (rootfs string, steps []step.Step) {
	t.Helper()
	rootfs = filepath.Join(t.TempDir(), "rootfs")
	if err := os.Mkdir(rootfs, 0o755); err != nil {
		t.Fatal(err)
	}
	openDirs(rootfs)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return rootfs, []step.Step{
		&step.SetPropagation{Path: "/", Flags: syscall.MS_SLAVE | syscall.MS_REC},
		&step.OpenRootfs{Path: rootfs, Parent: syscall.MS_PRIVATE},
		&step.Mount{Type: step.MountBind, Source: exe, Target: "/bin/probe", Set: syscall.MS_RDONLY},
		procMount(),
	}
}

func procMount() *step.Mount {
	return &step.Mount{Place: step.At("mounts[0]"), Type: step.MountFS, FSType: "proc", Source: "proc", Target: "/proc",
		Opts: step.MountNoSymlinks, Set: syscall.MS_NOSUID | syscall.MS_NOEXEC | syscall.MS_NODEV}
}

// ending is what every plan ends with.
func ending(args ...string) []step.Step {
	return []step.Step{
		&step.Chdir{Dir: "/"},
		&step.FindExec{Name: "/bin/probe"},
		&step.Exec{Args: append([]string{"/bin/probe"}, args...), Env: []string{"A=1"}},
	}
}

func join(lists ...[]step.Step) (all []step.Step) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
