package plan

import (
	"fmt"
	"path"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/internal/spec"
	"tare/internal/step"
)

// cgroupMount lowers a mount of type cgroup to what the host's hierarchies ask for (config-linux.md,
// "Cgroup ownership" and the default mounts).
func (b *builder) cgroupMount(i int, m *specs.Mount) error {
	opts, err := spec.ParseMountOptions(m.Options)
	if err != nil {
		return err
	}
	s := b.mountStep(fmt.Sprintf("mounts[%d]", i), m, &opts)
	b.bootCgroups(s)
	if b.forcedCgroup1(m) {
		b.systemd1Mount(s)
		return nil
	}
	switch mode := b.f.Cgroup.Mode; {
	case mode == "v2":
		b.cgroup2Mount(s)
	case mode != "v1" && mode != "hybrid":
		b.warn("%s: the host has no cgroups: nothing is mounted on %q", s.At, s.Target)
	case m.Type == "cgroup2" && !b.boots(): // not what the host has, but this file system
		return b.mount(i, m)
	default:
		b.cgroup1Mounts(s)
	}
	return nil
}

// cgroup2Mount mounts the unified hierarchy, which shows the container's own cgroup in a cgroup
// namespace. Where the kernel refuses (a user namespace without a cgroup namespace of its own, or
// mount options that differ) the host's tree is bound, from the container's cgroup down if it shall see
// no more.
func (b *builder) cgroup2Mount(s *step.Mount) {
	own := b.makes(specs.CgroupNamespace) || b.joins(specs.CgroupNamespace)
	bind := *s
	bind.Type, bind.FSType, bind.Data = step.MountBind, "", nil
	for _, h := range b.f.Cgroup.Hierarchies {
		if h.Version == 2 {
			bind.Source = h.Mount
			if own && !b.f.Cgroup.Disabled && !b.f.Cgroup.NoJoin {
				bind.Source = h.Dir
			}
		}
	}
	bind.Opts |= step.MountRecursive
	if !own {
		// Without a namespace of its own the container would see, and as root change, all of the
		// host's tree: what it gets is decided by the options of the bind alone.
		b.init(&bind)
		return
	}
	b.delegate(s)
	s.FSType, s.Source, s.Data = "cgroup2", "cgroup", nil
	b.init(&step.Fallback{Place: s.Place, First: []step.Step{s},
		On: []uint32{uint32(unix.EPERM), uint32(unix.EBUSY)}, Else: []step.Step{&bind}})
}

// delegate gives the cgroup to the process's user when the container is to manage it: it has a new cgroup
// namespace and may write to the mount (config-linux.md, "Cgroup ownership").
func (b *builder) delegate(s *step.Mount) {
	if !b.makes(specs.CgroupNamespace) || s.Set&unix.MS_RDONLY != 0 || b.f.Cgroup.Disabled || b.f.Cgroup.NoJoin {
		return
	}
	if uid, ok := b.hostUser(); ok && uid != b.f.EUID {
		b.host(&step.CgroupDelegate{UID: uid, Place: s.Place})
	}
}

// hostUser is the process's user as the host counts; !ok if it is unmapped, which identity refuses.
func (b *builder) hostUser() (uid uint32, ok bool) {
	if uid = b.s.Process.User.UID; b.user.any() {
		return spec.HostID(b.user.uid, uid)
	}
	return uid, true
}

// ownCgroup is the sub-cgroup that the program gets to itself, once the init has made its cgroup namespace:
// that shows it the container's cgroup, whose controllers it may then hand on, having left it.
func (b *builder) ownCgroup() []step.Step {
	sub := b.s.Annotations[spec.AnnotationDelegateCgroup]
	if sub == "" {
		return nil
	}
	at := step.At(fmt.Sprintf("annotations[%q]", spec.AnnotationDelegateCgroup))
	steps := []step.Step{&step.CgroupJoin{Phase: step.JoinAll, Sub: sub, Place: at}}
	if uid, ok := b.hostUser(); ok && uid != b.f.EUID {
		steps = append(steps, &step.CgroupDelegate{UID: uid, Sub: sub, Place: at})
	}
	return steps
}

// checkCgroupAnnotations refuses what this host's cgroups cannot do.
func (b *builder) checkCgroupAnnotations() error {
	cg := &b.f.Cgroup
	if b.s.Annotations[spec.AnnotationDelegateCgroup] != "" && (cg.Mode != "v2" || cg.Disabled || cg.NoJoin) {
		return fmt.Errorf("annotations[%q]: needs a cgroup of the container's own, on cgroup v2 alone", spec.AnnotationDelegateCgroup)
	}
	forced := b.s.Annotations[spec.AnnotationForceCgroupV1]
	if forced == "" || cg.Mode != "v2" {
		return nil // elsewhere a container sees v1's named hierarchy in any case
	}
	for i := range b.s.Mounts {
		if isCgroup(&b.s.Mounts[i]) && b.forcedCgroup1(&b.s.Mounts[i]) {
			return nil
		}
	}
	return fmt.Errorf("annotations[%q]: %q: no cgroup is mounted there", spec.AnnotationForceCgroupV1, forced)
}

func (b *builder) forcedCgroup1(m *specs.Mount) bool {
	forced := b.s.Annotations[spec.AnnotationForceCgroupV1]
	return forced != "" && b.f.Cgroup.Mode == "v2" && path.Clean(forced) == path.Clean(m.Destination)
}

// systemd1Mount gives a container whose systemd is too old for cgroup v2 the named hierarchy that such a
// one wants, in the place of cgroup2. The host must have that hierarchy.
func (b *builder) systemd1Mount(s *step.Mount) {
	b.init(b.cgroupTmpfs(s))
	b.init(&step.Mount{Place: s.Place, Type: step.MountFS, FSType: "cgroup", Source: "cgroup",
		Target: path.Join(s.Target, "systemd"), Set: s.Set, Data: []string{"none", "name=systemd", "xattr"}})
	b.readonlyTmpfs(s)
}

// cgroupTmpfs is the directory that v1 hierarchies are mounted in; it stays writable until they are.
func (b *builder) cgroupTmpfs(s *step.Mount) step.Step {
	top := &step.Mount{Place: s.Place, Type: step.MountFS, FSType: "tmpfs", Source: "tmpfs", Target: s.Target,
		Set: s.Set &^ unix.MS_RDONLY, Data: []string{"mode=755"}}
	b.label(top)
	return top
}

func (b *builder) readonlyTmpfs(s *step.Mount) {
	if s.Set&unix.MS_RDONLY != 0 {
		b.init(&step.Mount{Place: s.Place, Type: step.MountRemount, Target: s.Target, Set: s.Set})
	}
}

// cgroup1Mounts puts a small tmpfs on the destination, in it the hierarchies under their usual names,
// and links for controllers that share one.
func (b *builder) cgroup1Mounts(s *step.Mount) {
	b.init(b.cgroupTmpfs(s))
	ns := b.makes(specs.CgroupNamespace)
	var links []step.Step
	for _, h := range b.f.Cgroup.Hierarchies {
		name := hierarchyName(h)
		dir := path.Join(s.Target, name)
		b.init(b.hierarchyMount(s, h, dir, ns))
		for _, c := range h.Controllers {
			if c != name && !strings.HasPrefix(c, "name=") {
				links = append(links, &step.Symlink{Place: s.Place, Path: path.Join(s.Target, c), Target: name})
			}
		}
	}
	b.init(links...)
	b.readonlyTmpfs(s)
}

// hierarchyMount shows the container's own cgroup of one hierarchy: a new mount does so inside a
// cgroup namespace, a bind of its directory elsewhere.
func (b *builder) hierarchyMount(s *step.Mount, h Hierarchy, target string, ns bool) step.Step {
	bind := &step.Mount{Place: s.Place, Type: step.MountBind, Source: h.Dir, Target: target, Set: s.Set}
	if b.f.Cgroup.Disabled || b.f.Cgroup.NoJoin {
		bind.Source = h.Mount
	}
	if !ns {
		return bind
	}
	m := &step.Mount{Place: s.Place, Type: step.MountFS, FSType: "cgroup", Source: "cgroup", Target: target,
		Set: s.Set, Data: h.Controllers}
	if h.Version == 2 {
		m.FSType, m.Data = "cgroup2", nil
	} else if len(h.Controllers) == 1 && strings.HasPrefix(h.Controllers[0], "name=") {
		m.Data = []string{"none", h.Controllers[0]}
	}
	return &step.Fallback{Place: s.Place, First: []step.Step{m},
		On: []uint32{uint32(unix.EPERM), uint32(unix.EBUSY)}, Else: []step.Step{bind}}
}

// hierarchyName is the directory that a hierarchy is known under: its mount point's on the host.
func hierarchyName(h Hierarchy) string { return path.Base(h.Mount) }
