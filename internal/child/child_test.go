package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What the caller of the tests has left open is not what is tested.
func TestMain(m *testing.M) {
	if err := unix.CloseRange(3, 1<<32-1, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func sh(script string) *Cmd {
	return &Cmd{Path: "/bin/sh", Args: []string{"sh", "-c", script}, Env: os.Environ()}
}

func TestRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	big := strings.Repeat("x", 1<<20)
	for _, tt := range []struct {
		name     string
		cmd      Cmd
		out, err string
		want     string
	}{
		{name: "input comes back", cmd: Cmd{Args: []string{"sh", "-c", "cat; cat >&2"}, Stdin: []byte("hello")}, out: "hello"},
		{name: "both outputs", cmd: Cmd{Args: []string{"sh", "-c", "echo a; echo b >&2; exit 3"}}, out: "a\n", err: "b\n", want: "exit status 3"},
		{name: "signal", cmd: Cmd{Args: []string{"sh", "-c", "kill -9 $$"}}, want: "signal: killed"},
		{name: "input not read", cmd: Cmd{Args: []string{"sh", "-c", "exec <&-; echo x"}, Stdin: []byte(big)}, out: "x\n"},
		{name: "more than pipes hold", cmd: Cmd{Args: []string{"sh", "-c", "cat; echo end"}, Stdin: []byte(big)}, out: big[:maxOutput-4] + "end\n"},
		{name: "directory and environment", cmd: Cmd{Args: []string{"sh", "-c", "pwd; echo $A"}, Env: []string{"A=1", "PATH=" + os.Getenv("PATH")}, Dir: dir}, out: dir + "\n1\n"},
		{name: "grandchild keeps the output", cmd: Cmd{Args: []string{"sh", "-c", "echo a; sleep 1000 & exit 0"}}, out: "a\n"},
		{name: "no such directory", cmd: Cmd{Args: []string{"sh"}, Dir: dir + "/none"}, want: "no such file or directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := tt.cmd
			c.Path = "/bin/sh"
			if c.Env == nil {
				c.Env = os.Environ()
			}
			o, err := Run(t.Context(), &c)
			if string(o.Stdout) != tt.out || string(o.Stderr) != tt.err {
				t.Errorf("stdout %q, stderr %q", o.Stdout, o.Stderr)
			}
			if got := fmt.Sprint(err); tt.want != got && !(tt.want == "" && err == nil) {
				t.Errorf("%v; want %s", err, tt.want)
			}
		})
	}
}

// The whole process group dies, not the leader alone: the grandchild writes its pid and must be gone.
func TestTimeoutKillsGroup(t *testing.T) {
	t.Parallel()
	c := sh("sleep 1000 & echo $!; wait")
	c.Timeout = 300 * time.Millisecond
	o, err := Run(t.Context(), c)
	if !errors.Is(err, ErrTimeout) {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(o.Stdout)))
	if err != nil {
		t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err == nil { // not reaped yet: it must end
		defer unix.Close(fd)
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10000); n != 1 {
			t.Errorf("the grandchild lives: %v", err)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("enough")
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	go func() {
		r.Read(make([]byte, 1)) // it runs
		cancel(why)
	}()
	c := sh("echo go; sleep 1000")
	c.Stdout = w
	if _, err := Run(ctx, c); !errors.Is(err, why) {
		t.Error(err)
	}
	if _, err := Run(ctx, sh("true")); !errors.Is(err, why) {
		t.Errorf("with an ended context: %v", err)
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	other := exec.Command("cat")
	in, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Wait()
	fd, err := unix.PidfdOpen(other.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	c := sh("echo x")
	c.Watch = fd
	if _, err := Run(t.Context(), c); err != nil {
		t.Errorf("while it lives: %v", err)
	}
	in.Close()
	c = sh("sleep 1000")
	c.Watch = fd
	if _, err := Run(t.Context(), c); !errors.Is(err, ErrWatched) {
		t.Errorf("when it ends: %v", err)
	}
}

func TestOutputFile(t *testing.T) {
	t.Parallel()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := sh("echo x; echo y >&2")
	c.Stdout = f
	o, err := Run(t.Context(), c)
	b, _ := os.ReadFile(f.Name())
	if err != nil || string(b) != "x\n" || len(o.Stdout) != 0 || string(o.Stderr) != "y\n" {
		t.Errorf("file %q, %q, %q, %v", b, o.Stdout, o.Stderr, err)
	}
}

// The program has the three descriptors that it should have, and no more.
func TestNoStrayDescriptors(t *testing.T) {
	t.Parallel()
	fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	o, err := Run(t.Context(), &Cmd{Path: "/bin/ls", Args: []string{"ls", "/proc/self/fd"}})
	if got := strings.Fields(string(o.Stdout)); err != nil || len(got) != 4 { // 3 is ls's own
		t.Errorf("%q, %v", got, err)
	}
}

func TestExitError(t *testing.T) {
	t.Parallel()
	var ee *ExitError
	if _, err := Run(t.Context(), sh("exit 7")); !errors.As(err, &ee) || ee.Status.ExitStatus() != 7 {
		t.Error(err)
	}
	if _, err := Run(t.Context(), &Cmd{Path: "/none", Args: []string{"x"}}); !errors.Is(err, syscall.ENOENT) {
		t.Error(err)
	}
}
