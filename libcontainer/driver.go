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
	"tare/internal/calls"
	"tare/internal/host"
	"tare/internal/launch"
	"tare/internal/plan"
	"tare/internal/proc"
	"tare/internal/step"
)

// driver carries out the host's list of a plan.
type driver struct {
	rt     *Runtime
	id     string
	io     *IO
	plan   *plan.Plan
	exe    *os.File
	stdio  [3]*os.File
	fds    []int // the table, opened
	mgr    cgroups.Manager
	joinTo cgroups.Manager // the manager that CgroupJoin uses: mgr, or a sub-cgroup's
	// follow, of exec: looks again where the init is now, when its cgroup has gone.
	follow func() (cgroups.Manager, error)
	res    *specs.LinuxResources
	rdt    *specs.LinuxIntelRdt
	// annotations of the spec: some are for the cgroup manager
	annotations map[string]string
	undo        *undo
	// hook runs a host hook; entered is called when the process is there and not yet told what to do,
	// started when it has been told (it ends with this process until the last barrier); ready when the init has
	// arrived at the last barrier and waits.
	hook func(ctx context.Context, h *step.HostHook) error
	// agent is given the listener of a seccomp filter with SCMP_ACT_NOTIFY; borrowed.
	agent   func(listener *os.File) error
	entered func() error
	started func() error
	ready   func() error

	child   *launch.Child
	cgroup  *os.File        // for CLONE_INTO_CGROUP
	at      string          // the barrier at which the init was seen and waits
	ahead   map[string]bool // those that it passes without waiting
	awaited int             // barriers at which it was
	hooks   bool            // a hook has run
	rdtMade *host.RdtGroup
	// netNames are the interfaces that were moved, as they are called inside; netns the descriptors
	// that their way back needs.
	netNames []string
	netns    []*os.File
	// exec: the child is not the container's init; before is what had run out of memory until then.
	exec   bool
	before cgroups.OOMReading
}

// run carries the list out. When it fails with a process started, what the init itself says about the
// reason goes before what the host saw of it.
func (d *driver) run(ctx context.Context) error {
	defer d.closeCgroup()
	for _, s := range d.plan.Host {
		d.rt.debug(d.id, "%s", step.Text(s))
		err := d.apply(ctx, s)
		if err == nil {
			continue
		}
		if at := s.Where(); at != "" && !isPlaced(err) {
			err = fmt.Errorf("%s: %w", at, err)
		}
		return d.explain(ctx, err)
	}
	return nil
}

// isPlaced tells whether the error names its place in config.json already.
func isPlaced(err error) bool {
	var f *launch.Failure
	if errors.As(err, &f) {
		return true
	}
	var p *launch.PlacedError
	return errors.As(err, &p)
}

func (d *driver) apply(ctx context.Context, s step.Step) error {
	switch s := s.(type) {
	case *step.CgroupCreate:
		return d.createCgroup(ctx)
	case *step.CgroupLimits:
		return d.limit(ctx)
	case *step.Spawn:
		return d.spawn(ctx, s)
	case *step.CgroupJoin:
		return d.join(ctx, s)
	case *step.CgroupDelegate:
		return d.delegate(s)
	case *step.Await:
		if err := d.child.Conn.Await(ctx, s.Name); err != nil {
			return err
		}
		if !d.ahead[s.Name] {
			d.at = s.Name
		}
		d.awaited++
		return nil
	case *step.Release:
		return d.release(s)
	case *step.Rlimit:
		return host.Rlimit(d.child.Pid, s)
	case *step.OOMScore:
		return host.OOMScore(d.child.Pid, s)
	case *step.NetDevice:
		return d.netDevice(s)
	case *step.HostHook:
		d.hooks = true
		return d.hook(ctx, s)
	case *step.IntelRdt:
		return d.intelRdt()
	}
	return fmt.Errorf("%s is no step of the host", s.Kind())
}

func (d *driver) createCgroup(ctx context.Context) error {
	o := cgroups.CreateOptions{Resources: d.res, Annotations: d.annotations, Description: "tare container " + d.id}
	if d.child != nil {
		o.PID = d.child.Pid
	}
	if err := d.mgr.Create(ctx, o); err != nil {
		return err
	}
	d.undo.push(func() {
		// The context of the create may be over; this must come to its end all the same.
		ctx, cancel := context.WithTimeout(context.Background(), sweepTime)
		defer cancel()
		d.mgr.Kill(ctx)
		if err := d.mgr.Undo(ctx); err != nil {
			d.rt.warn("remove the cgroup of container %q: %v", d.id, err)
		}
	})
	return nil
}

// sweepTime bounds the taking back of what a failed create has made.
const sweepTime = 10 * time.Second

func (d *driver) limit(ctx context.Context) error {
	var rules []specs.LinuxDeviceCgroup
	if d.res != nil {
		rules = d.res.Devices
		warnings, err := d.mgr.Set(ctx, d.res)
		d.warnAll(warnings)
		if err != nil {
			return launch.Placed(err)
		}
	}
	warnings, err := d.mgr.SetDevices(ctx, rules)
	d.warnAll(warnings)
	return err
}

func (d *driver) warnAll(warnings []string) { d.rt.warnAll(warnings) }

// spawn starts the init and sends it its list, so that it works while the host goes on.
func (d *driver) spawn(ctx context.Context, s *step.Spawn) error {
	joins, err := openJoins(s.Joins)
	if err != nil {
		return launch.Placed(err)
	}
	defer closeFiles(joins)
	if s.IntoCgroup {
		fd, err := d.joinTo.FD()
		if err != nil {
			return err
		}
		d.cgroup = os.NewFile(uintptr(fd), "cgroup")
	}
	fast := d.fastLane()
	d.child, err = launch.Start(ctx, s, launch.Options{Exe: d.exe, Stdio: d.stdio, Joins: joins, Cgroup: d.cgroup, Calls: fast,
		MapHelpers: func(pid int, uid, gid []step.IDMap) error { return host.RunMapHelpers(ctx, pid, uid, gid) }})
	if err != nil {
		return err
	}
	d.undo.push(d.child.Kill)
	d.child.Conn.OnReport = d.report
	d.child.Conn.OnFD = d.takeFD
	if d.entered != nil {
		if err := d.entered(); err != nil {
			return err
		}
	}
	// The child is still waking up: now is the time to lower its list.
	req := &step.Request{Debug: d.rt.cfg.Debug != nil, Steps: d.plan.Init}
	var program *calls.Program
	if fast {
		program = calls.Lower(req.Steps, len(d.fds), req.Debug)
	}
	if err := d.child.Conn.SendPlan(ctx, req, program.Pieces(), d.fds); err != nil || d.started == nil {
		return err
	}
	return d.started()
}

func (d *driver) join(ctx context.Context, s *step.CgroupJoin) error {
	if s.Sub != "" && !d.exec {
		return d.joinOwn(ctx, s.Sub)
	}
	phase := cgroups.All
	switch s.Phase {
	case step.JoinEarly:
		phase = cgroups.Early
	case step.JoinLate:
		phase = cgroups.Late
	}
	err := d.joinTo.Join(d.child.Pid, phase)
	for try := 0; try < followTries && d.follow != nil && vanished(err); try++ {
		if d.joinTo, err = d.follow(); err == nil {
			err = d.joinTo.Join(d.child.Pid, phase)
		}
	}
	return err
}

// followTries bounds how often a process that is to join the init's cgroup finds that the init has been
// moved in the meantime and the cgroup removed: by systemd, in v1 hierarchies of a hybrid host.
const followTries = 3

func vanished(err error) bool { return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV) }

// release lets the init pass a barrier. Before the last one everything that others look at is ready.
func (d *driver) release(s *step.Release) error {
	if d.at != s.Name {
		if d.ahead == nil {
			d.ahead = make(map[string]bool)
		}
		d.ahead[s.Name] = true
		return d.child.Conn.ReleaseAhead(s.Name)
	}
	d.at = ""
	if s.Name == plan.BarrierHooks {
		d.hooks = true // those of the container come next
	}
	if s.Name == plan.BarrierCreated {
		if err := d.ready(); err != nil {
			return err
		}
	}
	return d.child.Conn.Release(s.Name)
}

// netDevice moves an interface into the network namespace that the init is in by now.
func (d *driver) netDevice(s *step.NetDevice) error {
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", d.child.Pid))
	if err != nil {
		return err
	}
	back, name, err := host.NetDevice(int(ns.Fd()), s)
	if err != nil {
		ns.Close()
		return err
	}
	d.netNames = append(d.netNames, name)
	d.netns = append(d.netns, ns)
	d.undo.push(func() {
		if err := back(); err != nil {
			d.rt.warn("%s: %v", s.Where(), err)
		}
	})
	return nil
}

func (d *driver) intelRdt() error {
	root, err := host.ResctrlRoot()
	if err != nil {
		return err
	}
	r := &host.Rdt{Root: root, Container: d.id, CLOS: d.rdt.ClosID, L3: d.rdt.L3CacheSchema, MemBW: d.rdt.MemBwSchema,
		Schemata: d.rdt.Schemata, Monitor: d.rdt.EnableMonitoring}
	g, err := r.Create()
	if err != nil {
		return err
	}
	d.undo.push(func() {
		if err := g.Remove(); err != nil {
			d.rt.warn("linux.intelRdt: %v", err)
		}
	})
	d.rdtMade = g
	return g.Join(d.child.Pid)
}

// close closes what must be open as long as something may have to be taken back.
func (d *driver) close() { closeFiles(d.netns) }

func (d *driver) closeCgroup() {
	if d.cgroup != nil {
		d.cgroup.Close()
	}
}

// takeFD is called with what the init sends up.
func (d *driver) takeFD(role byte, f *os.File) error {
	switch role {
	case step.RoleSeccomp:
		if d.agent != nil {
			defer f.Close()
			return d.agent(f)
		}
	case step.RoleConsole:
		if d.io.ConsoleSocket != "" {
			defer f.Close()
			return sendConsole(d.io.ConsoleSocket, f)
		}
		if d.io.Console != nil {
			return d.io.Console(f)
		}
	}
	f.Close()
	return fmt.Errorf("init stage sent a descriptor of role %d that nobody waits for", role)
}

func (d *driver) report(kind uint32, r *step.Report) {
	if kind == step.MsgWarning {
		d.rt.warn("%s", launch.FormatReport(r))
		return
	}
	if d.rt.cfg.Debug != nil {
		d.rt.cfg.Debug(Event{Time: time.Unix(0, r.Nanos), Container: d.id, Stage: "init", Message: debugText(d.plan, r)})
	}
}

// debugText is the step that the init is about to take, or what it says itself.
func debugText(p *plan.Plan, r *step.Report) string {
	switch {
	case r.Text != "":
		return launch.FormatReport(r)
	case int(r.Index) < len(p.Init):
		return step.Text(p.Init[r.Index])
	case r.At != "": // start has no plan: the step's name must do
		return r.Step.String() + "  # " + r.At
	}
	return r.Step.String()
}

// explain finds out why the init is gone, when it is: its own words, or how it was killed.
func (d *driver) explain(ctx context.Context, err error) error {
	var f *launch.Failure
	if d.child == nil || errors.As(err, &f) {
		return err
	}
	// One whose first thread is dead is gone for /proc, and has not ended before its other threads.
	limit := time.Duration(0)
	if errors.Is(err, proc.ErrGone) || errors.Is(err, unix.ESRCH) || errors.Is(err, launch.ErrHungUp) {
		limit = dyingTime
	}
	if !endsWithin(int(d.child.Pidfd.Fd()), limit) && !errors.Is(err, launch.ErrHungUp) {
		return err
	}
	if said := d.child.Conn.AwaitEnd(ctx, "for its last words"); errors.As(said, &f) {
		return said
	}
	if killed := oomKilled(d.who(), d.mgr, d.before); killed != nil {
		return fmt.Errorf("%w: %w", killed, err)
	}
	if how := d.howEnded(); how != "" {
		return fmt.Errorf("%s %s: %w", d.who(), how, err)
	}
	return err
}

// dyingTime bounds the wait for the end of a process that is on its way there.
const dyingTime = 2 * time.Second

func (d *driver) who() string {
	if d.exec {
		return "the process"
	}
	return "container init"
}

// howEnded looks at the dead child without reaping it.
func (d *driver) howEnded() string {
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PIDFD, int(d.child.Pidfd.Fd()), &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil); err != nil {
		return ""
	}
	switch info.Code {
	case 1: // CLD_EXITED
		return "exited before its time"
	case 2, 3: // CLD_KILLED, CLD_DUMPED
		return "was killed"
	}
	return ""
}
