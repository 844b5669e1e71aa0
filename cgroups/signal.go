package cgroups

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Signal sends sig to every process in and below the manager's cgroup; SIGKILL
// by its Kill. A process that has ended meanwhile is no error, and one that
// is forked meanwhile may be missed, as with any signal.
func Signal(ctx context.Context, m Manager, sig unix.Signal) error {
	if sig == unix.SIGKILL {
		return m.Kill(ctx)
	}
	pids, err := m.Pids(true)
	if err != nil {
		return err
	}
	fds := make(map[int]int, len(pids))
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for _, pid := range pids {
		fd, err := unix.PidfdOpen(pid, 0)
		if err == nil {
			fds[pid] = fd
		} else if !errors.Is(err, unix.ESRCH) && !errors.Is(err, unix.EINVAL) { // EINVAL: only a thread is left
			return fmt.Errorf("pidfd_open %d: %w", pid, err)
		}
	}
	// Whoever is still listed is the process that its pidfd holds: a number
	// that was used again in between belongs to another cgroup, or a new member.
	if pids, err = m.Pids(true); err != nil {
		return err
	}
	var errs []error
	for pid, fd := range fds {
		if !slices.Contains(pids, pid) {
			continue
		}
		if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && err != unix.ESRCH {
			errs = append(errs, fmt.Errorf("signal %d: %w", pid, err))
		}
	}
	return errors.Join(errs...)
}
