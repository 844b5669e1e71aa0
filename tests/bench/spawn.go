package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// cost of one command.
type cost struct {
	wall time.Duration // spawn until reaped
	cpu  time.Duration // user and system time of all its processes
}

// stuckTime is when a command is killed: crun waits for ever for a process that the kernel has killed on its way.
const stuckTime = 30 * time.Second

// command runs argv to its end.  keep is the pid of a child that lives on, or 0: everything else
// that the command leaves is waited for after wall has been taken, and counted.
func (l *lab) command(stdout *os.File, argv ...string) (cost, error) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return cost{}, err
	}
	defer null.Close()
	if stdout == nil {
		stdout = null
	}
	if err := l.errs.Truncate(0); err != nil {
		return cost{}, err
	}
	if _, err := l.errs.Seek(0, io.SeekStart); err != nil {
		return cost{}, err
	}
	attr := &syscall.ProcAttr{
		Env:   []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"},
		Files: []uintptr{null.Fd(), stdout.Fd(), l.errs.Fd()},
	}
	began := time.Now()
	pid, err := syscall.ForkExec(argv[0], argv, attr)
	if err != nil {
		return cost{}, &os.PathError{Op: "exec", Path: argv[0], Err: err}
	}
	stuck := time.AfterFunc(stuckTime, func() { syscall.Kill(pid, syscall.SIGKILL) })
	ws, ru, err := wait(pid)
	stuck.Stop()
	c := cost{wall: time.Since(began), cpu: cpuOf(ru)}
	if err != nil {
		return c, err
	}
	if !ws.Exited() || ws.ExitStatus() != 0 {
		return c, &failure{argv, ws, l.said()}
	}
	return c, nil
}

// failure is a command that did not end with 0.
type failure struct {
	argv []string
	ws   syscall.WaitStatus
	said string
}

func (f *failure) Error() string {
	return fmt.Sprintf("%s: status %#x: %s", strings.Join(f.argv, " "), int(f.ws), f.said)
}

// said is the start of what the last command wrote to stderr.
func (l *lab) said() string {
	b := make([]byte, 400)
	n, err := l.errs.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err.Error()
	}
	return strings.TrimSpace(string(b[:n]))
}

func wait(pid int) (ws syscall.WaitStatus, ru syscall.Rusage, err error) {
	for {
		if _, err = syscall.Wait4(pid, &ws, 0, &ru); err != syscall.EINTR {
			return ws, ru, os.NewSyscallError("wait4", err)
		}
	}
}

// orphans waits until every child but keep has ended and gives their CPU time.
func orphans(keep int) (time.Duration, error) {
	var sum time.Duration
	for {
		left, err := children()
		if err != nil {
			return sum, err
		}
		other := 0
		for _, pid := range left {
			if pid != keep {
				other = pid
			}
		}
		if other == 0 {
			return sum, nil
		}
		_, ru, err := wait(other)
		if err != nil {
			return sum, err
		}
		sum += cpuOf(ru)
	}
}

// children are the pids of our own.
func children() (pids []int, err error) {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil, err
	}
	for _, t := range tasks {
		b, err := os.ReadFile("/proc/self/task/" + t.Name() + "/children")
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, f := range strings.Fields(string(b)) {
			var pid int
			if _, err := fmt.Sscan(f, &pid); err != nil {
				return nil, err
			}
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

func cpuOf(ru syscall.Rusage) time.Duration {
	return time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
}

// cpuClock is the time that all threads of a living process, also those that ended, have had.
func cpuClock(pid int) (time.Duration, error) {
	const sched = 2 // CPUCLOCK_SCHED: nanoseconds of the scheduler
	var ts unix.Timespec
	clock := int32(^pid<<3 | sched)
	_, _, e := unix.Syscall(unix.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&ts)), 0)
	if e != 0 {
		return 0, os.NewSyscallError("clock_gettime", e)
	}
	return time.Duration(ts.Nano()), nil
}
