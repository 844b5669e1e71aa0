package v1

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

// OOMKills sums up oom_kill of memory.oom_control, which counts the cgroup's
// own processes alone, over it and those below it.
func (m *Manager) OOMKills() (uint64, error) {
	dir := m.dir("memory")
	if dir == "" {
		if m.unified != nil {
			return m.unified.OOMKills()
		}
		return 0, nil
	}
	return ctl.OOMKills(dir)
}

// WatchOOM registers an eventfd for memory.oom_control. The kernel signals it
// also when the cgroup is removed.
func (m *Manager) WatchOOM(ctx context.Context, notify func(kills uint64)) error {
	dir := m.dir("memory")
	if dir == "" {
		if m.unified != nil {
			return m.unified.WatchOOM(ctx, notify)
		}
		return fmt.Errorf("watch for out of memory: controller memory: %w", cgroups.ErrNotSupported)
	}
	event, err := register(dir)
	if err != nil {
		return fmt.Errorf("watch for out of memory: %w", err)
	}
	defer unix.Close(event)
	fds := []unix.PollFd{{Fd: int32(event), Events: unix.POLLIN}}
	if m.unified != nil {
		populated, err := ctl.Open(m.unified.Dir(), "cgroup.events", unix.O_RDONLY)
		if err != nil {
			return fmt.Errorf("watch for out of memory: %w", err)
		}
		defer unix.Close(populated)
		fds = append(fds, unix.PollFd{Fd: int32(populated), Events: unix.POLLPRI})
	}
	return m.watch(ctx, fds, notify)
}

func (m *Manager) watch(ctx context.Context, fds []unix.PollFd, notify func(uint64)) error {
	var buf []byte
	for {
		if len(fds) > 1 {
			if empty, b := isEmpty(int(fds[1].Fd), buf); empty {
				return nil
			} else {
				buf = b
			}
		}
		i, err := ctl.PollAny(ctx, fds)
		if err != nil {
			return err
		}
		if i != 0 {
			continue
		}
		var count [8]byte
		if _, err := unix.Read(int(fds[0].Fd), count[:]); err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("read eventfd: %w", err)
		}
		if !ctl.Exists(m.dir("memory")) {
			return nil
		}
		kills, err := m.OOMKills()
		if err != nil {
			return err
		}
		notify(kills)
	}
}

func isEmpty(fd int, buf []byte) (bool, []byte) {
	if _, err := unix.Seek(fd, 0, 0); err != nil {
		return true, buf
	}
	b, err := ctl.ReadFD(fd, buf)
	if err != nil {
		return true, buf
	}
	v, ok := ctl.Pair(b, "populated")
	return ok && v == 0, b
}

// register returns an eventfd that counts the cgroup's out-of-memory events.
// The registration lasts as long as the eventfd.
func register(dir string) (int, error) {
	control, err := ctl.Open(dir, "memory.oom_control", unix.O_RDONLY)
	if err != nil {
		return -1, err
	}
	defer unix.Close(control)
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("eventfd: %w", err)
	}
	if err := ctl.Write(dir, "cgroup.event_control", strconv.Itoa(event)+" "+strconv.Itoa(control)); err != nil {
		unix.Close(event)
		return -1, err
	}
	return event, nil
}
