package sys

import (
	"strconv"
	"syscall"
	"unsafe"
)

// ResetSignals gives every signal its default disposition and empties the calling thread's mask. The
// Go runtime loses its handlers by it: call it just before execve(2).
func ResetSignals() {
	for sig := syscall.Signal(1); sig <= NSIG; sig++ {
		DefaultSignal(sig)
	}
	var mask uint64
	syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, SIG_SETMASK, uintptr(unsafe.Pointer(&mask)), 0, 8, 0, 0)
}

// DefaultSignal takes the signal away from the Go runtime, which would end with a trace by some.
func DefaultSignal(sig syscall.Signal) {
	var action [4]uint64 // the kernel's struct sigaction is no larger on any architecture: SIG_DFL, no flags
	syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0)
}

// PidfdOpen is pidfd_open(2).
func PidfdOpen(pid int) (*FD, error) {
	n, errno := quick(SYS_PIDFD_OPEN, uintptr(pid), 0, 0, 0, 0, 0)
	return opened(n, errno, "pidfd_open", strconv.Itoa(pid))
}

// PidfdSendSignal is pidfd_send_signal(2).
func PidfdSendSignal(pidfd int, sig syscall.Signal) error {
	_, errno := quick(SYS_PIDFD_SEND_SIGNAL, uintptr(pidfd), uintptr(sig), 0, 0, 0, 0)
	return fail("pidfd_send_signal", strconv.Itoa(int(sig)), errno)
}

// Kill is kill(2).
func Kill(pid int, sig syscall.Signal) error {
	return wrap("kill", strconv.Itoa(pid), syscall.Kill(pid, sig))
}

// PollFD is struct pollfd. A negative FD is ignored.
type PollFD struct {
	FD      int32
	Events  int16
	Revents int16
}

// Poll is ppoll(2): it waits for nanos nanoseconds at most, for ever when nanos is negative. It tells
// how many entries have Revents. An interrupted wait is 0 entries.
func Poll(fds []PollFD, nanos int64) (int, error) {
	var p unsafe.Pointer
	if len(fds) > 0 {
		p = unsafe.Pointer(&fds[0])
	}
	ts := syscall.NsecToTimespec(nanos)
	t := unsafe.Pointer(&ts)
	if nanos < 0 {
		t = nil
	}
	n, _, errno := syscall.Syscall6(syscall.SYS_PPOLL, uintptr(p), uintptr(len(fds)), uintptr(t), 0, 0, 0)
	if errno == syscall.EINTR {
		return 0, nil
	}
	return int(n), fail("ppoll", "", errno)
}

// Wait4 is wait4(2).
func Wait4(pid, options int) (got int, ws syscall.WaitStatus, err error) {
	err = retry(func() error { got, err = syscall.Wait4(pid, &ws, options, nil); return err })
	return got, ws, wrap("wait4", strconv.Itoa(pid), err)
}

// ExitGroup ends the process at once: no deferred call runs.
func ExitGroup(code int) {
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, uintptr(code), 0, 0)
	}
}
