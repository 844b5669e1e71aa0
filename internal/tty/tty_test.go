package tty

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// pty opens a pair. The master is a blocking file.
func pty(t *testing.T) (master, slave *os.File) {
	t.Helper()
	m, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no pty: %v", err)
	}
	if err := unix.IoctlSetPointerInt(m, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(m, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	s, err := unix.Open("/dev/pts/"+strconv.Itoa(n), unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	master, slave = os.NewFile(uintptr(m), "master"), os.NewFile(uintptr(s), "slave")
	t.Cleanup(func() { master.Close(); slave.Close() })
	return master, slave
}

func termios(t *testing.T, f *os.File) unix.Termios {
	t.Helper()
	v, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return *v
}

func TestConsole(t *testing.T) {
	t.Parallel()
	user, host := pty(t) // the user sits at user; host is what tare has as stdin and stdout
	master, slave := pty(t)
	if err := unix.IoctlSetWinsize(int(host.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 41, Col: 123}); err != nil {
		t.Fatal(err)
	}
	before := termios(t, host)
	fd := int(host.Fd())
	c, err := attach(master, fd, fd, fd)
	if err != nil {
		t.Fatal(err)
	}
	size := func() [2]uint16 {
		w, err := unix.IoctlGetWinsize(int(slave.Fd()), unix.TIOCGWINSZ)
		if err != nil {
			t.Fatal(err)
		}
		return [2]uint16{w.Row, w.Col}
	}
	if got := size(); got != [2]uint16{41, 123} {
		t.Errorf("size %v before the start", got)
	}
	if err := unix.IoctlSetWinsize(int(host.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 7, Col: 8}); err != nil {
		t.Fatal(err)
	}
	if err := c.Resize(); err != nil || size() != [2]uint16{7, 8} {
		t.Errorf("resized to %v, %v", size(), err)
	}
	if raw := termios(t, host); raw.Lflag&(unix.ECHO|unix.ICANON|unix.ISIG) != 0 || raw.Oflag&unix.OPOST == 0 {
		t.Errorf("not raw: %+v", raw)
	}
	if in := termios(t, slave); in.Oflag&unix.ONLCR != 0 {
		t.Error("ONLCR is still set inside")
	}

	// The interrupt key is a character for the container, and its answer comes back with CR LF.
	if _, err := user.WriteString("typed\n"); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(slave).ReadString('\n')
	if err != nil || line != "typed\n" {
		t.Errorf("the container read %q, %v", line, err)
	}
	if _, err := slave.WriteString("answer\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(user)
	if line, err := r.ReadString('\n'); err != nil || line != "typed\r\n" { // the inner terminal's echo
		t.Errorf("echo %q, %v", line, err)
	}
	if line, err := r.ReadString('\n'); err != nil || line != "answer\r\n" {
		t.Errorf("the user read %q, %v", line, err)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
	if after := termios(t, host); after != before {
		t.Errorf("the terminal was %+v and is %+v", before, after)
	}
}

// What the program wrote last is shown, all of it, though Close comes at once, and also when
// something in the container keeps the terminal open.
func TestNoOutputLost(t *testing.T) {
	t.Parallel()
	for _, keep := range []bool{false, true} {
		master, slave := pty(t)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		null, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		c, err := attach(master, -1, int(null.Fd()), int(w.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		var wg sync.WaitGroup
		wg.Go(func() { got, _ = io.ReadAll(r) })
		text := strings.Repeat("0123456789abcde\n", 20000)
		if _, err := slave.WriteString(text); err != nil {
			t.Fatal(err)
		}
		if !keep {
			slave.Close()
		}
		c.Close()
		w.Close()
		wg.Wait()
		if string(got) != text {
			t.Errorf("kept open %v: %d bytes of %d arrived", keep, len(got), len(text))
		}
		r.Close()
		null.Close()
	}
}

// A container that reads no input does not hold Close up.
func TestCloseWithFullInput(t *testing.T) {
	t.Parallel()
	master, _ := pty(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	c, err := attach(master, -1, int(r.Fd()), int(null.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { w.Write(make([]byte, 1<<20)) }) // EPIPE once r is closed
	c.Close()
	r.Close()
	wg.Wait()
	w.Close()
}

// A program that reads lines sees the end of an input that is no terminal.
func TestEndOfInput(t *testing.T) {
	t.Parallel()
	for _, input := range []string{"", "a\nb\n", "a\nb"} {
		master, slave := pty(t)
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		c, err := attach(master, -1, int(r.Fd()), int(null.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		w.WriteString(input)
		w.Close()
		var got []byte
		for buf := make([]byte, 64); ; {
			n, err := slave.Read(buf)
			got = append(got, buf[:n]...)
			if err != nil {
				break
			}
		}
		if string(got) != input {
			t.Errorf("%q arrived as %q", input, got)
		}
		c.Close()
		r.Close()
		null.Close()
	}
}

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "forward" {
		forwardMain()
		return
	}
	os.Exit(m.Run())
}

// forwardMain is the process of TestForward: it tells of each signal that is passed on, and
// ends at SIGTERM.
func forwardMain() {
	if err := SetSubreaper(); err != nil {
		panic(err)
	}
	early := make(chan os.Signal, 8)
	s, err := Catch(func(sig os.Signal) { early <- sig })
	if err != nil {
		panic(err)
	}
	child := exec.Command("sleep", "0")
	if err := child.Start(); err != nil {
		panic(err)
	}
	done := make(chan int, 64)
	os.Stdout.WriteString("early\n")
	os.Stdout.WriteString((<-early).String() + "\n") // SIGUSR1, which came before, waits
	s.Reap()
	s.Forward(child.Process.Pid, nil, func(sig int) { done <- sig })
	os.Stdout.WriteString("ready\n")
	for sig := range done {
		os.Stdout.WriteString(unix.SignalName(unix.Signal(sig)) + "\n")
		if sig == int(unix.SIGTERM) {
			break
		}
	}
	s.Stop()
	err = child.Wait()
	os.Stdout.WriteString("child " + strconv.FormatBool(err == nil) + "\n")
}

// The user's terminal goes: so does the container's, whether that shows in what is read or in what is
// written.
// While the kernel closes the user's terminal, reading it fails (EIO), and it can still be asked for its modes. So does
// the master of a pty whose other side nobody has open, for longer.
func TestHangUpWhileItIsBeingClosed(t *testing.T) {
	t.Parallel()
	user, other := pty(t)
	_, host := pty(t)
	master, slave := pty(t)
	other.Close()
	c, err := attach(master, int(host.Fd()), int(user.Fd()), int(host.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if n, err := slave.Read(make([]byte, 1)); n > 0 { // waits for ever if nothing hangs up
		t.Errorf("read %d bytes, %v", n, err)
	}
}

func TestHangUp(t *testing.T) {
	t.Parallel()
	for name, typed := range map[string]bool{"nothing written": false, "written": true} {
		user, host := pty(t)
		master, slave := pty(t)
		fd := int(host.Fd())
		in := fd
		if typed { // input that never ends: what is written has to tell
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			defer w.Close()
			in = int(r.Fd())
		}
		c, err := attach(master, fd, in, fd)
		if err != nil {
			t.Fatal(err)
		}
		user.Close()
		if typed {
			slave.WriteString("x")
		}
		if n, err := slave.Read(make([]byte, 1)); n > 0 {
			t.Errorf("%s: read %d bytes, %v", name, n, err)
		}
		if err := c.Resize(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for range 2 {
			if err := c.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}
