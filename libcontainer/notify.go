package libcontainer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"tare/internal/state"
)

// relay passes the container's readiness on to whoever started it: sd_notify(3).
type relay struct {
	host string // the caller's socket
	fd   int    // the container's, bound by us
}

// newRelay binds the container's socket, so that it is there before the program. Without a host
// socket, or in a container that was created without one, there is nothing to relay.
func newRelay(dir *state.Dir, host string) (*relay, error) {
	r := &relay{host: host, fd: -1}
	if host == "" {
		return r, nil
	}
	_, socket, err := dir.MakeNotifyDir()
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	r.fd = fd
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: socket}); err != nil {
		r.close()
		return nil, fmt.Errorf("bind the notify socket: %w", err)
	}
	// The program may run as any user.
	if err := unix.Chmod(socket, 0o777); err != nil {
		r.close()
		return nil, fmt.Errorf("chmod the notify socket: %w", err)
	}
	return r, nil
}

func (r *relay) close() {
	if r.fd >= 0 {
		unix.Close(r.fd)
		r.fd = -1
	}
}

// run waits until the container says that it is ready, or has ended, and says so to the caller's socket.
func (r *relay) run(ctx context.Context, l *loaded) error {
	if r.fd < 0 {
		return nil
	}
	pidfd, err := l.pidfd()
	if err != nil {
		return nil // it has run and ended
	}
	defer unix.Close(pidfd)
	line, err := r.ready(ctx, pidfd)
	if err != nil || line == nil {
		return err
	}
	if err := r.tell(append(line, '\n'), nil); err != nil {
		return err
	}
	if err := r.tell(fmt.Appendf(nil, "MAINPID=%d\n", l.record.Pid), nil); err != nil {
		return err
	}
	return r.barrier()
}

// ready gives the first line of a datagram that begins with READY=, nil when the init ends before.
func (r *relay) ready(ctx context.Context, pidfd int) ([]byte, error) {
	buf := make([]byte, 64<<10)
	for {
		// The context is looked at between the messages.
		fds := []unix.PollFd{{Fd: int32(r.fd), Events: unix.POLLIN}, {Fd: int32(pidfd), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, 100); err != nil && err != unix.EINTR {
			return nil, os.NewSyscallError("poll", err)
		}
		if fds[0].Revents != 0 {
			n, _, err := unix.Recvfrom(r.fd, buf, 0)
			if err != nil && err != unix.EINTR {
				return nil, os.NewSyscallError("recvfrom", err)
			}
			for line := range bytes.Lines(buf[:max(n, 0)]) {
				if bytes.HasPrefix(line, []byte("READY=")) {
					return bytes.TrimRight(line, "\n"), nil
				}
			}
			continue
		}
		if fds[1].Revents != 0 {
			return nil, nil
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("wait for the container to be ready: %w", context.Cause(ctx))
		}
	}
}

func (r *relay) tell(msg []byte, fds []int) error {
	s, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(s)
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	if err := unix.Sendmsg(s, msg, rights, &unix.SockaddrUnix{Name: r.host}, unix.MSG_NOSIGNAL); err != nil {
		return fmt.Errorf("notify %q: %w", r.host, err)
	}
	return nil
}

// barrierTime bounds the wait for the notifications to be read.
const barrierTime = 30 * time.Second

// barrier waits until the receiver has taken all that was sent: it closes the pipe then.
func (r *relay) barrier() error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	err = r.tell([]byte("BARRIER=1"), []int{int(write.Fd())})
	write.Close()
	if err != nil {
		return err
	}
	if err := read.SetReadDeadline(time.Now().Add(barrierTime)); err != nil {
		return err
	}
	if _, err := read.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("notify %q: barrier not answered within %v", r.host, barrierTime)
	}
	return nil
}
