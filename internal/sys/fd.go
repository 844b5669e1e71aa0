package sys

import (
	"strconv"
	"syscall"
)

// FD owns an open descriptor. The zero value and nil own none. It is not safe for use by several
// goroutines at once.
type FD struct{ n int32 } // the number + 1

// Own makes an FD that owns descriptor n. A negative n gives an FD that owns none.
func Own(n int) *FD {
	if n < 0 {
		return new(FD)
	}
	return &FD{n: int32(n) + 1}
}

// Int is the descriptor's number, -1 when f owns none. It stays f's.
func (f *FD) Int() int {
	if f == nil {
		return -1
	}
	return int(f.n) - 1
}

// Valid tells whether f owns a descriptor.
func (f *FD) Valid() bool { return f != nil && f.n > 0 }

// Close closes the descriptor. Closing again does nothing. It is never repeated on EINTR: on Linux
// the descriptor is gone even then.
func (f *FD) Close() {
	if f.Valid() {
		n := f.Disown()
		syscall.RawSyscall(syscall.SYS_CLOSE, uintptr(n), 0, 0)
	}
}

// Disown gives the number away: the caller owns it now, f owns none.
func (f *FD) Disown() int {
	n := f.Int()
	if f != nil {
		f.n = 0
	}
	return n
}

// Dup gives a second descriptor ≥ least for the same open file.
func (f *FD) Dup(least int) (*FD, error) { return DupFD(f.Int(), least) }

// DupFD is fcntl(F_DUPFD_CLOEXEC): the lowest free descriptor that is at least least.
func DupFD(fd, least int) (*FD, error) {
	n, errno := quick(syscall.SYS_FCNTL, uintptr(fd), syscall.F_DUPFD_CLOEXEC, uintptr(least), 0, 0, 0)
	return made(n, errno, "fcntl", fd)
}

// Dup3 is dup3(2). flags is O_CLOEXEC or 0.
func Dup3(fd, to, flags int) error {
	if fd == to { // dup3 refuses it
		return SetCloexec(fd, flags&O_CLOEXEC != 0)
	}
	_, errno := quick(syscall.SYS_DUP3, uintptr(fd), uintptr(to), uintptr(flags), 0, 0, 0)
	return fail("dup3", strconv.Itoa(fd), errno)
}

// SetCloexec sets or clears close-on-exec.
func SetCloexec(fd int, on bool) error {
	var v uintptr
	if on {
		v = syscall.FD_CLOEXEC
	}
	_, errno := quick(syscall.SYS_FCNTL, uintptr(fd), syscall.F_SETFD, v, 0, 0, 0)
	return fail("fcntl", strconv.Itoa(fd), errno)
}

// SetNonblock sets or clears O_NONBLOCK.
func SetNonblock(fd int, on bool) error {
	return wrap("fcntl", strconv.Itoa(fd), syscall.SetNonblock(fd, on))
}

// CloseRange is close_range(2): first to last, both included. flags is CLOSE_RANGE_CLOEXEC or 0.
func CloseRange(first, last, flags uint) error {
	_, errno := quick(SYS_CLOSE_RANGE, uintptr(first), uintptr(last), uintptr(flags), 0, 0, 0)
	return fail("close_range", "", errno)
}

// Pipe is pipe2(2), close-on-exec; flags may add O_NONBLOCK for both ends.
func Pipe(flags int) (r, w *FD, err error) {
	var p [2]int
	if err := syscall.Pipe2(p[:], O_CLOEXEC|flags); err != nil {
		return nil, nil, wrap("pipe2", "", err)
	}
	return Own(p[0]), Own(p[1]), nil
}

func made(n uintptr, errno syscall.Errno, op string, of int) (*FD, error) {
	if errno != 0 {
		return nil, fail(op, strconv.Itoa(of), errno)
	}
	return Own(int(n)), nil
}

func opened(n uintptr, errno syscall.Errno, op, object string) (*FD, error) {
	if errno != 0 {
		return nil, fail(op, object, errno)
	}
	return Own(int(n)), nil
}
