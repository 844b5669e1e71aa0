package seccomp

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	sc "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// agent is a seccomp agent that takes one connection.
type agent struct {
	path    string
	message chan agentMessage
}

type agentMessage struct {
	state ProcessState
	raw   string
	fds   []int
	eof   bool
	err   error
}

func newAgent(t *testing.T, path string) *agent {
	t.Helper()
	// Bound through a descriptor: the path may be too long for an address.
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	listener, err := net.Listen("unix", "/proc/self/fd/"+itoa(int(dir.Fd()))+"/"+filepath.Base(path))
	if err != nil {
		t.Fatal(err)
	}
	a := &agent{path: path, message: make(chan agentMessage, 1)}
	go func() {
		defer listener.Close()
		conn, err := listener.Accept()
		if err != nil {
			a.message <- agentMessage{err: err}
			return
		}
		defer conn.Close()
		a.message <- receive(conn.(*net.UnixConn))
	}()
	return a
}

func itoa(n int) string {
	text, _ := json.Marshal(n)
	return string(text)
}

// receive reads one message up to the end of the connection.
func receive(conn *net.UnixConn) (m agentMessage) {
	data, oob := make([]byte, 1<<16), make([]byte, 256)
	for first := true; ; first = false {
		n, oobn, _, _, err := conn.ReadMsgUnix(data, oob)
		m.raw += string(data[:n])
		if oobn > 0 && first {
			if controls, err := unix.ParseSocketControlMessage(oob[:oobn]); err == nil && len(controls) == 1 {
				m.fds, _ = unix.ParseUnixRights(&controls[0])
			}
		}
		if n == 0 || err != nil {
			m.eof = true
			break
		}
	}
	m.err = json.Unmarshal([]byte(m.raw), &m.state)
	return m
}

func (a *agent) wait(t *testing.T) agentMessage {
	t.Helper()
	select {
	case m := <-a.message:
		if m.err != nil {
			t.Fatalf("%v in %q", m.err, m.raw)
		}
		return m
	case <-time.After(time.Minute):
		t.Fatal("the agent heard nothing")
	}
	panic("unreachable")
}

func TestSendListener(t *testing.T) {
	t.Parallel()
	long := filepath.Join(t.TempDir(), strings.Repeat("d", 120))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	want := NewProcessState(42, "MKNOD=/dev/null", specs.State{Version: "1.3.0", ID: "c1", Status: specs.StateCreating,
		Pid: 42, Bundle: "/b", Annotations: map[string]string{"big": strings.Repeat("x", 300000)}})
	for _, path := range []string{filepath.Join(t.TempDir(), "s"), filepath.Join(long, "agent.sock")} {
		a := newAgent(t, path)
		file, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if err := SendListener(int(file.Fd()), path, want); err != nil {
			t.Fatal(err)
		}
		m := a.wait(t)
		if !reflect.DeepEqual(m.state, want) {
			t.Errorf("the agent got %.200s", m.raw)
		}
		if len(m.fds) != 1 {
			t.Fatalf("the agent got %d descriptors, want 1", len(m.fds))
		}
		var sent, got unix.Stat_t
		if unix.Fstat(int(file.Fd()), &sent) != nil || unix.Fstat(m.fds[0], &got) != nil || sent.Ino != got.Ino {
			t.Error("the agent got another descriptor")
		}
		unix.Close(m.fds[0])
	}
}

func TestSendListenerNamesSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "absent")
	err := SendListener(0, path, ProcessState{})
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v", err)
	}
}

// TestAgentAnswers lets a real process ask: its filter notifies on getppid, and
// the agent answers with an error number of its own.
func TestAgentAnswers(t *testing.T) {
	t.Parallel()
	a := newAgent(t, filepath.Join(t.TempDir(), "agent"))
	getppid := uint64(tables(t)[nativeBit()]["getppid"])
	s := allowAllBut(specs.LinuxSyscall{Names: []string{"getppid"}, Action: specs.ActNotify})
	s.Flags = []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"}
	done := make(chan []int, 1)
	go func() {
		got, err := underFilter(t, s, a.path, [4]uint64{getppid})
		if err != nil {
			t.Error(err)
		}
		done <- got
	}()
	m := a.wait(t)
	if m.state.Metadata != "for the agent" || len(m.state.Fds) != 1 || m.state.Fds[0] != "seccompFd" || len(m.fds) != 1 {
		t.Fatalf("the agent got %+v and %d descriptors", m.state, len(m.fds))
	}
	fd := sc.ScmpFd(m.fds[0])
	defer unix.Close(m.fds[0])
	req, err := sc.NotifReceive(fd)
	if err != nil {
		t.Fatal(err)
	}
	if uint64(req.Data.Syscall) != getppid {
		t.Errorf("notified of call %d", req.Data.Syscall)
	}
	if err := sc.NotifRespond(fd, &sc.ScmpNotifResp{ID: req.ID, Error: int32(unix.EREMOTEIO)}); err != nil {
		t.Fatal(err)
	}
	if got := <-done; len(got) != 1 || got[0] != int(unix.EREMOTEIO) {
		t.Errorf("the process got errno %v", got)
	}
}
