package sys

import (
	"syscall"
	"unsafe"
)

// quick is a system call that does not wait: the Go scheduler is not told. The directive keeps what
// the pointers among the arguments point to alive, and on the heap, where it does not move.
//
//go:uintptrescapes
func quick(trap, a, b, c, d, e, f uintptr) (uintptr, syscall.Errno) {
	for {
		r, _, errno := syscall.RawSyscall6(trap, a, b, c, d, e, f)
		if errno != syscall.EINTR {
			return r, errno
		}
	}
}

// slow is a system call that may wait.
//
//go:uintptrescapes
func slow(trap, a, b, c, d, e, f uintptr) (uintptr, syscall.Errno) {
	for {
		r, _, errno := syscall.Syscall6(trap, a, b, c, d, e, f)
		if errno != syscall.EINTR {
			return r, errno
		}
	}
}

// cstring gives s with its closing NUL. nul is true when s has one inside: no such string can be told
// to the kernel, and cutting it there would name something else.
func cstring(s string) (p *byte, nul bool) {
	b := make([]byte, len(s)+1)
	for i := 0; i < len(s); i++ {
		if s[i] == 0 {
			return &b[0], true
		}
		b[i] = s[i]
	}
	return &b[0], false
}

// optional is cstring, nil for "".
func optional(s string) (*byte, bool) {
	if s == "" {
		return nil, false
	}
	return cstring(s)
}

func addr(b []byte) unsafe.Pointer {
	if len(b) == 0 {
		return nil
	}
	return unsafe.Pointer(&b[0])
}
