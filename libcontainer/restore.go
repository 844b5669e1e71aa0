package libcontainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/manager"
	"tare/internal/criu"
	"tare/internal/facts"
	"tare/internal/host"
	"tare/internal/plan"
	"tare/internal/proc"
	"tare/internal/state"
	"tare/internal/step"
)

// RestoreOptions say what Restore makes, and of what. Of IO the standard descriptors take the place of the
// pipes that the container had, and the terminal's master goes to ConsoleSocket or Console; ExtraFiles are
// not used.
type RestoreOptions struct {
	CRIUOptions
	IO
	// Bundle is the bundle directory, "" is the working directory.
	Bundle string
	// ConfigFile is used instead of config.json in Bundle.
	ConfigFile string
	// Spec is used instead of any file.
	Spec *specs.Spec
	// TCPClose restores established TCP connections as closed ones.
	TCPClose bool
	// LSMProfile is TYPE:NAME ("apparmor:…", "selinux:…") for the processes, "" is as in the image.
	LSMProfile string
	// LSMMountContext replaces the context of the image's mounts.
	LSMMountContext string
}

// restoration is a restore under way.
type restoration struct {
	*prepared
	rt     *Runtime
	o      *RestoreOptions
	plan   *plan.Restore
	dir    *state.Dir
	record *state.Record
	mgr    cgroups.Manager
	undo   undo
	criu   *criu.Process
	im     *images
	pid    int
	pidfd  *os.File
	hooks  bool // one has run
	ready  bool // everybody has been told
}

// Restore makes a container from a bundle and an image of Checkpoint; its processes run. It needs root, and
// CRIU. When it fails, nothing is left.
func (rt *Runtime) Restore(ctx context.Context, id string, o RestoreOptions) (*Container, error) {
	path, version, err := findCRIU(ctx)
	if err != nil {
		return nil, err
	}
	if o.LSMProfile != "" || o.LSMMountContext != "" {
		if err := needCRIU(version, criuLSM, "LSM profile or mount context"); err != nil {
			return nil, err
		}
	}
	r := &restoration{rt: rt, o: &o}
	if err := r.prepare(ctx, id); err != nil {
		return nil, err
	}
	defer r.close()
	if err := r.run(ctx, path); err != nil {
		r.undo.run()
		if r.hooks {
			runPoststop(rt, r.spec, id, r.bundle)
		}
		return nil, fmt.Errorf("container %q: %w", id, err)
	}
	r.undo.release()
	made := &Container{rt: rt, id: id, child: r.pid, pidfd: r.pidfd, cgroup: &r.cgroup}
	r.pidfd = nil // it is the container's now
	return made, nil
}

// prepare reads, judges and plans. Nothing has been changed when it fails.
func (r *restoration) prepare(ctx context.Context, id string) error {
	if err := state.CheckID(id); err != nil {
		return wrapID(id, err)
	}
	r.prepared = &prepared{id: id, rootless: r.rt.rootless()}
	if err := r.load(&CreateOptions{Bundle: r.o.Bundle, ConfigFile: r.o.ConfigFile, Spec: r.o.Spec}); err != nil {
		return err
	}
	if err := r.rt.validate(r.spec, &CreateOptions{}); err != nil {
		return err
	}
	if err := checkConsole(r.spec.Process, &r.o.IO); err != nil {
		return err
	}
	if err := r.findRootfs(); err != nil {
		return err
	}
	cg, err := r.rt.placeCgroup(ctx, r.prepared)
	if err != nil {
		return err
	}
	o := r.rt.planOptions(r.prepared, &CreateOptions{NotifySocket: "none"}) // an image may have its directory
	destinations, sources := plan.RestorePaths(r.spec, o)
	f, err := facts.GatherRestore(plan.NeedsOf(r.spec, r.spec.Process), r.rootfs, destinations, sources)
	if err != nil {
		return err
	}
	f.Cgroup = *cg
	if r.plan, err = plan.BuildRestore(r.spec, f, o); err != nil {
		return err
	}
	r.rt.debug(id, "restore:\n%s", r.plan.Text())
	return nil
}

func (r *restoration) close() {
	if r.criu != nil {
		r.criu.Close()
	}
	if r.im != nil {
		r.im.close()
	}
	if r.pidfd != nil {
		r.pidfd.Close()
	}
	if r.dir != nil {
		r.dir.Close()
	}
}

func (r *restoration) run(ctx context.Context, path string) error {
	if err := r.reserve(ctx); err != nil {
		return err
	}
	if err := criu.MakePoints(r.plan.Points); err != nil {
		return err
	}
	inherited, err := r.start(path)
	if err != nil {
		return err
	}
	opts, err := r.request()
	if err != nil {
		return err
	}
	opts.InheritFd = inherited
	if err := r.enclose(ctx); err != nil {
		return err
	}
	if opts.CgRoot, err = cgroupRoots(r.criu.Pid()); err != nil {
		return err
	}
	kind := rpc.CriuReqType_RESTORE
	_, err = r.criu.Do(ctx, &rpc.CriuReq{Type: &kind, Opts: opts}, func(e *criu.Event) error { return r.event(ctx, e) })
	if err == nil && !r.ready {
		err = errors.New("criu has restored, and not told what")
	}
	return r.criu.Complain(err, r.im.log)
}

// request is what CRIU is asked for, but for what depends on the running of it.
func (r *restoration) request() (*rpc.CriuOpts, error) {
	opts, err := r.o.common(r.im, r.spec, restoreLog)
	if err != nil {
		return nil, err
	}
	opts.EvasiveDevices = new(true)
	opts.RstSibling = new(true)
	opts.Root = new(r.rootfs)
	opts.External = r.plan.External
	opts.TcpClose = new(r.o.TCPClose)
	if r.o.LSMProfile != "" {
		opts.LsmProfile = new(r.o.LSMProfile)
	}
	if r.o.LSMMountContext != "" {
		opts.LsmMountContext = new(r.o.LSMMountContext)
	}
	for _, n := range r.plan.Join {
		f, err := facts.OpenNamespace(n.Path, n.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.At, err)
		}
		f.Close()
		opts.JoinNs = append(opts.JoinNs, &rpc.JoinNamespace{Ns: new(n.Key), NsFile: new(n.Path)})
	}
	return opts, nil
}

// reserve takes the id and writes down what is to be swept up if this process is killed.
func (r *restoration) reserve(ctx context.Context) error {
	var err error
	if r.mgr, err = manager.New(r.cgroup); err != nil {
		return err
	}
	if r.dir, err = r.rt.store.Reserve(ctx, r.id); err != nil {
		return err
	}
	r.undo.push(func() {
		if err := r.dir.Remove(); err != nil {
			r.rt.warn("remove the state of container %q: %v", r.id, err)
		}
	})
	cg, err := json.Marshal(r.cgroup)
	if err != nil {
		return err
	}
	r.record = &state.Record{
		Version: state.Version, ID: r.id, OCIVersion: specs.Version, Bundle: r.bundle, Rootfs: r.rootfs,
		Created: time.Now().UTC(), Cgroup: cg, Annotations: r.spec.Annotations, OwnerUID: uint32(os.Geteuid()), Rootless: r.rootless,
	}
	if _, _, err := r.dir.MakeNotifyDir(); err != nil {
		return err
	}
	if err := r.dir.SaveConfig(r.raw); err != nil {
		return err
	}
	return r.dir.Save(r.record)
}

// start starts criu with the descriptors that take the place of those that the image names.
func (r *restoration) start(path string) ([]*rpc.InheritFd, error) {
	names, err := readDescriptors(r.o.ImagePath)
	if err != nil {
		return nil, err
	}
	o := &criu.Options{Path: path, Root: r.rootfs, SameGroup: r.o.ShellJob, Inside: func() (err error) {
		r.im, err = openImages(&r.o.CRIUOptions, r.spec, restoreLog, false)
		return err
	}}
	stdio := [3]*os.File{r.o.Stdin, r.o.Stdout, r.o.Stderr}
	if r.o.ShellJob {
		o.Stdio = stdio // criu looks for the terminal there
	}
	var inherited []*rpc.InheritFd
	inherit := func(key string, f *os.File) {
		inherited = append(inherited, &rpc.InheritFd{Key: &key, Fd: new(int32(criu.FirstFile + len(o.Files)))})
		o.Files = append(o.Files, f)
	}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	opened := []*os.File{null}
	defer func() { closeFiles(opened) }()
	for i, name := range names[:min(len(names), 3)] {
		if stdio[i] == nil {
			stdio[i] = null
		}
		if strings.HasPrefix(name, "pipe:") {
			inherit(name, stdio[i])
		}
	}
	for _, n := range r.plan.Inherit {
		f, err := facts.OpenNamespace(n.Path, n.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.At, err)
		}
		opened = append(opened, f)
		inherit(n.Key, f)
	}
	r.criu, err = criu.Start(o)
	return inherited, err
}

// enclose puts criu, and with it all that it makes, into the container's cgroup and resctrl group.
func (r *restoration) enclose(ctx context.Context) error {
	d := &driver{rt: r.rt, id: r.id, mgr: r.mgr, undo: &r.undo, annotations: r.spec.Annotations}
	d.res, d.rdt = r.spec.Linux.Resources, r.spec.Linux.IntelRdt
	pid := r.criu.Pid()
	err := r.mgr.Create(ctx, cgroups.CreateOptions{Resources: d.res, Annotations: d.annotations,
		Description: "tare container " + r.id, PID: pid})
	if err != nil {
		return err
	}
	r.undo.push(func() { r.sweep() })
	for _, uid := range r.plan.Delegate {
		if err := r.mgr.Config().Delegate(int(uid)); err != nil {
			return err
		}
	}
	if err := d.limit(ctx); err != nil {
		return err
	}
	if err := r.mgr.Join(pid, cgroups.All); err != nil {
		return err
	}
	return r.joinRdt(d.rdt, pid)
}

// sweep ends what has been made, the cgroup last.
func (r *restoration) sweep() {
	ctx, cancel := context.WithTimeout(context.Background(), sweepTime)
	defer cancel()
	r.criu.Close() // it takes its own processes back
	if r.pidfd != nil {
		sendSignal(int(r.pidfd.Fd()), int(unix.SIGKILL))
	}
	r.mgr.Kill(ctx)
	if r.pidfd != nil && waitEnd(ctx, int(r.pidfd.Fd())) == nil {
		unix.Wait4(r.pid, nil, unix.WNOHANG, nil)
	}
	if err := r.mgr.Undo(ctx); err != nil {
		r.rt.warn("remove the cgroup of container %q: %v", r.id, err)
	}
}

func (r *restoration) joinRdt(rdt *specs.LinuxIntelRdt, pid int) error {
	if rdt == nil {
		return nil
	}
	root, err := host.ResctrlRoot()
	if err != nil {
		return fmt.Errorf("linux.intelRdt: %w", err)
	}
	group := host.Rdt{Root: root, Container: r.id, CLOS: rdt.ClosID, L3: rdt.L3CacheSchema, MemBW: rdt.MemBwSchema,
		Schemata: rdt.Schemata, Monitor: rdt.EnableMonitoring}
	g, err := group.Create()
	if err != nil {
		return fmt.Errorf("linux.intelRdt: %w", err)
	}
	r.undo.push(func() {
		if err := g.Remove(); err != nil {
			r.rt.warn("linux.intelRdt: %v", err)
		}
	})
	r.record.IntelRdt = &state.IntelRdt{Group: g.Dir, Own: g.Own, Mon: g.Mon}
	return g.Join(pid)
}

// cgroupRoots says that the groups of the image lie below those that criu is in.
func cgroupRoots(pid int) ([]*rpc.CgroupRoot, error) {
	list, err := cgroups.Of(pid)
	if err != nil {
		return nil, err
	}
	var roots []*rpc.CgroupRoot
	for _, m := range list {
		controllers := m.Controllers
		if len(controllers) == 0 {
			controllers = []string{""}
		}
		for _, c := range controllers {
			roots = append(roots, &rpc.CgroupRoot{Ctrl: new(c), Path: new(m.Path)})
		}
	}
	return roots, nil
}

// event is called while criu waits at a point of its way.
func (r *restoration) event(ctx context.Context, e *criu.Event) error {
	switch e.Name {
	case "orphan-pts-master":
		return r.console(e.File)
	case "setup-namespaces":
		return r.namespaced(ctx, e.Pid)
	case "post-restore":
		return r.restored(e.Pid)
	}
	if e.File != nil {
		e.File.Close()
	}
	return nil
}

// console hands the master of the container's terminal over.
func (r *restoration) console(master *os.File) error {
	switch {
	case master == nil:
		return errors.New("criu has sent no terminal")
	case r.o.ConsoleSocket != "":
		defer master.Close()
		return sendConsole(r.o.ConsoleSocket, master)
	case r.o.Console != nil:
		return r.o.Console(master)
	}
	master.Close()
	return errors.New("the image has a terminal that nobody takes (process.terminal is false)")
}

// namespaced is called when the first process is in its namespaces, and has nothing else yet.
func (r *restoration) namespaced(ctx context.Context, pid int) error {
	if err := r.met(pid); err != nil {
		return err
	}
	st := &specs.State{Version: specs.Version, ID: r.id, Status: specs.StateCreating, Pid: pid, Bundle: r.bundle,
		Annotations: r.spec.Annotations}
	for _, h := range r.plan.Hooks {
		r.hooks = true
		if err := runHook(ctx, h.(*step.HostHook), r.spec, st, int(r.pidfd.Fd())); err != nil {
			return fmt.Errorf("%s: %w", h.Where(), err)
		}
	}
	return nil
}

// met writes the pid down as soon as there is one.
func (r *restoration) met(pid int) error {
	if r.pid == pid {
		return nil
	}
	start, err := proc.StartTime(pid)
	if err != nil {
		return err
	}
	fd, err := proc.OpenPidfd(pid, start)
	if err != nil {
		return err
	}
	r.pid, r.pidfd = pid, os.NewFile(uintptr(fd), "pidfd")
	r.record.Pid, r.record.StartTime = pid, start
	return r.dir.Save(r.record)
}

// restored is called when all is as it was, and nothing runs yet.
func (r *restoration) restored(pid int) error {
	if err := r.met(pid); err != nil {
		return err
	}
	r.record.CreateDone = true
	r.record.StdioNames = stdioNames(pid)
	if err := r.dir.Save(r.record); err != nil {
		return err
	}
	r.ready = true
	return announce(&r.o.IO, pid, r.pidfd)
}
