package libcontainer

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/internal/proc"
)

// OOM says that a container has run out of memory, and whose limit it was: its own, that of a cgroup
// below or above it, or none.
type OOM struct {
	// Kills is how many processes of the container the kernel has killed for that.
	Kills uint64 `json:"kills"`
	cgroups.OOMCause
}

// OOM tells what the kernel has killed of the container since it was created, and for which limit; nil
// when nothing. It does not tell which processes those were.
func (c *Container) OOM() (*OOM, error) {
	if c.cgroup != nil {
		return oomSince(*c.cgroup, cgroups.OOMReading{})
	}
	l, err := c.load()
	if err != nil {
		return nil, err
	}
	defer l.close()
	return oomSince(l.mgr.Config(), cgroups.OOMReading{})
}

// OOM is Container.OOM for the time since the process was started.
func (p *Process) OOM() (*OOM, error) { return oomSince(p.cgroup, p.before) }

func oomSince(cfg cgroups.Config, before cgroups.OOMReading) (*OOM, error) {
	now, err := cgroups.ReadOOM(cfg)
	if err != nil || now.Kills <= before.Kills {
		return nil, err
	}
	return &OOM{now.Kills - before.Kills, now.Cause(before)}, nil
}

// oomKilled is the error for a process of tare's that the kernel has killed on its way, nil if none was.
func oomKilled(who string, mgr cgroups.Manager, before cgroups.OOMReading) error {
	o, err := oomSince(mgr.Config(), before)
	if err != nil || o == nil {
		return nil
	}
	return &oomError{fmt.Sprintf("%s was OOM-killed (memory limit too low?): %s", who, o.OOMCause)}
}

type oomError struct{ msg string }

func (e *oomError) Error() string { return e.msg }

// ErrNoOOM is returned by WatchOOM for a container without a memory cgroup of its own.
var ErrNoOOM = errors.New("the container's cgroup has no memory controller")

// WatchOOM calls notify each time the container has run out of memory, with the number of processes
// that the kernel has killed for it so far: on cgroup v1 the victim of that moment may still be missing.
// It returns nil when the container stops, and an error when ctx ends before. ErrStatus, ErrNoOOM.
func (c *Container) WatchOOM(ctx context.Context, notify func(OOM)) error {
	l, err := c.load()
	if err != nil {
		return err
	}
	defer l.close()
	if err := c.mustLive(l); err != nil {
		return err
	}
	pidfd, err := l.pidfd()
	if errors.Is(err, proc.ErrGone) {
		return c.mustLive(l)
	}
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	return l.watchOOM(ctx, pidfd, notify)
}

// watchOOM ends the manager's watch with the init: on v1 that would wait for the cgroup to be removed.
func (l *loaded) watchOOM(ctx context.Context, pidfd int, notify func(OOM)) error {
	watch, stop := context.WithCancel(ctx)
	stopped := make(chan bool)
	go func() {
		err := waitEnd(watch, pidfd)
		stop()
		stopped <- err == nil
	}()
	// What was counted before is compared with, so that old events of a parent are not taken for this one.
	before, _ := cgroups.ReadOOM(l.mgr.Config())
	tell := func(kills uint64) {
		now, err := cgroups.ReadOOM(l.mgr.Config())
		if err != nil || now.Kills < before.Kills { // gone meanwhile
			now = before
		}
		notify(OOM{kills, now.Cause(before)})
		before = now
	}
	seen, err := l.mgr.OOMKills()
	if err == nil {
		err = l.mgr.WatchOOM(watch, func(kills uint64) {
			seen = max(seen+1, kills)
			tell(kills)
		})
	}
	stop()
	switch ended := <-stopped; {
	case errors.Is(err, cgroups.ErrNotSupported), errors.Is(err, unix.ENOENT) && !ended && l.mgr.Exists():
		return ErrNoOOM
	case ended || err == nil:
		// The kill that ended the init, if the watch was over first.
		if kills, err := l.mgr.OOMKills(); err == nil && kills > seen {
			tell(kills)
		}
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return err
}
