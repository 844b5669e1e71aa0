package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups"
	"tare/cgroups/manager"
	"tare/internal/criu"
	"tare/internal/facts"
	"tare/internal/plan"
	"tare/internal/state"
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
	cg, err := encodeCgroup(&r.cgroup)
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
