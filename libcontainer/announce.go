package libcontainer

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// announce tells the caller's files and sockets about a new process, before the call succeeds.
func announce(o *IO, pid int, pidfd *os.File) error {
	if o.PidfdSocket != "" {
		if err := sendFD(o.PidfdSocket, "pidfd", int(pidfd.Fd())); err != nil {
			return fmt.Errorf("pidfd socket: %w", err)
		}
	}
	if o.PidFile != "" {
		return writePidFile(o.PidFile, pid)
	}
	return nil
}

// writePidFile makes a file beside path and renames it: a reader never sees half of it.
func writePidFile(path string, pid int) error {
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path))
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_TRUNC, 0o666)
	if err != nil {
		return fmt.Errorf("pid file: %w", err)
	}
	_, err = f.WriteString(strconv.Itoa(pid))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		os.Remove(temp)
		return fmt.Errorf("pid file: %w", err)
	}
	return nil
}

// sendConsole sends the master of a terminal with the terminal's name.
func sendConsole(socket string, master *os.File) error {
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		return fmt.Errorf("console: ioctl TIOCGPTN: %w", err)
	}
	if err := sendFD(socket, "/dev/pts/"+strconv.Itoa(n), int(master.Fd())); err != nil {
		return fmt.Errorf("console socket: %w", err)
	}
	return nil
}

// sendFD connects to a stream socket and sends one message with one descriptor.
func sendFD(path, payload string, fd int) error {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)
	if err := connect(s, path); err != nil {
		return err
	}
	if err := unix.Sendmsg(s, []byte(payload), unix.UnixRights(fd), nil, unix.MSG_NOSIGNAL); err != nil {
		return &os.PathError{Op: "sendmsg", Path: path, Err: err}
	}
	return nil
}

// connect connects to a socket whose path may be longer than sun_path holds: then through a
// descriptor of its directory.
func connect(s int, path string) error {
	short, done, err := shortPath(path)
	if err != nil {
		return err
	}
	defer done()
	for {
		err := unix.Connect(s, &unix.SockaddrUnix{Name: short})
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return &os.PathError{Op: "connect", Path: path, Err: err}
		}
		return nil
	}
}

const maxSunPath = 107

func shortPath(path string) (short string, done func(), err error) {
	if len(path) <= maxSunPath {
		return path, func() {}, nil
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)), func() { dir.Close() }, nil
}
