package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/manager"
	"tare/internal/hooks"
	"tare/internal/launch"
	"tare/internal/plan"
	"tare/internal/proc"
	"tare/internal/state"
	"tare/internal/step"
)

// Container is a container of a Runtime. Several values, in several processes, may stand for the same
// one: each operation looks at its present state.
type Container struct {
	rt *Runtime
	id string
	// pid and pidfd of the init, when this process is its parent and has not waited for it.
	child int
	pidfd *os.File
	// cgroup spares the process that created the container the reading of its record's, made the whole
	// record's.
	cgroup *cgroups.Config
	made   *made
}

// made is what the process that created a container knows of it. No other process changes any of it; but
// another may have made a new container of the same name, in a new directory.
type made struct {
	birth              state.Birth
	record             *state.Record
	mgr                cgroups.Manager
	poststart, stopped bool // there are hooks
}

// ID is the container's id.
func (c *Container) ID() string { return c.id }

// InitPid is the pid of the init for the process that created the container, until Wait or Delete has
// reaped it; 0 otherwise.
func (c *Container) InitPid() int { return c.child }

// creation is a create under way.
type creation struct {
	*prepared
	rt       *Runtime
	o        *CreateOptions
	dir      *state.Dir
	record   *state.Record
	mgr      cgroups.Manager
	exe      *os.File
	listener int
	undo     undo
	driver   *driver
}

// Create makes a container from a bundle; its init waits for Start. When it fails, nothing is left.
func (rt *Runtime) Create(ctx context.Context, id string, o CreateOptions) (*Container, error) {
	p, err := rt.prepare(ctx, id, &o)
	if err != nil {
		return nil, err
	}
	c := &creation{prepared: p, rt: rt, o: &o, listener: -1}
	defer c.close()
	if err := c.run(ctx); err != nil {
		c.undo.run()
		if c.driver != nil && c.driver.hooks {
			c.poststop()
		}
		return nil, wrapID(id, err)
	}
	c.undo.release()
	con := &Container{rt: rt, id: id, child: c.driver.child.Pid, pidfd: c.driver.child.Pidfd, cgroup: &c.cgroup}
	if birth, ok := c.dir.Birth(); ok {
		h := c.spec.Hooks
		con.made = &made{birth: birth, record: c.record, mgr: c.mgr, poststart: h != nil && len(h.Poststart) > 0,
			stopped: h != nil && len(h.Poststop) > 0}
	}
	c.driver.child.Pidfd = nil // it is the container's now
	return con, nil
}

func (c *creation) close() {
	if c.exe != nil {
		c.exe.Close()
	}
	if c.listener >= 0 {
		unix.Close(c.listener)
	}
	if c.driver != nil {
		c.driver.close()
	}
	if c.driver != nil && c.driver.child != nil {
		c.driver.child.Conn.Close()
		c.driver.child.Pidfd.Close() // of a nil *os.File after success: no harm
	}
	if c.dir != nil {
		c.dir.Close()
	}
}

func (c *creation) run(ctx context.Context) error {
	if err := c.reserve(ctx); err != nil {
		return err
	}
	var err error
	if c.exe, err = launch.OpenExe(c.rt.cfg.Binary); err != nil {
		return err
	}
	if c.listener, err = listen(c.dir.SocketPath()); err != nil {
		return err
	}
	if c.o.NotifySocket != "" {
		// Start binds the socket in it; the plan mounts the directory.
		if _, _, err := c.dir.MakeNotifyDir(); err != nil {
			return err
		}
	}
	table := &fdTable{ctx: ctx, exe: c.exe, files: c.o.ExtraFiles, listener: c.listener}
	defer table.close()
	if err := table.open(c.plan.FDs); err != nil {
		return err
	}
	c.driver = &driver{
		rt: c.rt, id: c.id, io: &c.o.IO, plan: c.plan, exe: c.exe, fds: table.fds, mgr: c.mgr, joinTo: c.mgr, undo: &c.undo,
		stdio: [3]*os.File{c.o.Stdin, c.o.Stdout, c.o.Stderr},
		hook:  c.hook, started: c.started, ready: c.ready, annotations: c.spec.Annotations,
	}
	if l := c.spec.Linux; l != nil {
		c.driver.res, c.driver.rdt = l.Resources, l.IntelRdt
	}
	return c.driver.run(ctx)
}

// reserve takes the id and writes down what a later process needs to sweep up after a create that
// was killed: above all where the cgroup will be.
func (c *creation) reserve(ctx context.Context) error {
	var err error
	if c.mgr, err = manager.New(c.cgroup); err != nil {
		return err
	}
	if c.dir, err = c.rt.store.Reserve(ctx, c.id); err != nil {
		return err
	}
	c.undo.push(func() {
		if err := c.dir.Remove(); err != nil {
			c.rt.warn("remove the state of container %q: %v", c.id, err)
		}
	})
	cg, err := encodeCgroup(&c.cgroup)
	if err != nil {
		return err
	}
	c.record = &state.Record{
		Version: state.Version, ID: c.id, OCIVersion: specs.Version, Bundle: c.bundle, Rootfs: c.rootfs,
		Created: time.Now().UTC(), Cgroup: cg, Annotations: c.spec.Annotations,
		OwnerUID: uint32(os.Geteuid()), NoPivot: c.o.NoPivot, Rootless: c.rootless,
	}
	if err := c.dir.SaveConfig(c.raw); err != nil {
		return err
	}
	return c.dir.Save(c.record)
}

// started writes the pid down as soon as there is one.
func (c *creation) started() error {
	pid := c.driver.child.Pid
	start, err := proc.StartTime(pid)
	if err != nil {
		return err
	}
	c.record.Pid, c.record.StartTime = pid, start
	return c.dir.Save(c.record)
}

// ready is called while the init waits at the last barrier.
func (c *creation) ready() error {
	child := c.driver.child
	c.record.CreateDone = true
	c.record.StdioNames = stdioNames(child.Pid)
	if g := c.driver.rdtMade; g != nil {
		c.record.IntelRdt = &state.IntelRdt{Group: g.Dir, Own: g.Own, Mon: g.Mon}
	}
	c.record.NetDevices = c.driver.netNames
	if err := c.dir.Save(c.record); err != nil {
		return err
	}
	if c.o.PidfdSocket == "" {
		c.o.PidfdSocket = c.spec.Annotations["run.oci.pidfd_receiver"]
	}
	return announce(&c.o.IO, child.Pid, child.Pidfd)
}

// stdioNames are what the standard descriptors of the init lead to, which a checkpoint has to know.
func stdioNames(pid int) (names [3]string) {
	for i := range names {
		names[i], _ = os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, i))
	}
	return names
}

func (c *creation) hook(ctx context.Context, h *step.HostHook) error {
	child := c.driver.child
	return runHook(ctx, h, c.spec, &specs.State{Version: specs.Version, ID: c.id, Status: specs.StateCreating,
		Pid: child.Pid, Bundle: c.bundle, Annotations: c.spec.Annotations}, int(child.Pidfd.Fd()))
}

func runHook(ctx context.Context, h *step.HostHook, s *specs.Spec, st *specs.State, init int) error {
	text, err := hooks.State(st)
	if err != nil {
		return err
	}
	return hooks.Run(ctx, h, hooks.Options{State: text, Dir: st.Bundle, Init: init,
		Stdout: s.Annotations[hooks.StdoutAnnotation], Stderr: s.Annotations[hooks.StderrAnnotation]})
}

// poststop runs after a create that failed when hooks had run already; their failures are warnings.
func (c *creation) poststop() {
	runPoststop(c.rt, c.spec, c.id, c.bundle)
}

func runPoststop(rt *Runtime, s *specs.Spec, id, bundle string) {
	st := &specs.State{Version: specs.Version, ID: id, Status: specs.StateStopped, Bundle: bundle, Annotations: s.Annotations}
	for _, h := range plan.PoststopHooks(s) {
		// Each has its own timeout; a caller in a hurry must not skip them.
		if err := runHook(context.Background(), h.(*step.HostHook), s, st, 0); err != nil {
			rt.warn("%s: %v", h.Where(), err)
		}
	}
}

// Wait waits for the init to end and tells how. Only the process that created the container can.
func (c *Container) Wait(ctx context.Context) (ExitStatus, error) {
	if c.child == 0 {
		return ExitStatus{}, errors.New("wait: the container's init is not a child of this process")
	}
	if err := waitEnd(ctx, int(c.pidfd.Fd())); err != nil {
		return ExitStatus{}, err
	}
	pid := c.child
	c.forget()
	return reap(pid)
}

// forget gives up the role of the init's parent.
func (c *Container) forget() {
	c.child = 0
	c.pidfd.Close()
	c.pidfd = nil
}
