package proc

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	tail := " 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 "
	for _, tt := range []struct {
		name, in string
		want     Stat
		ok       bool
	}{
		{"plain", "1 (sh) S" + tail + "4711 9\n", Stat{'S', 4711}, true},
		{"parentheses in the name", "1 (a) Z 1 (b)) R" + tail + "12 9\n", Stat{'R', 12}, true},
		{"blanks and a line feed in the name", "1 (a b\n) Z" + tail + "12\n", Stat{'Z', 12}, true},
		{"zero", "1 (sh) S" + tail + "0 9\n", Stat{}, false},
		{"short", "1 (sh) S 1 1\n", Stat{}, false},
		{"no name", "1 S 1 1\n", Stat{}, false},
		{"no number", "1 (sh) S" + tail + "x\n", Stat{}, false},
		{"empty", "", Stat{}, false},
	} {
		got, ok := parseStat([]byte(tt.in))
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s: %+v, %v; want %+v, %v", tt.name, got, ok, tt.want, tt.ok)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("1 (sh) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 9\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, ok := parseStat(b); ok && s.StartTime == 0 {
			t.Error("a start time of 0 passed")
		}
	})
}

func TestIdentity(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := cmd.Process.Pid
	start, err := StartTime(pid)
	if err != nil || start == 0 {
		t.Fatalf("StartTime: %d, %v", start, err)
	}
	if ok, err := Alive(pid, start); !ok || err != nil {
		t.Errorf("Alive: %v, %v", ok, err)
	}
	if ok, err := Alive(pid, start+1); ok || err != nil {
		t.Errorf("Alive of another start time: %v, %v", ok, err)
	}
	if _, err := OpenPidfd(pid, start+1); !errors.Is(err, ErrGone) {
		t.Errorf("OpenPidfd of another start time: %v", err)
	}
	fd, err := OpenPidfd(pid, start)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	if err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("pidfd is not close-on-exec: %#x, %v", flags, err)
	}
	in.Close()
	// The end shows on the pidfd before anybody reaps: now it is a zombie.
	if _, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10000); err != nil {
		t.Fatal(err)
	}
	if ok, err := Alive(pid, start); ok || err != nil {
		t.Errorf("Alive of a zombie: %v, %v", ok, err)
	}
	if _, err := OpenPidfd(pid, start); !errors.Is(err, ErrGone) {
		t.Errorf("OpenPidfd of a zombie: %v", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadStat(pid); !errors.Is(err, ErrGone) {
		t.Errorf("ReadStat of a reaped process: %v", err)
	}
}

func TestNobody(t *testing.T) {
	t.Parallel()
	for _, pid := range []int{0, -1} {
		if ok, err := Alive(pid, 0); ok || err != nil {
			t.Errorf("Alive(%d): %v, %v", pid, ok, err)
		}
		if _, err := OpenPidfd(pid, 1); !errors.Is(err, ErrGone) {
			t.Errorf("OpenPidfd(%d): %v", pid, err)
		}
	}
	if _, err := OpenPidfd(os.Getpid(), 0); !errors.Is(err, ErrGone) {
		t.Errorf("a start time of 0 was taken: %v", err)
	}
}

func TestErrorText(t *testing.T) {
	t.Parallel()
	_, err := readSmall("/proc/none")
	if err == nil || !strings.Contains(err.Error(), `open /proc/none: no such file`) {
		t.Error(err)
	}
}
