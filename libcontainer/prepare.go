package libcontainer

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups"
	"tare/internal/facts"
	"tare/internal/plan"
	"tare/internal/spec"
	"tare/internal/state"
	"tare/seccomp"
)

// prepared is a create of which everything is known and nothing is done.
type prepared struct {
	id       string
	bundle   string
	rootfs   string
	spec     *specs.Spec
	raw      []byte // config.json as it was read
	cgroup   cgroups.Config
	filter   *seccomp.Program
	plan     *plan.Plan
	rootless bool
}

// Plan says what Create would do. It changes nothing.
func (rt *Runtime) Plan(id string, o CreateOptions) (*Plan, error) {
	p, err := rt.prepare(context.Background(), id, &o)
	if err != nil {
		return nil, err
	}
	return p.plan, nil
}

// prepare reads, judges and plans. Everything that bad input can break breaks here.
func (rt *Runtime) prepare(ctx context.Context, id string, o *CreateOptions) (*prepared, error) {
	if err := state.CheckID(id); err != nil {
		return nil, wrapID(id, err)
	}
	p := &prepared{id: id, rootless: rt.rootless()}
	if err := p.load(o); err != nil {
		return nil, err
	}
	if err := p.mapSelf(); err != nil {
		return nil, err
	}
	if err := rt.validate(p.spec, o); err != nil {
		return nil, err
	}
	if err := checkConsole(p.spec.Process, &o.IO); err != nil {
		return nil, err
	}
	if err := p.findRootfs(); err != nil {
		return nil, err
	}
	cg, err := rt.placeCgroup(ctx, p)
	if err != nil {
		return nil, err
	}
	if err := p.compile(rt); err != nil {
		return nil, err
	}
	f, err := facts.Gather(plan.NeedsOf(p.spec, p.spec.Process))
	if err != nil {
		return nil, err
	}
	f.Cgroup = *cg
	p.plan, err = plan.Build(p.spec, f, rt.planOptions(p, o))
	if err != nil {
		return nil, err
	}
	rt.debug(id, "%s", p.plan.Cgroup)
	for _, w := range p.plan.Warnings {
		rt.warn("%s", w)
	}
	return p, nil
}

func (p *prepared) load(o *CreateOptions) error {
	var err error
	if p.bundle, err = filepath.Abs(o.Bundle); err != nil {
		return err
	}
	if o.Spec == nil {
		p.spec, p.raw, err = spec.Load(p.bundle, o.ConfigFile)
		return err
	}
	p.spec = o.Spec
	p.raw, err = json.Marshal(o.Spec)
	return err
}

func (rt *Runtime) validate(s *specs.Spec, o *CreateOptions) error {
	found := spec.Validate(s, spec.Options{
		Rootless: os.Geteuid() != 0, NoPivot: o.NoPivot,
		SystemdCgroup: rt.cfg.Cgroups == Systemd, NoCgroups: rt.cfg.Cgroups == Disabled,
	})
	for _, w := range found.Warnings() {
		rt.warn("%s", w)
	}
	return found.Err()
}

// checkConsole makes sure that somebody takes the terminal, and that nobody waits for none.
func checkConsole(p *specs.Process, o *IO) error {
	switch {
	case p.Terminal && o.ConsoleSocket == "" && o.Console == nil:
		return fmt.Errorf("process.terminal: cannot allocate tty if runc will detach without setting console socket")
	case !p.Terminal && o.ConsoleSocket != "":
		return fmt.Errorf("console socket %q: the process has no terminal (process.terminal is false)", o.ConsoleSocket)
	case o.Console != nil && o.ConsoleSocket != "":
		return fmt.Errorf("console socket %q: cannot use console socket if runc will not detach or allocate tty", o.ConsoleSocket)
	}
	return nil
}

// findRootfs makes root.path absolute and sees that it is a directory. Its own path is the host's, and
// trusted; it must be a directory and not a link to one.
func (p *prepared) findRootfs() error {
	path := p.spec.Root.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(p.bundle, path)
	}
	p.rootfs = filepath.Clean(path)
	st, err := os.Lstat(p.rootfs)
	if err != nil {
		return fmt.Errorf("root.path: %w", err)
	}
	if !st.IsDir() {
		return fmt.Errorf("root.path: %q is not a directory", p.rootfs)
	}
	return nil
}

// compile makes the seccomp program, on the host and outside of any container.
func (p *prepared) compile(rt *Runtime) error {
	opts := seccomp.Options{Receiver: p.spec.Annotations["run.oci.seccomp.receiver"], CacheDir: rt.filterCache()}
	if opts.Receiver == "" {
		opts.Receiver = os.Getenv("RUN_OCI_SECCOMP_RECEIVER")
	}
	if v, ok := p.spec.Annotations["run.oci.seccomp_fail_unknown_syscall"]; ok {
		opts.FailUnknownSyscall = v != "0"
	}
	const rawKey = "run.oci.seccomp_bpf_data"
	if data, ok := p.spec.Annotations[rawKey]; ok {
		var err error
		if opts.RawBPF, err = seccomp.DecodeRawBPF(data); err != nil {
			return fmt.Errorf("annotations[%q]: %w", rawKey, err)
		}
	}
	var profile *specs.LinuxSeccomp
	if p.spec.Linux != nil {
		profile = p.spec.Linux.Seccomp
	}
	prog, err := seccomp.Compile(profile, opts)
	if err != nil || prog == nil {
		return err
	}
	for _, w := range prog.Warnings {
		rt.warn("%s", w)
	}
	p.filter = prog
	return nil
}

// filterCache is where compiled filters are kept, beside the containers under a name that is
// no id.
func (rt *Runtime) filterCache() string { return filepath.Join(rt.store.Root, "@seccomp") }

func (rt *Runtime) planOptions(p *prepared, o *CreateOptions) *plan.Options {
	po := &plan.Options{
		ID: p.id, Bundle: p.bundle, Rootfs: p.rootfs,
		NoPivot: o.NoPivot, NoNewKeyring: o.NoNewKeyring,
		Extra: len(o.ExtraFiles), Listen: o.ListenFDs,
		ConsoleRows: uint32(o.ConsoleSize.Height), ConsoleCols: uint32(o.ConsoleSize.Width),
		CgroupPath: p.cgroup.Path, Filter: filterOf(p.filter),
	}
	if o.NotifySocket != "" {
		po.NotifyDir = filepath.Join(rt.store.Root, p.id, "notify")
	}
	return po
}

func filterOf(p *seccomp.Program) *plan.Filter {
	if p == nil {
		return nil
	}
	return &plan.Filter{Program: p.Filter, Flags: uint64(p.LoadFlags()), Notify: p.Notify}
}

// rootless tells whether missing privilege for cgroups is tolerated.
func (rt *Runtime) rootless() bool {
	switch rt.cfg.Rootless {
	case RootlessYes:
		return true
	case RootlessNo:
		return false
	}
	_, xdg := state.DefaultRoot()
	return os.Geteuid() != 0 || xdg
}
