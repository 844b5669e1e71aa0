package libcontainer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/internal/host"
	"tare/internal/proc"
	"tare/internal/spec"
	"tare/internal/state"
)

// killTime bounds the wait for a killed init to end.
const killTime = 10 * time.Second

// Delete removes what is left of a stopped container, and kills one that is only created. With force
// it kills any, copes with what a killed create has left, and a container that does not exist is no error.
// The poststop hooks run at the end, when everything is gone; their failures are warnings.
func (c *Container) Delete(ctx context.Context, force bool) error {
	err := c.delete(ctx, force)
	if force && errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

func (c *Container) delete(ctx context.Context, force bool) error {
	dir, err := c.rt.store.Open(c.id)
	if err != nil {
		return wrapID(c.id, err)
	}
	l := c.known(dir)
	defer l.close()
	if err := c.lockToDelete(ctx, l, force); err != nil {
		return wrapID(c.id, err)
	}
	err = l.read()
	if errors.Is(err, state.ErrNoRecord) {
		// A create that was killed before it had done anything.
		if err := dir.Remove(); err != nil || force {
			return err
		}
		return wrapID(c.id, ErrNotFound)
	}
	if err != nil && force {
		// No crash leaves such a record, which is replaced as a whole; what it named is lost.
		c.rt.warn("delete container %q: %v", c.id, err)
		return dir.Remove()
	}
	if err != nil {
		return wrapID(c.id, err)
	}
	if err := c.mayDelete(l, force); err != nil {
		return err
	}
	return c.remove(ctx, l)
}

// lockToDelete takes the lock. When it is held, by a create or a start that may hang, force kills the
// init without it: its holder lets go then.
func (c *Container) lockToDelete(ctx context.Context, l *loaded, force bool) error {
	if !force {
		return c.lock(ctx, l.dir, "delete")
	}
	if held, err := l.dir.TryLock(); held || errors.Is(err, ErrNotFound) {
		return err
	}
	// What is read now the holder may yet change: the init that it has made meanwhile is in the record later.
	if now := c.known(l.dir); now.read() == nil {
		c.killInit(ctx, now)
	}
	return l.dir.Lock(ctx)
}

func (c *Container) mayDelete(l *loaded, force bool) error {
	if force {
		return nil
	}
	status, err := l.status()
	if err != nil {
		return err
	}
	if status == Running || status == Paused {
		return c.wrong(status, "cannot delete container %s that is not stopped: %s", c.id, status)
	}
	return nil
}

// killInit ends the init and everything else in the cgroup. What fails here shows when the cgroup is
// removed.
func (c *Container) killInit(ctx context.Context, l *loaded) {
	if pidfd, err := l.pidfd(); err == nil {
		sendSignal(pidfd, int(unix.SIGKILL))
		unix.Close(pidfd)
	}
	if l.mgr.Exists() {
		if err := l.mgr.Kill(ctx); err != nil {
			c.rt.debug(c.id, "kill the cgroup: %v", err)
		}
	}
}

// remove ends what still runs and takes everything away. Each part may be gone already.
func (c *Container) remove(ctx context.Context, l *loaded) error {
	pidfd, err := l.pidfd()
	if err != nil && !errors.Is(err, proc.ErrGone) {
		return err
	}
	c.killInit(ctx, l)
	if err == nil {
		err = c.awaitInit(ctx, pidfd)
		unix.Close(pidfd)
		if err != nil {
			return err
		}
	}
	c.reapInit()
	if err := l.mgr.Destroy(ctx); err != nil {
		return err
	}
	if g := l.record.IntelRdt; g != nil {
		if err := (&host.RdtGroup{Dir: g.Group, Own: g.Own, Mon: g.Mon}).Remove(); err != nil {
			return err
		}
	}
	stopped := c.poststopSpec(l)
	if err := l.dir.Remove(); err != nil {
		return err
	}
	if stopped != nil {
		runPoststop(c.rt, stopped, c.id, l.record.Bundle)
	}
	return nil
}

func (c *Container) awaitInit(ctx context.Context, pidfd int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, killTime, errors.New("container init still running"))
	defer cancel()
	return waitEnd(ctx, pidfd)
}

// reapInit collects a dead init whose parent this process is, so that no zombie stays; the caller's
// Wait may have done so.
func (c *Container) reapInit() {
	if c.child != 0 {
		unix.Wait4(c.child, nil, unix.WNOHANG, nil)
		c.forget()
	}
}

// poststopSpec is the configuration when it has poststop hooks.
func (c *Container) poststopSpec(l *loaded) *specs.Spec {
	if l.made != nil && !l.made.stopped {
		return nil
	}
	raw, err := l.dir.LoadConfig()
	if err != nil || !bytes.Contains(raw, []byte("poststop")) {
		return nil
	}
	s, err := spec.Parse(raw)
	if err != nil {
		c.rt.warn("poststop hooks are not run: %v", fmt.Errorf("config of container %q: %w", c.id, err))
		return nil
	}
	return s
}
