package sys

import (
	"syscall"
	"unsafe"
)

// UnlockPTY is TIOCSPTLCK with 0 on a pty's master.
func UnlockPTY(master int) error {
	var zero int32
	_, errno := quick(syscall.SYS_IOCTL, uintptr(master), TIOCSPTLCK, uintptr(unsafe.Pointer(&zero)), 0, 0, 0)
	return fail("TIOCSPTLCK", "", errno)
}

// OpenPTYPeer is TIOCGPTPEER: the other end of a pty, by no path.
func OpenPTYPeer(master int) (*FD, error) {
	n, errno := quick(syscall.SYS_IOCTL, uintptr(master), TIOCGPTPEER,
		syscall.O_RDWR|syscall.O_NOCTTY|O_CLOEXEC, 0, 0, 0)
	return opened(n, errno, "TIOCGPTPEER", "")
}

// PTYNumber is TIOCGPTN: N of /dev/pts/N.
func PTYNumber(master int) (uint32, error) {
	var n uint32
	_, errno := quick(syscall.SYS_IOCTL, uintptr(master), TIOCGPTN, uintptr(unsafe.Pointer(&n)), 0, 0, 0)
	return n, fail("TIOCGPTN", "", errno)
}

// Winsize is struct winsize.
type Winsize struct{ Rows, Cols, XPixel, YPixel uint16 }

// SetWinsize is TIOCSWINSZ.
func SetWinsize(tty int, w Winsize) error {
	_, errno := quick(syscall.SYS_IOCTL, uintptr(tty), TIOCSWINSZ, uintptr(unsafe.Pointer(&w)), 0, 0, 0)
	return fail("TIOCSWINSZ", "", errno)
}

// GetWinsize is TIOCGWINSZ.
func GetWinsize(tty int) (w Winsize, err error) {
	_, errno := quick(syscall.SYS_IOCTL, uintptr(tty), TIOCGWINSZ, uintptr(unsafe.Pointer(&w)), 0, 0, 0)
	return w, fail("TIOCGWINSZ", "", errno)
}

// SetControllingTTY is TIOCSCTTY for a session leader without a terminal.
func SetControllingTTY(tty int) error {
	_, errno := quick(syscall.SYS_IOCTL, uintptr(tty), TIOCSCTTY, 0, 0, 0, 0)
	return fail("TIOCSCTTY", "", errno)
}
