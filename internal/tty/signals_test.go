package tty

import (
	"bufio"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

func TestForward(t *testing.T) {
	t.Parallel()
	cmd := exec.Command(os.Args[0], "forward")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewScanner(out)
	next := func() string {
		if !r.Scan() {
			t.Fatalf("it ended: %v", r.Err())
		}
		return r.Text()
	}
	expect := func(want string) {
		t.Helper()
		if got := next(); got != want {
			t.Fatalf("%q instead of %q", got, want)
		}
	}
	send := func(sig unix.Signal) {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	expect("early")
	send(unix.SIGUSR2)
	send(unix.SIGQUIT)
	expect("quit")
	expect("ready")
	// Both waited, the second since it may have come too late to interrupt.
	if a, b := next(), next(); min(a, b) != "SIGQUIT" || max(a, b) != "SIGUSR2" {
		t.Fatalf("%q and %q waited", a, b)
	}
	for _, sig := range []unix.Signal{unix.SIGINT, unix.SIGHUP, unix.SIGWINCH, unix.SIGUSR1, unix.SIGTSTP, unix.SIGCHLD, unix.SIGURG, unix.SIGQUIT, unix.SIGTERM} {
		send(sig)
		if sig != unix.SIGCHLD && sig != unix.SIGURG { // these must not come
			expect(unix.SignalName(sig))
		}
	}
	expect("child true") // the status of the process that is waited for was left alone
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestReapOthers(t *testing.T) {
	// Not parallel: it reaps every child of this process that has ended.
	keep, other := exec.Command("true"), exec.Command("true")
	for _, c := range []*exec.Cmd{other, keep} {
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
	}
	waitZombie(t, other.Process.Pid)
	reapOthers(keep.Process.Pid)
	if err := other.Wait(); err == nil {
		t.Error("the other child was not reaped")
	}
	waitZombie(t, keep.Process.Pid)
	reapOthers(keep.Process.Pid)
	if err := keep.Wait(); err != nil {
		t.Errorf("the child to keep was reaped: %v", err)
	}
}

// waitZombie waits until a process has ended, without reaping it.
func waitZombie(t *testing.T, pid int) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 30000)
		if err == unix.EINTR {
			continue
		}
		if n != 1 {
			t.Fatalf("process %d does not end: %v", pid, err)
		}
		return
	}
}
