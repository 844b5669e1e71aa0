// Package lane carries out a plan in Go with raw system calls, on the main thread, before most of
// the program's packages are initialised.  It imports nothing but syscall and unsafe.
package lane

import (
	"syscall"
	"unsafe"
)

const (
	setHostname = 1 + iota
	mount
	pivot
	umount
	chdir
	drop
	exec
	barrier
)

// Run reads a plan (see package codec) from the socket and carries it out; it never returns.
func Run(sock uintptr) {
	buf := make([]byte, 8192)
	n, _, e := syscall.RawSyscall(syscall.SYS_READ, sock, uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
	if e != 0 {
		fail(sock, 255, e)
	}
	r := reader{b: buf[:n]}
	steps := r.u32()
	for i := uint32(0); i < steps; i++ {
		s := r.step()
		e := syscall.EBADMSG
		if !r.bad {
			e = s.apply(sock)
		}
		if e != 0 {
			fail(sock, i, e)
		}
	}
	fail(sock, steps, syscall.EBADMSG) // a plan ends with exec
}

func fail(sock uintptr, step uint32, e syscall.Errno) {
	m := [3]byte{'e', byte(step), byte(e)}
	syscall.RawSyscall(syscall.SYS_WRITE, sock, uintptr(unsafe.Pointer(&m[0])), 3)
	for {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 100, 0, 0)
	}
}

// step is one decoded step; str points at NUL-terminated bytes in the plan.
type step struct {
	op  uint16
	num uint64
	str [4]*byte
	len [4]int
}

func (s *step) p(i int) uintptr { return uintptr(unsafe.Pointer(s.str[i])) }

func (s *step) apply(sock uintptr) (e syscall.Errno) {
	switch s.op {
	case setHostname:
		_, _, e = syscall.RawSyscall(syscall.SYS_SETHOSTNAME, s.p(0), uintptr(s.len[0]), 0)
	case mount:
		_, _, e = syscall.RawSyscall6(syscall.SYS_MOUNT, s.p(0), s.p(1), s.p(2), uintptr(s.num), s.p(3), 0)
	case pivot:
		_, _, e = syscall.RawSyscall(syscall.SYS_PIVOT_ROOT, s.p(0), s.p(1), 0)
	case umount:
		_, _, e = syscall.RawSyscall(syscall.SYS_UMOUNT2, s.p(0), uintptr(s.num), 0)
	case chdir:
		_, _, e = syscall.RawSyscall(syscall.SYS_CHDIR, s.p(0), 0, 0)
	case drop:
		e = dropTo(s.num)
	case exec:
		argv, envp := [2]*byte{s.str[0]}, [1]*byte{}
		_, _, e = syscall.RawSyscall(syscall.SYS_EXECVE, s.p(0),
			uintptr(unsafe.Pointer(&argv)), uintptr(unsafe.Pointer(&envp)))
	case barrier:
		e = meet(sock)
	default:
		e = syscall.ENOSYS
	}
	return e
}

func meet(sock uintptr) syscall.Errno {
	c := [1]byte{'r'}
	if _, _, e := syscall.RawSyscall(syscall.SYS_WRITE, sock, uintptr(unsafe.Pointer(&c)), 1); e != 0 {
		return e
	}
	n, _, e := syscall.RawSyscall(syscall.SYS_READ, sock, uintptr(unsafe.Pointer(&c)), 1)
	if e == 0 && n == 0 {
		e = syscall.EPIPE
	}
	return e
}

func dropTo(keep uint64) syscall.Errno {
	const capbsetDrop, setNoNewPrivs, version3 = 24, 38, 0x20080522
	for c := uintptr(0); c < 64; c++ {
		if keep>>c&1 != 0 {
			continue
		}
		_, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, capbsetDrop, c, 0, 0, 0, 0)
		if e == syscall.EINVAL {
			break
		}
		if e != 0 {
			return e
		}
	}
	header := [2]uint32{version3, 0}
	lo, hi := uint32(keep), uint32(keep>>32)
	data := [6]uint32{lo, lo, 0, hi, hi, 0}
	if _, _, e := syscall.RawSyscall(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&header)),
		uintptr(unsafe.Pointer(&data)), 0); e != 0 {
		return e
	}
	_, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, setNoNewPrivs, 1, 0, 0, 0, 0)
	return e
}

// reader takes a plan apart; bad is set, and zero values are given, once it is malformed.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || len(r.b) < n {
		r.bad = true
		return make([]byte, n)
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u16() uint16 { b := r.take(2); return uint16(b[0]) | uint16(b[1])<<8 }
func (r *reader) u32() uint32 { return uint32(r.u16()) | uint32(r.u16())<<16 }
func (r *reader) u64() uint64 { return uint64(r.u32()) | uint64(r.u32())<<32 }

func (r *reader) step() (s step) {
	s.op = r.u16()
	n := int(r.u16())
	s.num = r.u64()
	for i := 0; i < n && !r.bad; i++ {
		b := r.take(int(r.u16()))
		if i >= len(s.str) || len(b) == 0 || b[len(b)-1] != 0 {
			r.bad = true
			return s
		}
		s.str[i], s.len[i] = &b[0], len(b)-1
	}
	return s
}
