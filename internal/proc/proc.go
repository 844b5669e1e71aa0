// Package proc tells processes apart: a pid alone names nobody for long, since the kernel gives
// it out again. A process is a pid together with its start time (proc(5), field 22 of
// /proc/PID/stat), and is signalled and waited for through a pidfd that was compared with both.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// ErrGone says that the process has ended, or that its pid belongs to another one by now.
var ErrGone = errors.New("no such process")

// Stat is what this package reads of /proc/PID/stat.
type Stat struct {
	State     byte   // R, S, D, T, t, Z, X, I
	StartTime uint64 // clock ticks since boot; never 0 for a process that the kernel lists
}

// Dead tells whether the process has ended and only waits for its parent.
func (s Stat) Dead() bool { return s.State == 'Z' || s.State == 'X' || s.State == 'x' }

// ReadStat reads /proc/PID/stat. ErrGone when there is no such process.
func ReadStat(pid int) (Stat, error) {
	if pid <= 0 {
		return Stat{}, ErrGone
	}
	path := "/proc/" + strconv.Itoa(pid) + "/stat"
	b, err := readSmall(path)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH) {
		return Stat{}, ErrGone
	}
	if err != nil {
		return Stat{}, err
	}
	s, ok := parseStat(b)
	if !ok {
		return Stat{}, fmt.Errorf("read %q: not the form of proc(5)", path)
	}
	return s, nil
}

// parseStat takes apart the text of /proc/PID/stat. The name in parentheses is the process's own
// choice and may hold blanks and parentheses, so the fields are counted from the last ')'.
func parseStat(b []byte) (Stat, bool) {
	i := bytes.LastIndexByte(b, ')')
	if i < 0 {
		return Stat{}, false
	}
	const state, start = 3, 22 // field numbers of proc(5); the first after the name is 3
	var s Stat
	rest := b[i+1:]
	for n := state; ; n++ {
		rest = bytes.TrimLeft(rest, " ")
		end := bytes.IndexAny(rest, " \n")
		if end < 0 {
			end = len(rest)
		}
		field := rest[:end]
		if len(field) == 0 {
			return Stat{}, false
		}
		switch n {
		case state:
			s.State = field[0]
		case start:
			v, err := strconv.ParseUint(string(field), 10, 64)
			s.StartTime = v
			return s, err == nil && v != 0
		}
		rest = rest[end:]
	}
}

// StartTime is the start time of a process that has not ended, in clock ticks since boot.
func StartTime(pid int) (uint64, error) {
	s, err := ReadStat(pid)
	if err != nil {
		return 0, err
	}
	if s.Dead() {
		return 0, ErrGone
	}
	return s.StartTime, nil
}

// Alive tells whether the process that was pid at startTime still runs. A zombie does not.
func Alive(pid int, startTime uint64) (bool, error) {
	got, err := StartTime(pid)
	if errors.Is(err, ErrGone) {
		return false, nil
	}
	return err == nil && got == startTime, err
}

// OpenPidfd opens a pidfd(2) of the process that was pid at startTime; ErrGone when it has ended. The
// caller closes it. The start time is compared after opening: from then on the pid cannot move.
func OpenPidfd(pid int, startTime uint64) (int, error) {
	if pid <= 0 || startTime == 0 {
		return -1, ErrGone
	}
	fd, err := unix.PidfdOpen(pid, 0)
	// EINVAL: the number is not that of a process, but of a thread by now, or the process is just being
	// reaped.
	if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
		return -1, ErrGone
	}
	if err != nil {
		return -1, fmt.Errorf("pidfd_open %d: %w", pid, err)
	}
	alive, err := Alive(pid, startTime)
	if err == nil && alive {
		return fd, nil
	}
	unix.Close(fd)
	if err == nil {
		err = ErrGone
	}
	return -1, err
}

// readSmall reads a file of /proc in one go, without the poller that os.File brings along.
func readSmall(path string) ([]byte, error) {
	fd, err := ignoringEINTR(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	b := make([]byte, 1024)
	n, err := ignoringEINTR(func() (int, error) { return unix.Read(fd, b) })
	if err != nil {
		return nil, &os.PathError{Op: "read", Path: path, Err: err}
	}
	return b[:n], nil
}

func ignoringEINTR(f func() (int, error)) (int, error) {
	for {
		n, err := f()
		if err != unix.EINTR {
			return n, err
		}
	}
}
