package integration

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// pty is the master of a terminal with all that came out of it until now.
type pty struct {
	master *os.File
	slave  *os.File // nil for the terminal of a container
	mu     sync.Mutex
	seen   bytes.Buffer
}

// newPTY opens a terminal on the host.
func newPTY(t *testing.T, rows, cols uint16) *pty {
	t.Helper()
	// It does not block, so that closing it closes it, even though it is being read.
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	check(t, err)
	master := os.NewFile(uintptr(fd), "/dev/ptmx")
	check(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	check(t, err)
	slave, err := os.OpenFile(filepath.Join("/dev/pts", itoa(int(n))), os.O_RDWR|syscall.O_NOCTTY, 0)
	check(t, err)
	p := watchPTY(t, master)
	p.slave = slave
	t.Cleanup(func() { slave.Close() })
	p.resize(t, rows, cols)
	return p
}

// watchPTY collects what a master says.
func watchPTY(t *testing.T, master *os.File) *pty {
	t.Helper()
	p := &pty{master: master}
	t.Cleanup(func() { master.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := master.Read(buf)
			p.mu.Lock()
			p.seen.Write(buf[:n])
			p.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return p
}

func (p *pty) resize(t *testing.T, rows, cols uint16) {
	t.Helper()
	raw, err := p.master.SyscallConn()
	check(t, err)
	var rerr error
	check(t, raw.Control(func(fd uintptr) {
		rerr = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
	}))
	check(t, rerr)
}

func (p *pty) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.ReplaceAll(p.seen.String(), "\r\n", "\n")
}

func (p *pty) raw() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen.String()
}

func (p *pty) waitText(t *testing.T, text string) {
	t.Helper()
	for end := time.Now().Add(deadline / 2); !strings.Contains(p.text(), text); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %q, got %q", text, p.text())
		}
	}
}

func (p *pty) write(t *testing.T, text string) {
	t.Helper()
	_, err := p.master.Write([]byte(text))
	check(t, err)
}

// onPTY makes the terminal the controlling one and the stdio of a prepared call.
func (p *pty) onPTY(cmd *exec.Cmd) *exec.Cmd {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.slave, p.slave, p.slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	return cmd
}

// consoleSocket listens for the master of a container's terminal.
type consoleSocket struct {
	path     string
	listener *net.UnixListener
}

func newConsoleSocket(t *testing.T, b *bundle) *consoleSocket {
	t.Helper()
	path := filepath.Join(b.dir, "console.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	check(t, err)
	t.Cleanup(func() { l.Close() })
	return &consoleSocket{path: path, listener: l}
}

// receive takes one message: its payload and its descriptors.
func (c *consoleSocket) receive(t *testing.T) (string, []*os.File) {
	t.Helper()
	check(t, c.listener.SetDeadline(time.Now().Add(deadline/2)))
	conn, err := c.listener.AcceptUnix()
	check(t, err)
	defer conn.Close()
	check(t, conn.SetDeadline(time.Now().Add(deadline/2)))
	return receiveFiles(t, conn)
}

func receiveFiles(t *testing.T, conn *net.UnixConn) (string, []*os.File) {
	t.Helper()
	buf, oob := make([]byte, 65536), make([]byte, 4096)
	n, oobn, _, _, err := conn.ReadMsgUnix(buf, oob)
	check(t, err)
	msgs, err := unix.ParseSocketControlMessage(oob[:oobn])
	check(t, err)
	var files []*os.File
	for _, m := range msgs {
		fds, err := unix.ParseUnixRights(&m)
		check(t, err)
		for _, fd := range fds {
			unix.SetNonblock(fd, true)
			file := os.NewFile(uintptr(fd), "received")
			t.Cleanup(func() { file.Close() })
			files = append(files, file)
		}
	}
	return string(buf[:n]), files
}

// master receives exactly one terminal.
func (c *consoleSocket) master(t *testing.T) *pty {
	t.Helper()
	_, files := c.receive(t)
	if len(files) != 1 {
		t.Fatalf("%d descriptors on the console socket", len(files))
	}
	return watchPTY(t, files[0])
}
