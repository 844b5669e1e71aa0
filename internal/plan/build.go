package plan

import (
	"fmt"
	"path"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/internal/spec"
	"tare/internal/step"
)

// The barriers of a create, in order. Which of them a plan has depends on the spec.
const (
	BarrierAwake   = "awake"       // the init's Go runtime has its threads
	BarrierMade    = "cgroup made" // the cgroup's directories can be mounted
	BarrierCgroup  = "cgroup"      // the init is in its cgroup: the cgroup namespace can be made
	BarrierHooks   = "hooks"       // mounts are done: prestart and createRuntime hooks run
	BarrierLimits  = "limits"      // the init still has the ids of the caller
	BarrierCreated = "created"     // all is done but start; for exec: but execve
)

// builder collects the two lists. ns holds the namespaces of the spec by type.
type builder struct {
	s     *specs.Spec
	linux *specs.Linux
	f     *Facts
	o     *Options
	plan  *Plan

	user    userNS
	spawn   *step.Spawn
	late    bool        // the init joins what is charged to it at the end
	joined  bool        // the host has joined the init to all its cgroups
	met     bool        // and the init has waited for that
	atEnd   []step.Step // what follows the last mount and device
	live    bool        // the container runs: see BuildMounts
	devBind bool        // /dev is the bundle's: no default nodes are made in it
	hookOut [2]step.FD  // where hooks' output goes: see hookOutput
}

// Build plans the creation of a container. The spec must have passed spec.Validate; an error means
// that it asks for something that these facts do not allow, with its config path.
func Build(s *specs.Spec, f *Facts, o *Options) (*Plan, error) {
	b := &builder{s: s, linux: s.Linux, f: f, o: o, plan: new(Plan)}
	if b.linux == nil {
		b.linux = new(specs.Linux)
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	b.plan.Cgroup = f.Cgroup.choice(o)
	b.late = smallLimits(b.linux.Resources)
	b.startInit()
	if err := b.namespaces(); err != nil {
		return nil, err
	}
	b.hostStart()
	if err := b.rootfs(); err != nil {
		return nil, err
	}
	b.enterRoot()
	if err := b.settings(); err != nil {
		return nil, err
	}
	if err := b.process(s.Process, true); err != nil {
		return nil, err
	}
	return b.plan, nil
}

func (b *builder) init(steps ...step.Step) { b.plan.Init = append(b.plan.Init, steps...) }
func (b *builder) host(steps ...step.Step) { b.plan.Host = append(b.plan.Host, steps...) }

func (b *builder) warn(format string, args ...any) {
	b.plan.Warnings = append(b.plan.Warnings, fmt.Sprintf(format, args...))
}

// fd adds an entry to the table and gives its name.
func (b *builder) fd(src FDSource) step.FD {
	b.plan.FDs = append(b.plan.FDs, src)
	return step.FD(len(b.plan.FDs))
}

// meet stops the init at a barrier while the host carries out meanwhile.
func (b *builder) meet(name string, meanwhile ...step.Step) {
	b.init(&step.Barrier{Name: name})
	b.host(&step.Await{Name: name})
	b.host(meanwhile...)
	b.host(&step.Release{Name: name})
}

// makes reports whether the container gets a new namespace of type t; joins, whether it enters one.
func (b *builder) makes(t specs.LinuxNamespaceType) bool {
	n := spec.Namespace(b.s, t)
	return n != nil && n.Path == ""
}

func (b *builder) joins(t specs.LinuxNamespaceType) bool {
	n := spec.Namespace(b.s, t)
	return n != nil && n.Path != ""
}

// hostStart is what the host does before the init's work and beside it.
//
// A process is born in its cgroup where one clone covers that. Elsewhere the clone comes first, and
// the cgroup is made while the init's Go runtime wakes up; then it is joined while the init mounts,
// since the first write to a cgroup.procs may wait for many milliseconds.
func (b *builder) hostStart() {
	cg := &b.f.Cgroup
	if !cg.Disabled && b.spawn.IntoCgroup {
		b.makeCgroup()
	}
	b.host(b.spawn)
	joins := !cg.Disabled && !cg.NoJoin && !b.spawn.IntoCgroup && (!b.late || cg.Mode != "v2")
	if joins {
		b.plan.Init = append([]step.Step{&step.Barrier{Name: BarrierAwake}}, b.plan.Init...)
		b.host(&step.Release{Name: BarrierAwake})
	}
	if !cg.Disabled && !b.spawn.IntoCgroup {
		b.makeCgroup()
		if b.mountsCgroup1() {
			b.host(&step.Release{Name: BarrierMade})
		}
	}
	if joins {
		b.joinBeside()
	} else if cg.Disabled || cg.NoJoin || b.spawn.IntoCgroup {
		b.joined = true
	}
	if rdt := b.linux.IntelRdt; rdt != nil {
		b.host(&step.IntelRdt{CLOS: rdt.ClosID, Place: step.At("linux.intelRdt")})
	}
	b.netDevices()
}

// joinBeside moves the init while it works, as soon as its Go runtime has started: while a process is
// moved between cgroups no clone gets through on the whole machine, and a runtime without its threads
// could do nothing meanwhile.
func (b *builder) joinBeside() {
	b.host(&step.Await{Name: BarrierAwake})
	if b.late {
		b.host(&step.CgroupJoin{Phase: step.JoinEarly})
		return
	}
	b.host(&step.CgroupJoin{Phase: step.JoinAll})
	b.joined = true
}

func (b *builder) makeCgroup() {
	b.host(&step.CgroupCreate{Path: b.o.CgroupPath, Place: step.At("linux.cgroupsPath")})
	b.host(&step.CgroupLimits{Place: step.At("linux.resources")})
}

// mountsCgroup1 tells whether the init mounts directories of its cgroup that the host makes only after
// the clone.
func (b *builder) mountsCgroup1() bool {
	if b.f.Cgroup.Disabled || b.spawn.IntoCgroup {
		return false
	}
	for i := range b.s.Mounts {
		if isCgroup(&b.s.Mounts[i]) {
			return true
		}
	}
	return false
}

// inCgroup makes sure that the init is in its cgroup before what follows.
func (b *builder) inCgroup() {
	born := b.spawn.IntoCgroup || b.f.Cgroup.Disabled || b.f.Cgroup.NoJoin
	switch {
	case born || b.met:
	case b.joined:
		b.init(&step.Barrier{Name: BarrierCgroup})
		b.host(&step.Release{Name: BarrierCgroup})
	default:
		b.meet(BarrierCgroup, &step.CgroupJoin{Phase: step.JoinLate})
	}
	b.joined, b.met = true, true
}

// smallLimits tells whether the init stage itself may not fit into the container's limits: a Go
// runtime has up to six threads and touches some 3 MiB (docs/CARRIER.md has the figures).
func smallLimits(r *specs.LinuxResources) bool {
	const (
		smallMemory = 32 << 20
		smallPids   = 32
	)
	if r == nil {
		return false
	}
	if r.Memory != nil && r.Memory.Limit != nil && *r.Memory.Limit > 0 && *r.Memory.Limit < smallMemory {
		return true
	}
	if r.Pids != nil && r.Pids.Limit != nil && *r.Pids.Limit >= 0 && *r.Pids.Limit < smallPids {
		return true
	}
	for _, key := range [...]string{"memory.max", "memory.high", "pids.max"} {
		if _, set := r.Unified[key]; set {
			return true
		}
	}
	return false
}

func (b *builder) startInit() {
	b.init(&step.Setsid{})
	if !b.o.NoNewKeyring {
		b.keyring(b.s.Process)
	}
	if b.makes(specs.NetworkNamespace) {
		b.init(&step.Loopback{Place: b.nsPlace(specs.NetworkNamespace)})
	}
}

// keyring makes a new session keyring, which can fail for the process's label alone.
func (b *builder) keyring(p *specs.Process) {
	k := &step.Keyring{Name: "_ses." + b.o.ID}
	if p != nil && p.SelinuxLabel != "" {
		k.Label, k.Place = p.SelinuxLabel, step.At("process.selinuxLabel")
	}
	b.init(k)
}

// check refuses what these facts do not allow.
func (b *builder) check() error {
	p := b.s.Process
	if p == nil {
		return fmt.Errorf("process: must be given")
	}
	if b.o.NoPivot && b.linux.RootfsPropagation == "private" {
		return fmt.Errorf("linux.rootfsPropagation: %q does not go with --no-pivot", b.linux.RootfsPropagation)
	}
	if !b.makes(specs.MountNamespace) && !b.joins(specs.MountNamespace) {
		return fmt.Errorf("linux.namespaces: a mount namespace is required")
	}
	if !b.f.Privileged && spec.Namespace(b.s, specs.UserNamespace) == nil {
		return fmt.Errorf("linux.namespaces: without privilege a container needs a user namespace")
	}
	if len(b.linux.NetDevices) > 0 && !b.f.Privileged {
		return fmt.Errorf("linux.netDevices: not possible without privilege")
	}
	if err := b.checkBoot(); err != nil {
		return err
	}
	if err := b.checkCgroupAnnotations(); err != nil {
		return err
	}
	return checkLSM(p, b.f)
}

func checkLSM(p *specs.Process, f *Facts) error {
	if p.ApparmorProfile != "" && !f.AppArmor {
		return fmt.Errorf("process.apparmorProfile: apply %q: AppArmor is not enabled on this host", p.ApparmorProfile)
	}
	if p.SelinuxLabel != "" && !f.SELinux {
		return fmt.Errorf("process.selinuxLabel: apply %q: SELinux is not enabled on this host", p.SelinuxLabel)
	}
	return nil
}

// enterRoot makes the rootfs the root, after the hooks that want to see it from outside.
func (b *builder) enterRoot() {
	hooks := b.s.Hooks
	if hooks == nil {
		hooks = new(specs.Hooks)
	}
	var steps []step.Step
	steps = append(steps, hostHooks("prestart", hooks.Prestart)...) //nolint:staticcheck // deprecated, not gone
	steps = append(steps, hostHooks("createRuntime", hooks.CreateRuntime)...)
	if len(steps) > 0 || len(hooks.CreateContainer) > 0 {
		if !b.joined {
			steps = append([]step.Step{&step.CgroupJoin{Phase: step.JoinLate}}, steps...)
			b.joined = true
		}
		b.meet(BarrierHooks, steps...)
	}
	b.init(b.initHooks("createContainer", hooks.CreateContainer, "", specs.StateCreating)...)

	if b.o.NoPivot {
		b.init(&step.MoveRoot{Place: step.At("root.path")})
	} else {
		b.init(&step.PivotRoot{Place: step.At("root.path")})
	}
	if !b.unbindableAll() {
		b.rootPropagation()
	}
	if b.s.Root != nil && b.s.Root.Readonly {
		b.init(&step.ReadonlyRoot{Place: step.At("root.readonly")})
	}
}

// unbindableAll tells whether no mount of the container may be bound any more, which the read-only paths still are.
func (b *builder) unbindableAll() bool { return b.linux.RootfsPropagation == "runbindable" }

func (b *builder) rootPropagation() {
	if b.linux.RootfsPropagation != "" {
		flags, _ := spec.RootfsPropagation(b.linux.RootfsPropagation)
		b.init(&step.SetPropagation{Path: "/", Flags: flags, Place: step.At("linux.rootfsPropagation")})
	}
}

// settings are the container's properties that are not mounts, made once inside its root.
func (b *builder) settings() error {
	if b.s.Hostname != "" {
		b.init(&step.Hostname{Name: b.s.Hostname, Place: step.At("hostname")})
	}
	if b.s.Domainname != "" {
		b.init(&step.Domainname{Name: b.s.Domainname, Place: step.At("domainname")})
	}
	for _, name := range sorted(b.linux.Sysctl) {
		at := fmt.Sprintf("linux.sysctl[%q]", name)
		key, err := spec.SysctlPath(name)
		if err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		if spec.SysctlNamespace(key) == specs.NetworkNamespace {
			if n := spec.Namespace(b.s, specs.NetworkNamespace); n != nil && b.isHost(n.Path) {
				return fmt.Errorf("%s: %q would be changed in the host's network namespace", at, key)
			}
		}
		b.init(&step.Sysctl{Key: key, Value: b.linux.Sysctl[name], Place: step.At(at)})
	}
	for i, p := range b.linux.ReadonlyPaths {
		place := step.At(fmt.Sprintf("linux.readonlyPaths[%d]", i))
		if path.Clean(p) == "/" { // what is mounted over the root is seen by nobody whose root it was before
			b.init(&step.ReadonlyRoot{Place: place})
			continue
		}
		b.init(&step.ReadonlyPath{Path: p, Place: place})
	}
	for i, p := range b.linux.MaskedPaths {
		b.init(&step.MaskPath{Path: p, Label: b.linux.MountLabel, Place: step.At(fmt.Sprintf("linux.maskedPaths[%d]", i))})
	}
	if b.unbindableAll() {
		b.rootPropagation()
	}
	return nil
}

func (b *builder) isHost(path string) bool {
	for _, p := range b.f.HostNamespaces {
		if p == path {
			return path != ""
		}
	}
	return false
}

const slaveAll = uint64(unix.MS_SLAVE | unix.MS_REC)
