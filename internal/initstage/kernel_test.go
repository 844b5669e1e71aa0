package initstage_test

import (
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// answer receives one seccomp notification and answers it with value.
func answer(listener int, value int64) error {
	var req struct {
		id         uint64
		pid, flags uint32
		data       [64]byte
	}
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(listener), 0xc0502100, uintptr(unsafe.Pointer(&req))); errno != 0 {
		return errno
	}
	resp := struct {
		id    uint64
		val   int64
		error int32
		flags uint32
	}{id: req.id, val: value}
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(listener), 0xc0182101, uintptr(unsafe.Pointer(&resp))); errno != 0 {
		return errno
	}
	return nil
}

// masked calls f on a thread that blocks the signals of set.
func masked(t *testing.T, set unix.Sigset_t, f func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, &old); err != nil {
		t.Fatal(err)
	}
	f()
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil); err != nil {
		t.Fatal(err)
	}
}

// sched gives policy, nice value and io priority of the process.
func sched() (v [3]int) {
	p, _, _ := syscall.RawSyscall(syscall.SYS_SCHED_GETSCHEDULER, 0, 0, 0)
	n, _, _ := syscall.RawSyscall(syscall.SYS_GETPRIORITY, 0, 0, 0)
	io, _, _ := syscall.RawSyscall(unix.SYS_IOPRIO_GET, 1, 0, 0)
	return [3]int{int(p), 20 - int(n), int(io)}
}
