package integration

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/integration/report"
)

// notifySocket is the service manager's end of sd_notify.
func notifySocket(t *testing.T, b *bundle) *net.UnixConn {
	t.Helper()
	b.mayLeave("run/notify")
	path := filepath.Join(b.dir, "sd.sock")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	b.env = append(os.Environ(), "NOTIFY_SOCKET="+path)
	return conn
}

// answer collects the datagrams and closes the barrier pipe of a BARRIER=1, until MAINPID was seen.
func answer(t *testing.T, conn *net.UnixConn, got chan<- string) {
	var all strings.Builder
	buf, oob := make([]byte, 4096), make([]byte, 256)
	conn.SetDeadline(time.Now().Add(deadline / 2))
	for !strings.Contains(all.String(), "MAINPID=") {
		n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
		if err != nil {
			break
		}
		all.WriteString(string(buf[:n]) + "\n")
		closeRights(oob[:oobn])
	}
	got <- all.String()
	for { // barriers after that
		_, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
		if err != nil {
			return
		}
		closeRights(oob[:oobn])
	}
}

func closeRights(oob []byte) {
	msgs, _ := unix.ParseSocketControlMessage(oob)
	for _, m := range msgs {
		fds, _ := unix.ParseUnixRights(&m)
		for _, fd := range fds {
			unix.Close(fd)
		}
	}
}

func TestNotifyReadyIsRelayedWithTheMainPid(t *testing.T) {
	b := newBundle(t, prog("notify", "STATUS=warming up", "READY=1"))
	conn := notifySocket(t, b)
	got := make(chan string, 1)
	go answer(t, conn, got)
	b.detach()
	text := <-got
	if !strings.Contains(text, "READY=1") || !strings.Contains(text, "MAINPID="+itoa(b.state().Pid)) {
		t.Errorf("%q", text)
	}
}

func TestNotifySocketInsideIsOnRunNotify(t *testing.T) {
	b := newBundle(t, sh("echo $NOTIFY_SOCKET; test -S $NOTIFY_SOCKET && exec /testprog notify READY=1"))
	conn := notifySocket(t, b)
	b.mayLeave("run/notify")
	got := make(chan string, 1)
	go answer(t, conn, got)
	r := b.detach()
	<-got
	if !strings.HasPrefix(r.output(t), "/run/notify/notify.sock\n") {
		not(t, "runc", "binds it elsewhere")
		t.Errorf("%q", r.output(t))
	}
}

func TestNotifyStartEndsWhenInitDiesBeforeReady(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	notifySocket(t, b)
	b.mayLeave("run/notify")
	b.create()
	b.start()
	b.waitStopped()
}

func TestContainerThatIsNotReadyYetIsOperatedOn(t *testing.T) {
	needController(t, "freezer")
	b := newBundle(t, args("/bin/sleep", "1000"))
	notifySocket(t, b)
	b.create()
	start := b.begin(b.cmd("start", b.id))
	waitFor(t, "the program", func() bool { return b.state().Status == specs.StateRunning })
	b.tare("pause", b.id).ok(t)
	b.tare("resume", b.id).ok(t)
	b.tare("kill", b.id, "KILL").ok(t)
	start.end(t).ok(t)
}

func TestWithoutNotifySocketThereIsNoneInside(t *testing.T) {
	b := newBundle(t)
	for _, kv := range b.facts().Env {
		if strings.HasPrefix(kv, "NOTIFY_SOCKET") {
			t.Errorf("%s", kv)
		}
	}
}

// listening is a call whose LISTEN_PID is its own, with a descriptor to pass.
func listening(t *testing.T, cmd *exec.Cmd, n int) *exec.Cmd {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		check(t, err)
		file, err := l.(*net.TCPListener).File()
		check(t, err)
		t.Cleanup(func() { file.Close(); l.Close() })
		cmd.ExtraFiles = append(cmd.ExtraFiles, file)
	}
	cmd.Args = append([]string{"/bin/sh", "-c", `export LISTEN_PID=$$ LISTEN_FDS=` + itoa(n) + `; exec "$@"`, "sh"}, cmd.Args...)
	cmd.Path = "/bin/sh"
	return cmd
}

func TestListenFDsArePassedFromThree(t *testing.T) {
	b := newBundle(t)
	b.write()
	f := decode[report.Facts](t, b.do(listening(t, b.cmd(b.line("run", nil)...), 2)).ok(t).out)
	if !strings.HasPrefix(f.FDs[3], "socket:") || !strings.HasPrefix(f.FDs[4], "socket:") || len(f.FDs) != 5 {
		t.Errorf("%v", f.FDs)
	}
	if !slices.Contains(f.Env, "LISTEN_FDS=2") || !slices.Contains(f.Env, "LISTEN_PID=1") {
		t.Errorf("%q", f.Env)
	}
}

func TestListenFDsComeBeforePreservedOnes(t *testing.T) {
	b := newBundle(t, prog("fds"))
	b.write()
	cmd := listening(t, b.cmd(b.line("run", []string{"--preserve-fds", "1"})...), 1)
	file, err := os.Create(filepath.Join(b.dir, "kept"))
	check(t, err)
	defer file.Close()
	cmd.ExtraFiles = append(cmd.ExtraFiles, file)
	fds := decode[map[int]string](t, b.do(cmd).ok(t).out)
	if !strings.HasPrefix(fds[3], "socket:") || !strings.HasSuffix(fds[4], "/kept") {
		t.Errorf("%v", fds)
	}
}

func TestListenFDsOfAnotherPidAreNotPassed(t *testing.T) {
	b := newBundle(t)
	b.write()
	cmd := b.cmd(b.line("run", nil)...)
	file, err := os.Open("/dev/null")
	check(t, err)
	defer file.Close()
	cmd.ExtraFiles = []*os.File{file}
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "LISTEN_PID=1")
	f := decode[report.Facts](t, b.do(cmd).ok(t).out)
	if len(f.FDs) != 3 {
		not(t, "runc", "1.1 does not look at LISTEN_PID")
		t.Errorf("%v", f.FDs)
	}
}

func TestPidfdSocketReceivesThePidfdOfInit(t *testing.T) {
	not(t, "runc", "1.1 has none")
	b := newBundle(t, prog("hold"))
	sock := newConsoleSocket(t, b)
	b.create("--pidfd-socket", sock.path)
	_, files := sock.receive(t)
	if len(files) != 1 {
		t.Fatalf("%d descriptors", len(files))
	}
	wantPidfdOf(t, files[0], b.state().Pid)
}

func TestExecPidfdSocketReceivesThePidfdOfTheProcess(t *testing.T) {
	not(t, "runc", "1.1 has none")
	b := newBundle(t)
	b.hold()
	sock := newConsoleSocket(t, b)
	file := filepath.Join(b.dir, "pid")
	b.execWith([]string{"-d", "--pid-file", file, "--pidfd-socket", sock.path}, "/bin/sleep", "1000").ok(t)
	_, files := sock.receive(t)
	if len(files) != 1 {
		t.Fatalf("%d descriptors", len(files))
	}
	pid := decode[int](t, readFile(t, file))
	wantPidfdOf(t, files[0], pid)
}

func wantPidfdOf(t *testing.T, file *os.File, pid int) {
	t.Helper()
	info := readFile(t, "/proc/self/fdinfo/"+itoa(int(file.Fd())))
	if !strings.Contains(info, "\nPid:\t"+itoa(pid)+"\n") {
		t.Errorf("descriptor is %q, want pid %d", info, pid)
	}
}

func TestPidfdReceiverAnnotation(t *testing.T) {
	onlyTare(t, "run.oci.pidfd_receiver, as crun has it")
	b := newBundle(t, prog("hold"))
	sock := newConsoleSocket(t, b)
	b.edit(func(s *specs.Spec) { s.Annotations = map[string]string{"run.oci.pidfd_receiver": sock.path} })
	b.create()
	if _, files := sock.receive(t); len(files) != 1 {
		t.Errorf("%d descriptors", len(files))
	}
}
