package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/manager"
	"tare/internal/facts"
	"tare/internal/launch"
	"tare/internal/plan"
	"tare/internal/proc"
	"tare/internal/spec"
	"tare/internal/step"
)

// Process is a process that Exec has started. It is a child of this process.
type Process struct {
	pid    int
	pidfd  *os.File
	reaped bool
	cgroup cgroups.Config     // the container's
	before cgroups.OOMReading // of it
}

// Pid is the process's, as this process's pid namespace counts it.
func (p *Process) Pid() int { return p.pid }

// Signal sends it a signal; unix.ESRCH when it has ended.
func (p *Process) Signal(sig int) error { return sendSignal(int(p.pidfd.Fd()), sig) }

// Wait waits for the process to end and tells how. It may be called once.
func (p *Process) Wait(ctx context.Context) (ExitStatus, error) {
	if p.reaped {
		return ExitStatus{}, errors.New("wait: the process has been waited for already")
	}
	if err := waitEnd(ctx, int(p.pidfd.Fd())); err != nil {
		return ExitStatus{}, err
	}
	p.reaped = true
	return reap(p.pid)
}

// Close gives up the descriptor of the process, which runs on.
func (p *Process) Close() error { return p.pidfd.Close() }

// execution is an exec under way.
type execution struct {
	c      *Container
	o      *ExecOptions
	l      *loaded
	init   int // pidfd of the container's init
	spec   *specs.Spec
	plan   *plan.Plan
	joinTo cgroups.Manager
	follow func() (cgroups.Manager, error) // looks for the init's cgroup again; nil when another was named
	undo   undo
	driver *driver
}

// PlanExec says what Exec would do. It changes nothing.
func (c *Container) PlanExec(o ExecOptions) (*Plan, error) {
	e := &execution{c: c, o: &o, init: -1}
	defer e.close()
	if err := e.prepare(); err != nil {
		return nil, err
	}
	return e.plan, nil
}

// Exec starts another process in the container. It returns once execve is done.
func (c *Container) Exec(ctx context.Context, o ExecOptions) (*Process, error) {
	e := &execution{c: c, o: &o, init: -1}
	defer e.close()
	if err := e.prepare(); err != nil {
		return nil, err
	}
	if err := e.run(ctx); err != nil {
		e.undo.run()
		if ctx.Err() == nil {
			err = e.reason(err)
		}
		return nil, err
	}
	child := e.driver.child
	return &Process{pid: child.Pid, pidfd: child.Pidfd, cgroup: e.l.mgr.Config(), before: e.driver.before}, nil
}

func (e *execution) close() {
	if e.l != nil {
		e.l.close()
	}
	if e.init >= 0 {
		unix.Close(e.init)
	}
	if e.driver != nil && e.driver.child != nil {
		e.driver.child.Conn.Close()
	}
}

func (e *execution) prepare() error {
	var err error
	if e.l, err = e.c.load(); err != nil {
		return err
	}
	if err := e.mayExec(); err != nil {
		return err
	}
	if e.init, err = e.l.pidfd(); err != nil {
		if errors.Is(err, proc.ErrGone) {
			return e.c.wrong(Stopped, "cannot exec in a stopped container")
		}
		return err
	}
	if e.spec, err = e.l.spec(); err != nil {
		return err
	}
	if err := e.checkProcess(); err != nil {
		return err
	}
	return e.reason(e.makePlan())
}

// reason is why an exec has failed: that the init has ended meanwhile, or is about to, goes before what
// came of it. Of that, "no such file or directory" and "cannot allocate memory" would mislead.
func (e *execution) reason(err error) error {
	var oom *oomError
	if err == nil || errors.As(err, &oom) || !ended(e.init) && !leaves(e.l.record.Pid) {
		return err
	}
	return e.c.wrong(Stopped, "cannot exec in a stopped container")
}

// leaves tells whether a process is on its way out: it gives its namespaces up first, and then may take
// long, since the first of a pid namespace waits for all others of it to be reaped.
func leaves(pid int) bool {
	_, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ESRCH)
}

func (e *execution) mayExec() error {
	status, err := e.l.status()
	if err != nil {
		return err
	}
	switch status {
	case Stopped:
		return e.c.wrong(status, "cannot exec in a stopped container")
	case Creating:
		return e.c.wrong(status, "cannot exec in a container that is being created")
	case Paused:
		if !e.o.IgnorePaused {
			return e.c.wrong(status, "cannot exec in a paused container (use --ignore-paused to override)")
		}
	}
	return nil
}

func (e *execution) checkProcess() error {
	p := e.o.Process
	if p == nil {
		return errors.New("process: must be given")
	}
	found := spec.ValidateProcess(p, e.spec, spec.Options{Rootless: os.Geteuid() != 0})
	for _, w := range found.Warnings() {
		e.c.rt.warn("%s", w)
	}
	if err := found.Err(); err != nil {
		return err
	}
	return checkConsole(p, &e.o.IO)
}

func (e *execution) makePlan() error {
	rt := e.c.rt
	f, err := facts.GatherExec(plan.Needs{LSM: e.o.Process.ApparmorProfile != "" || e.o.Process.SelinuxLabel != ""}, e.l.record.Pid)
	if err != nil {
		return err
	}
	if err := e.place(f); err != nil {
		return err
	}
	p := &prepared{id: e.c.id, spec: e.spec}
	if err := p.compile(rt); err != nil {
		return err
	}
	o := e.o
	e.plan, err = plan.BuildExec(e.spec, o.Process, f, &plan.Options{
		ID: e.c.id, Bundle: e.l.record.Bundle, NoNewKeyring: o.NoNewKeyring,
		Extra: len(o.ExtraFiles), Listen: o.ListenFDs,
		ConsoleRows: uint32(o.ConsoleSize.Height), ConsoleCols: uint32(o.ConsoleSize.Width),
		Filter: filterOf(p.filter), CgroupSub: joinArgs(o.Cgroup),
	})
	if err != nil {
		return err
	}
	for _, w := range e.plan.Warnings {
		rt.warn("%s", w)
	}
	return nil
}

func joinArgs(args []string) string {
	s := ""
	for _, a := range args {
		if s != "" {
			s += " "
		}
		s += a
	}
	return s
}

// place decides which cgroup the process joins: a sub-cgroup that was asked for, else the one that
// the init is in now, which a payload that manages its own cgroups may have moved.
func (e *execution) place(f *plan.ExecFacts) error {
	cfg := e.l.mgr.Config()
	e.joinTo = e.l.mgr
	if cfg.Kind == cgroups.Disabled {
		f.Cgroup.Disabled = true
		if len(e.o.Cgroup) > 0 {
			return errors.New("cgroup: the container has no cgroup of its own")
		}
		return nil
	}
	var err error
	if len(e.o.Cgroup) > 0 {
		if cfg, err = cfg.Sub(e.o.Cgroup); err == nil {
			e.joinTo, err = manager.New(cfg)
		}
	} else {
		e.follow = e.initsCgroup
		e.joinTo, err = e.follow()
	}
	if err != nil {
		return err
	}
	mode := e.joinTo.Config().Mode()
	f.Cgroup.Mode = mode.String()
	f.Cgroup.Into = mode == cgroups.V2
	return nil
}

// initsCgroup returns the manager of the cgroup that the init is in now.
func (e *execution) initsCgroup() (cgroups.Manager, error) {
	cfg, err := e.l.mgr.Config().Current(e.l.record.Pid)
	if err != nil {
		return nil, err
	}
	return manager.New(cfg)
}

func (e *execution) run(ctx context.Context) error {
	exe, err := launch.OpenExe(e.c.rt.cfg.Binary)
	if err != nil {
		return err
	}
	defer exe.Close()
	table := &fdTable{ctx: ctx, exe: exe, files: e.o.ExtraFiles, listener: -1}
	defer table.close()
	if err := table.open(e.plan.FDs); err != nil {
		return err
	}
	e.driver = &driver{
		rt: e.c.rt, id: e.c.id, io: &e.o.IO, plan: e.plan, exe: exe, fds: table.fds, mgr: e.l.mgr, joinTo: e.joinTo, follow: e.follow,
		undo: &e.undo, stdio: [3]*os.File{e.o.Stdin, e.o.Stdout, e.o.Stderr},
		hook: func(context.Context, *step.HostHook) error { return errors.New("exec has no hooks") },
		agent: func(f *os.File) error {
			return e.c.tellAgent(e.l, e.driver.child.Pid, specs.StateRunning, f)
		},
		entered: e.entered, exec: true,
		ready: func() error { return e.announce() },
	}
	if err := e.driver.run(ctx); err != nil {
		return err
	}
	if err := e.driver.child.Conn.AwaitEnd(ctx, "to execute the program"); err != nil {
		return err
	}
	return nil
}

// entered is called when the child has been cloned and not yet been told what to do.
func (e *execution) entered() error {
	e.driver.before, _ = cgroups.ReadOOM(e.l.mgr.Config()) // only for words about a failure
	return e.sameInit()
}

// sameInit makes sure that the namespaces that were entered by the init's number were the init's: it
// has lived all the time.
func (e *execution) sameInit() error {
	if ended(e.init) {
		return e.c.wrong(Stopped, "cannot exec in a stopped container")
	}
	return nil
}

func (e *execution) announce() error {
	child := e.driver.child
	if e.o.PidFile != "" {
		e.undo.push(func() { os.Remove(e.o.PidFile) })
	}
	if err := announce(&e.o.IO, child.Pid, child.Pidfd); err != nil {
		return err
	}
	if e.o.Started != nil {
		e.o.Started(&Process{pid: child.Pid, pidfd: child.Pidfd})
	}
	return nil
}
