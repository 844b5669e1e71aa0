package plan

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/internal/spec"
	"tare/internal/step"
)

// BuildMounts plans mounts in a running container, s being its frozen config. A short-lived init stage
// enters the container's namespaces, but not its cgroup, and makes one mount after the other; what is
// bound the host has opened before. After each mount it stops at a barrier; at the last one it waits to
// be killed.
func BuildMounts(s *specs.Spec, mounts []specs.Mount, f *ExecFacts, o *Options) (*Plan, error) {
	b, err := newLive(s, f, o)
	if err != nil {
		return nil, err
	}
	for i := range mounts {
		m, err := b.liveMount(i, &mounts[i])
		if err != nil {
			return nil, err
		}
		b.change(i, len(mounts), m)
	}
	return b.plan, nil
}

// BuildUnmounts plans the removal of the mounts on the given destinations; see BuildMounts.
func BuildUnmounts(s *specs.Spec, destinations []string, f *ExecFacts, o *Options) (*Plan, error) {
	b, err := newLive(s, f, o)
	if err != nil {
		return nil, err
	}
	for i, d := range destinations {
		at := fmt.Sprintf("mounts[%d]", i)
		target := spec.MountDestination(d)
		if target == "/" {
			return nil, fmt.Errorf("%s.destination: %q: the root file system cannot be unmounted", at, d)
		}
		b.change(i, len(destinations), &step.Unmount{Target: target, Place: step.At(at)})
	}
	return b.plan, nil
}

func newLive(s *specs.Spec, f *ExecFacts, o *Options) (*builder, error) {
	b := &builder{s: s, linux: s.Linux, f: &f.Facts, o: o, plan: new(Plan), live: true}
	if b.linux == nil {
		b.linux = new(specs.Linux)
	}
	own := false
	for _, n := range f.Namespaces {
		own = own || n.Types == unix.CLONE_NEWNS
	}
	if !own {
		return nil, fmt.Errorf("linux.namespaces: the container has no mount namespace of its own")
	}
	b.spawnExec(f)
	b.spawn.IntoCgroup = false
	b.host(b.spawn)
	return b, nil
}

// change is the i-th of n changes, which the host can see happen.
func (b *builder) change(i, n int, s step.Step) {
	name := fmt.Sprintf("mount %d", i)
	if i < n-1 {
		b.init(s)
		b.meet(name)
		return
	}
	b.init(s, &step.Barrier{Name: name})
	b.host(&step.Await{Name: name})
}

// liveMount is mount for a container in which strangers live already: nothing that the kernel would look
// up for a file system may come from there, so that only binds and file systems without a source are left.
func (b *builder) liveMount(i int, m *specs.Mount) (*step.Mount, error) {
	at := fmt.Sprintf("mounts[%d]", i)
	opts, err := spec.ParseMountOptions(m.Options)
	if err != nil {
		return nil, fmt.Errorf("%s.options: %w", at, err)
	}
	s := b.mountStep(at, m, &opts)
	switch {
	case s.Target == "/":
		return nil, fmt.Errorf("%s.destination: %q: mounting over the root file system is not possible", at, m.Destination)
	case s.Type == step.MountRemount:
		return nil, fmt.Errorf("%s.options: remount: not possible in a running container", at)
	case opts.CopySymlink:
		return nil, fmt.Errorf("%s.options: copy-symlink: not possible in a running container", at)
	case s.Type == step.MountBind:
		err = b.bindSource(at, m, &opts, s)
	case !sourceless(m.Type):
		return nil, fmt.Errorf("%s.type: %q: not possible in a running container (mount it on the host and bind it)", at, m.Type)
	default:
		err = b.mapped(at, m, &opts, s)
	}
	if err != nil {
		return nil, err
	}
	b.label(s)
	return s, b.procRules(at, m, s)
}

func sourceless(fstype string) bool {
	switch fstype {
	case "tmpfs", "proc", "sysfs", "mqueue", "devpts":
		return true
	}
	return false
}
