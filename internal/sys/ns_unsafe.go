package sys

import (
	"strconv"
	"syscall"
	"unsafe"
)

// Setns is setns(2) of the calling thread.
func Setns(fd int, types uint64) error {
	_, errno := slow(SYS_SETNS, uintptr(fd), uintptr(types), 0, 0, 0, 0)
	return fail("setns", strconv.Itoa(fd), errno)
}

// Unshare is unshare(2) of the calling thread.
func Unshare(flags uint64) error {
	_, errno := slow(syscall.SYS_UNSHARE, uintptr(flags), 0, 0, 0, 0, 0)
	return fail("unshare", "", errno)
}

// Sethostname is sethostname(2).
func Sethostname(name string) error {
	return wrap("sethostname", name, syscall.Sethostname([]byte(name)))
}

// Setdomainname is setdomainname(2).
func Setdomainname(name string) error {
	return wrap("setdomainname", name, syscall.Setdomainname([]byte(name)))
}

// Setsid is setsid(2).
func Setsid() error {
	_, err := syscall.Setsid()
	return wrap("setsid", "", err)
}

// ifreq is struct ifreq with its flags.
type ifreq struct {
	name  [16]byte
	flags uint16
	_     [22]byte
}

// LinkUp sets IFF_UP on a network interface, by any socket of its namespace.
func LinkUp(socket int, name string) error {
	var r ifreq
	if len(name) >= len(r.name) {
		return fail("ioctl", name, syscall.ENODEV)
	}
	copy(r.name[:], name)
	if _, errno := quick(syscall.SYS_IOCTL, uintptr(socket), syscall.SIOCGIFFLAGS, uintptr(unsafe.Pointer(&r)), 0, 0, 0); errno != 0 {
		return fail("SIOCGIFFLAGS", name, errno)
	}
	r.flags |= syscall.IFF_UP | syscall.IFF_RUNNING
	_, errno := quick(syscall.SYS_IOCTL, uintptr(socket), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&r)), 0, 0, 0)
	return fail("SIOCSIFFLAGS", name, errno)
}
