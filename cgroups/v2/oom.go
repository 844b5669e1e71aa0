package v2

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"tare/cgroups/internal/ctl"
)

// OOMKills reads oom_kill of memory.events, which counts descendants too.
func (m *Manager) OOMKills() (uint64, error) {
	b, err := ctl.Read(m.dir, "memory.events", nil)
	if ctl.Gone(err) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n, _ := ctl.Pair(b, "oom_kill")
	return n, nil
}

// WatchOOM waits for changes of memory.events and cgroup.events.
func (m *Manager) WatchOOM(ctx context.Context, notify func(kills uint64)) error {
	memory, err := ctl.Open(m.dir, "memory.events", unix.O_RDONLY)
	if err != nil {
		return fmt.Errorf("watch for out of memory: %w", err)
	}
	defer unix.Close(memory)
	events, err := ctl.Open(m.dir, "cgroup.events", unix.O_RDONLY)
	if err != nil {
		return fmt.Errorf("watch for out of memory: %w", err)
	}
	defer unix.Close(events)
	var buf []byte
	var seen uint64
	fds := []unix.PollFd{{Fd: int32(memory), Events: unix.POLLPRI}, {Fd: int32(events), Events: unix.POLLPRI}}
	for first := true; ; first = false {
		// The order matters: a last kill is seen before the emptiness it causes.
		populated, ok := reread(events, &buf, "populated")
		kills, alive := reread(memory, &buf, "oom_kill")
		if alive && kills > seen && !first {
			notify(kills)
		}
		if !ok || !alive || populated == 0 {
			return nil
		}
		seen = kills
		if _, err := ctl.PollAny(ctx, fds); err != nil {
			return err
		}
	}
}

// reread reads key anew; !ok means that the cgroup is gone.
func reread(fd int, buf *[]byte, key string) (v uint64, ok bool) {
	if _, err := unix.Seek(fd, 0, 0); err != nil {
		return 0, false
	}
	b, err := ctl.ReadFD(fd, *buf)
	if err != nil {
		return 0, false
	}
	*buf = b
	v, _ = ctl.Pair(b, key)
	return v, true
}
