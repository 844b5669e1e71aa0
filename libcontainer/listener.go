package libcontainer

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// listen makes the socket on which a created init waits for start. The init holds the only
// descriptor once create is done, close-on-exec: whether it still accepts is whether the container is
// still `created`, and the kernel keeps the answer true whatever dies when.
func listen(path string) (int, error) {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := unix.Bind(s, &unix.SockaddrUnix{Name: path}); err != nil {
		unix.Close(s)
		return -1, &os.PathError{Op: "bind", Path: path, Err: err}
	}
	if err := unix.Listen(s, 16); err != nil {
		unix.Close(s)
		return -1, &os.PathError{Op: "listen", Path: path, Err: err}
	}
	return s, nil
}

// dial connects to the init that waits. ok is false when none does.
func dial(path string) (s int, ok bool, err error) {
	s, err = unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, false, os.NewSyscallError("socket", err)
	}
	err = unix.Connect(s, &unix.SockaddrUnix{Name: path})
	if err == nil {
		return s, true, nil
	}
	unix.Close(s)
	switch {
	case errors.Is(err, unix.EAGAIN): // its queue is full of others who ask
		return -1, true, nil
	case errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ENOENT):
		return -1, false, nil
	}
	return -1, false, &os.PathError{Op: "connect", Path: path, Err: err}
}
