package libcontainer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/internal/launch"
	"tare/internal/plan"
	"tare/internal/spec"
	"tare/internal/state"
	"tare/internal/step"
	"tare/seccomp"
)

// StartOptions say how Start goes on after the program runs.
type StartOptions struct {
	// NotifySocket is the sd_notify(3) socket to relay the container's readiness to; Start then
	// returns when it is ready, or has ended. The container must have been created with one.
	NotifySocket string
}

// Start lets the program run. It returns once execve is done and the poststart hooks have run.
func (c *Container) Start(ctx context.Context) error { return c.StartWith(ctx, StartOptions{}) }

// StartWith is Start with options.
func (c *Container) StartWith(ctx context.Context, o StartOptions) error {
	l, err := c.loadLocked(ctx, "start")
	if err != nil {
		return err
	}
	defer l.close()
	if err := c.mayStart(l); err != nil {
		return err
	}
	relay, err := newRelay(l.dir, o.NotifySocket)
	if err != nil {
		return err
	}
	defer relay.close()
	if err := c.letGo(ctx, l); err != nil {
		if failed := (*launch.Failure)(nil); errors.As(err, &failed) && failed.Step == step.KindHook {
			c.discard(ctx, l, "startContainer")
		}
		return err
	}
	if err := l.dir.RemoveSocket(); err != nil {
		c.rt.warn("%v", err)
	}
	hooks, err := c.poststartHooks(l)
	l.dir.Unlock() // it runs: a hook may pause it, and who waits for its readiness may wait long
	if err == nil {
		err = runPoststart(ctx, l.record, hooks)
	}
	if err != nil {
		c.discard(ctx, l, "poststart")
		return err
	}
	return relay.run(ctx, l)
}

// discard deletes the container after a failed hook, as the lifecycle in runtime.md wants it: this one, not
// another that has its name by now.
func (c *Container) discard(ctx context.Context, l *loaded, hook string) {
	ctx = context.WithoutCancel(ctx)
	err := l.dir.Lock(ctx)
	if err == nil {
		err = c.remove(ctx, l)
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		c.rt.warn("delete container %q after a failed %s hook: %v", c.id, hook, err)
	}
}

func (c *Container) mayStart(l *loaded) error {
	status, err := l.life()
	if err != nil {
		return err
	}
	switch status {
	case Stopped:
		return c.wrong(status, "cannot start a container that has stopped")
	case Paused:
		return c.wrong(status, "cannot start a container in the paused state")
	case Creating:
		return c.wrong(status, "cannot start a container that is being created")
	}
	return nil // whether it waits for start shows when it is told to go
}

// letGo tells the init to go on and reads what it says until execve closes the connection.
func (c *Container) letGo(ctx context.Context, l *loaded) error {
	pidfd, err := l.pidfd()
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	s, ok, err := dial(l.dir.SocketPath())
	if err != nil {
		return err
	}
	if !ok || s < 0 {
		return c.wrong(Running, "cannot start an already running container")
	}
	conn, err := launch.NewConn(s)
	if err != nil {
		return err
	}
	defer conn.Close()
	d := &driver{rt: c.rt, id: c.id, plan: new(plan.Plan), mgr: l.mgr}
	d.agent = func(listener *os.File) error { return c.tellAgent(l, l.record.Pid, specs.StateCreated, listener) }
	conn.OnReport, conn.OnFD = d.report, d.takeFD
	if err := conn.Release("start"); err != nil {
		return err
	}
	executed := false
	conn.OnArrived = func(name string) { executed = executed || name == step.ArrivedExec }
	if err := conn.AwaitEnd(ctx, "to start the program"); err != nil {
		return err
	}
	if !executed {
		if killed := oomKilled("container init", l.mgr, cgroups.OOMReading{}); killed != nil {
			return killed
		}
		return fmt.Errorf("container init was killed before it could start the program")
	}
	return nil
}

// poststartHooks is the configuration when it has hooks that come after the program has been started.
func (c *Container) poststartHooks(l *loaded) (*specs.Spec, error) {
	if l.made != nil && !l.made.poststart {
		return nil, nil
	}
	raw, err := l.dir.LoadConfig()
	if err != nil || !bytes.Contains(raw, []byte("poststart")) {
		return nil, err
	}
	return spec.Parse(raw)
}

func runPoststart(ctx context.Context, r *state.Record, s *specs.Spec) error {
	if s == nil {
		return nil
	}
	st := &specs.State{Version: specs.Version, ID: r.ID, Status: specs.StateRunning, Pid: r.Pid,
		Bundle: r.Bundle, Annotations: r.Annotations}
	for _, h := range plan.PoststartHooks(s) {
		if err := runHook(ctx, h.(*step.HostHook), s, st, 0); err != nil {
			return fmt.Errorf("%s: %w", h.Where(), err)
		}
	}
	return nil
}

// tellAgent hands the listener of a seccomp filter to the agent that the profile names.
func (c *Container) tellAgent(l *loaded, pid int, status specs.ContainerState, listener *os.File) error {
	s, err := l.spec()
	if err != nil {
		return err
	}
	p := &prepared{id: c.id, spec: s}
	if err := p.compile(c.rt); err != nil {
		return err
	}
	st := specs.State{Version: specs.Version, ID: c.id, Status: status, Pid: l.record.Pid, Bundle: l.record.Bundle,
		Annotations: l.record.Annotations}
	return seccomp.SendListener(int(listener.Fd()), p.filter.Listener, seccomp.NewProcessState(pid, p.filter.Metadata, st))
}
