package sys

import (
	"syscall"
	"unsafe"
)

// PeekChild gives the pid of a child that has ended and is not yet reaped; it stays so. 0 when there is
// none.
func PeekChild() int {
	const (
		pAll    = 0
		wNoWait = 0x01000000
	)
	// struct siginfo: signo, errno, code, on 64-bit machines four bytes of padding, and si_pid.
	var info [128 / 4]int32
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, pAll, 0, uintptr(unsafe.Pointer(&info)),
			syscall.WEXITED|syscall.WNOHANG|wNoWait, 0, 0)
		switch errno {
		case 0:
			return int(info[4])
		case syscall.EINTR:
		default:
			return 0
		}
	}
}
