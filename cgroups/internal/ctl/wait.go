package ctl

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Poll waits until fd reports one of events, or ctx is over (its error).
func Poll(ctx context.Context, fd int, events int16) error {
	_, err := PollAny(ctx, []unix.PollFd{{Fd: int32(fd), Events: events}})
	return err
}

// PollAny waits until one of fds is ready and returns its index. It wakes
// for ctx through an eventfd of its own, so it never polls by time.
func PollAny(ctx context.Context, fds []unix.PollFd) (int, error) {
	if err := ctx.Err(); err != nil {
		return -1, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("eventfd: %w", err)
	}
	defer unix.Close(wake)
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		_, _ = unix.Write(wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	})
	defer func() {
		if !stop() {
			<-done
		}
	}()
	all := append(append(make([]unix.PollFd, 0, len(fds)+1), fds...), unix.PollFd{Fd: int32(wake), Events: unix.POLLIN})
	for {
		_, err := unix.Poll(all, -1)
		if err != nil && err != unix.EINTR {
			return -1, fmt.Errorf("poll: %w", err)
		}
		if err == unix.EINTR {
			continue
		}
		for i := range fds {
			if all[i].Revents != 0 {
				return i, nil
			}
		}
		if err := ctx.Err(); err != nil {
			return -1, err
		}
	}
}

// WaitEvent waits until key of dir's cgroup.events has the value want.
// A cgroup that is removed meanwhile ends the wait with ENODEV or ENOENT.
func WaitEvent(ctx context.Context, dir, key string, want uint64) error {
	fd, err := Open(dir, "cgroup.events", unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	var buf []byte
	for {
		if _, err := unix.Seek(fd, 0, 0); err != nil {
			return fmt.Errorf("seek %q: %w", dir+"/cgroup.events", err)
		}
		if buf, err = ReadFD(fd, buf); err != nil {
			return fmt.Errorf("read %q: %w", dir+"/cgroup.events", err)
		}
		got, ok := Pair(buf, key)
		if !ok {
			return fmt.Errorf("read %q: %w: no %s", dir+"/cgroup.events", ErrFormat, key)
		}
		if got == want {
			return nil
		}
		// kernfs raises POLLPRI|POLLERR on change. The time-out only guards
		// against a notification the kernel folded into an earlier one.
		wait, cancel := context.WithTimeout(ctx, time.Second)
		err := Poll(wait, fd, unix.POLLPRI)
		cancel()
		if ctx.Err() != nil {
			return fmt.Errorf("wait for %s %d in %q: %w", key, want, dir+"/cgroup.events", ctx.Err())
		}
		if err != nil && wait.Err() == nil {
			return err
		}
	}
}
