package ctl

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// openAt is openat(2) with a name that is copied to the stack: reading
// statistics opens some eighty files.
func openAt(dir int, name string, flags int) (int, unix.Errno) {
	var path [512]byte
	if len(name) >= len(path) {
		fd, err := unix.Openat(dir, name, flags|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
		errno, _ := err.(unix.Errno)
		return fd, errno
	}
	copy(path[:], name)
	for {
		fd, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(dir), uintptr(unsafe.Pointer(&path[0])),
			uintptr(flags|unix.O_CLOEXEC|unix.O_NOFOLLOW), 0, 0, 0)
		if errno != unix.EINTR {
			return int(fd), errno
		}
	}
}
