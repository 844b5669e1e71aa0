package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os/user"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/manager"
	"tare/internal/proc"
	"tare/internal/spec"
	"tare/internal/state"
)

// loaded is a container as its state directory describes it.
type loaded struct {
	dir    *state.Dir
	record *state.Record
	cgroup *cgroups.Config // when it is known without the record
	made   *made           // when this process has made the container
	mgr    cgroups.Manager
}

func (l *loaded) close() { l.dir.Close() }

// load opens the state directory and reads the record. The caller closes it.
func (c *Container) load() (*loaded, error) {
	return c.open(func(*state.Dir) error { return nil })
}

// loadLocked loads the container once nobody else changes it. The caller, who says what for, closes it.
func (c *Container) loadLocked(ctx context.Context, what string) (*loaded, error) {
	return c.open(func(dir *state.Dir) error { return c.lock(ctx, dir, what) })
}

// open reads the record after first has been done.
func (c *Container) open(first func(*state.Dir) error) (*loaded, error) {
	dir, err := c.rt.store.Open(c.id)
	if err != nil {
		return nil, wrapID(c.id, err)
	}
	if err := first(dir); err != nil {
		dir.Close()
		return nil, wrapID(c.id, err)
	}
	l := c.known(dir)
	if err := l.read(); err != nil {
		dir.Close()
		return nil, fmt.Errorf("container %q: %w", c.id, err)
	}
	return l, nil
}

// lock waits for whoever works on the container, but for a create: there is nothing to operate on before its
// end, and who asks may be a hook whose end the create waits for.
func (c *Container) lock(ctx context.Context, dir *state.Dir, what string) error {
	if held, err := dir.TryLock(); held || err != nil {
		return err
	}
	record, err := dir.Load()
	if errors.Is(err, state.ErrNoRecord) || err == nil && !record.CreateDone {
		return c.wrong(Creating, "cannot %s a container that is being created", what)
	}
	return dir.Lock(ctx)
}

// known is what needs no reading.
func (c *Container) known(dir *state.Dir) *loaded {
	l := &loaded{dir: dir, cgroup: c.cgroup}
	if c.made == nil {
		return l
	}
	if b, ok := dir.Birth(); ok && b == c.made.birth {
		l.made, l.record, l.mgr = c.made, c.made.record, c.made.mgr
	}
	return l
}

func (l *loaded) read() error {
	if l.record != nil {
		return nil
	}
	var err error
	if l.record, err = l.dir.Load(); err != nil {
		return err
	}
	if l.cgroup != nil {
		l.mgr, err = manager.New(*l.cgroup)
	} else {
		l.mgr, err = managerOf(l.record)
	}
	return err
}

// alive tells whether the init is there: pid and start time must both be what they were.
func (l *loaded) alive() (bool, error) {
	if l.record.Pid == 0 {
		return false, nil
	}
	return proc.Alive(l.record.Pid, l.record.StartTime)
}

// pidfd opens the init. proc.ErrGone when it has ended.
func (l *loaded) pidfd() (int, error) { return proc.OpenPidfd(l.record.Pid, l.record.StartTime) }

// status looks at the kernel: whether the init lives, is frozen, still waits for start.
func (l *loaded) status() (Status, error) {
	status, err := l.life()
	if status != Running || err != nil {
		return status, err
	}
	s, waiting, err := dial(l.dir.SocketPath())
	if s >= 0 {
		unix.Close(s)
	}
	switch {
	case err != nil:
		return "", err
	case waiting:
		return Created, nil
	}
	// It may have ended between the two looks.
	if alive, err := l.alive(); err != nil || alive {
		return Running, err
	}
	return Stopped, nil
}

// life is status for those who connect to the init themselves: Running may yet be Created.
func (l *loaded) life() (Status, error) {
	alive, err := l.alive()
	if err != nil {
		return "", err
	}
	if !alive {
		if !l.record.CreateDone && l.beingMade() {
			return Creating, nil
		}
		return Stopped, nil
	}
	if !l.record.CreateDone {
		return Creating, nil
	}
	frozen, err := l.mgr.Frozen()
	if err != nil && !errors.Is(err, cgroups.ErrNotSupported) {
		return "", err
	}
	if frozen {
		return Paused, nil
	}
	return Running, nil
}

// beingMade tells whether a create works on the container: it holds the lock.
func (l *loaded) beingMade() bool {
	err := unix.Flock(l.dir.FD(), unix.LOCK_SH|unix.LOCK_NB)
	if err == nil {
		unix.Flock(l.dir.FD(), unix.LOCK_UN)
	}
	return errors.Is(err, unix.EWOULDBLOCK)
}

// State tells what the container is now.
func (c *Container) State() (*State, error) {
	l, err := c.load()
	if err != nil {
		return nil, err
	}
	defer l.close()
	status, err := l.status()
	if err != nil {
		return nil, fmt.Errorf("container %q: %w", c.id, err)
	}
	r := l.record
	s := &State{OCIVersion: r.OCIVersion, ID: r.ID, Pid: r.Pid, Status: status, Bundle: r.Bundle, Rootfs: r.Rootfs,
		Created: r.Created, Annotations: r.Annotations, Owner: ownerName(r.OwnerUID)}
	if status == Stopped {
		s.Pid = 0
	}
	return s, nil
}

func ownerName(uid uint32) string {
	if uid == 0 {
		return "root" // the common case costs no look into /etc/passwd
	}
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return "#" + id
}

// Spec is the configuration as it was at create.
func (c *Container) Spec() (*specs.Spec, error) {
	l, err := c.load()
	if err != nil {
		return nil, err
	}
	defer l.close()
	return l.spec()
}

func (l *loaded) spec() (*specs.Spec, error) {
	raw, err := l.dir.LoadConfig()
	if err != nil {
		return nil, err
	}
	return spec.Parse(raw)
}

// Process is a copy of the configuration's process, to make one for Exec from.
func (c *Container) Process() (*specs.Process, error) {
	s, err := c.Spec()
	if err != nil {
		return nil, err
	}
	return s.Process, nil
}

// Processes are the pids of all processes in the container's cgroup and below, as this process's pid
// namespace counts them.
func (c *Container) Processes() ([]int, error) {
	l, err := c.load()
	if err != nil {
		return nil, err
	}
	defer l.close()
	pids, err := l.mgr.Pids(true)
	if errors.Is(err, cgroups.ErrNotSupported) {
		return nil, fmt.Errorf("list the processes of container %q, which has no cgroup of its own: %w", c.id, err)
	}
	return pids, err
}

// wrong makes the error for an operation that does not fit the status.
func (c *Container) wrong(status Status, format string, args ...any) error {
	return &StatusError{ID: c.id, Status: status, Msg: fmt.Sprintf(format, args...)}
}
