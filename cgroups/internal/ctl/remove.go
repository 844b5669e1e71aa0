package ctl

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// busyLimit bounds the wait of Remove for a caller without a deadline.
const busyLimit = 10 * time.Second

// Remove removes the cgroup dir and all below it, children first. A cgroup
// that is gone already is a success. While the kernel says EBUSY it waits for
// the processes inside to end: it kills nothing.
func Remove(ctx context.Context, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, busyLimit)
	defer cancel()
	return remove(ctx, dir)
}

func remove(ctx context.Context, dir string) error {
	for try := 0; ; try++ {
		err := unix.Rmdir(dir)
		switch err {
		case nil, unix.ENOENT:
			return nil
		case unix.EINTR:
			continue
		case unix.EBUSY, unix.ENOTEMPTY:
		default:
			return fmt.Errorf("rmdir %q: %w", dir, err)
		}
		if cerr := removeChildren(ctx, dir); cerr != nil {
			return cerr
		}
		if !waitEmpty(ctx, dir, try) {
			return fmt.Errorf("rmdir %q: %w", dir, err)
		}
	}
}

func removeChildren(ctx context.Context, dir string) error {
	children, err := Children(nil, dir)
	if err != nil {
		return err
	}
	for _, c := range children {
		if err := remove(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// waitEmpty returns when another rmdir is worth its while: the cgroup says
// that it is empty, or one of its processes has ended. It is false once ctx
// is over. The only blind pause is for the moment in which the kernel still
// takes down a task that nothing lists any more.
func waitEmpty(ctx context.Context, dir string, try int) bool {
	if ctx.Err() != nil {
		return false
	}
	pids, err := Pids(dir, true)
	if err != nil || len(pids) == 0 {
		return try == 0 || Pause(ctx, min(time.Duration(try)*100*time.Microsecond, 10*time.Millisecond))
	}
	if Has(dir, "cgroup.events") {
		return WaitEvent(ctx, dir, "populated", 0) == nil || ctx.Err() == nil
	}
	return waitExit(ctx, pids[0])
}

// waitExit waits until the process has ended, at most a second at a time as
// it may also have been moved away.
func waitExit(ctx context.Context, pid int) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return Pause(ctx, time.Millisecond)
	}
	defer unix.Close(fd)
	wait, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = Poll(wait, fd, unix.POLLIN)
	// A zombie is readable at once but holds its cgroup until it is reaped by
	// its parent on v1; do not spin on it.
	return Pause(ctx, time.Millisecond)
}

// Pause sleeps for d or until ctx is over; false in the latter case.
func Pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
