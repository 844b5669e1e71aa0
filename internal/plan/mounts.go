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

// rootfs plans everything up to the hooks: the propagation, the rootfs as a mount, the mounts, the
// devices, the console.
func (b *builder) rootfs() error {
	if b.s.Root == nil {
		return fmt.Errorf("root: must be given")
	}
	flags, ok := spec.RootfsPropagation(b.linux.RootfsPropagation)
	if !ok {
		return fmt.Errorf("linux.rootfsPropagation: unknown value %q", b.linux.RootfsPropagation)
	}
	if flags&unix.MS_UNBINDABLE != 0 {
		flags = slaveAll // nothing could be bound any more; it is applied at the end
	}
	b.init(&step.SetPropagation{Path: "/", Flags: flags, Place: step.At("linux.rootfsPropagation")})
	open := &step.OpenRootfs{Path: b.o.Rootfs, Parent: unix.MS_PRIVATE, Place: step.At("root.path")}
	if spec.EphemeralRoot(b.s.Annotations) {
		open.Place = step.At(fmt.Sprintf("annotations[%q]", spec.AnnotationEphemeralRoot))
		open.Ephemeral, open.UserXattr = true, b.user.any() || b.f.InUserNS
	}
	b.init(open)

	made := !b.mountsCgroup1() // the init may use the cgroup's directories
	cgroupNS := b.makes(specs.CgroupNamespace)
	if cgroupNS && b.spawn.IntoCgroup {
		b.cgroupNamespace()
		cgroupNS = false
	}
	b.bootMounts()
	for i := range b.s.Mounts {
		m := &b.s.Mounts[i]
		if !isCgroup(m) {
			if err := b.mount(i, m); err != nil {
				return err
			}
			continue
		}
		if !made {
			b.init(&step.Barrier{Name: BarrierMade})
			made = true
		}
		if cgroupNS {
			b.cgroupNamespace()
			cgroupNS = false
		}
		if err := b.cgroupMount(i, m); err != nil {
			return err
		}
	}
	b.notifyMount()
	b.devices()
	b.console()
	b.init(b.atEnd...)
	if cgroupNS {
		b.cgroupNamespace()
	}
	return nil
}

// isCgroup tells a mount of the container's cgroups from a bind of whatever.
func isCgroup(m *specs.Mount) bool {
	if m.Type != "cgroup" && m.Type != "cgroup2" {
		return false
	}
	o, _ := spec.ParseMountOptions(m.Options)
	return !o.Bind()
}

// cgroupNamespace is made once the init is where its root shall be (cgroup_namespaces(7)).
func (b *builder) cgroupNamespace() {
	b.inCgroup()
	b.init(&step.Unshare{Flags: unix.CLONE_NEWCGROUP, Place: b.nsPlace(specs.CgroupNamespace)})
}

// mount plans one entry of the list.
func (b *builder) mount(i int, m *specs.Mount) error {
	at := fmt.Sprintf("mounts[%d]", i)
	opts, err := spec.ParseMountOptions(m.Options)
	if err != nil {
		return fmt.Errorf("%s.options: %w", at, err)
	}
	s := b.mountStep(at, m, &opts)
	target := s.Target
	if s.Type == step.MountBind {
		if err := b.bindSource(at, m, &opts, s); err != nil {
			return err
		}
		if target == "/dev" {
			b.devBind = true
		}
	}
	tmpfs := s.Type == step.MountFS && s.FSType == "tmpfs"
	if s.Type == step.MountFS {
		if err := b.mapped(at, m, &opts, s); err != nil {
			return err
		}
	}
	if target == "/" {
		return fmt.Errorf("%s.destination: %q: mounting over the root file system is not possible", at, m.Destination)
	}
	if err := b.procRules(at, m, s); err != nil {
		return err
	}
	b.label(s)
	if tmpfs && s.Set&unix.MS_RDONLY != 0 {
		b.readonlyLater(s)
	}
	b.init(b.withFallback(s)...)
	return nil
}

// mapped gives a new file system its id map, when it is to have one. The kernel maps only for who has
// privilege where the file system was made and over the map's user namespace: for a container with a user
// namespace the host makes it, and the init finds a tree to mount.
func (b *builder) mapped(at string, m *specs.Mount, opts *spec.MountOptions, s *step.Mount) error {
	idmap, err := b.idMapped(at, m, opts)
	switch {
	case idmap == nil:
		return err
	case !b.user.any():
		s.IDMap = b.fd(FDSource{At: at, Kind: FDUserNS, IDMap: idmap})
		return nil
	case opts.TmpCopyUp:
		return fmt.Errorf("%s.options: tmpcopyup: not possible with an id map in a user namespace", at)
	}
	b.label(s)
	s.Tree = b.fd(FDSource{At: at, Kind: FDNewFS, Path: m.Source, FSType: m.Type, Data: s.Data, IDMap: idmap})
	s.Type, s.FSType, s.Data = step.MountBind, "", nil
	return nil
}

// readonlyLater leaves a tmpfs writable until every mount point and device inside it has been made. Only
// that one attribute is added then: the recursive ones have taken effect, and may have cleared it (rrw).
func (b *builder) readonlyLater(s *step.Mount) {
	if s.RecClr&unix.MOUNT_ATTR_RDONLY == 0 {
		b.atEnd = append(b.atEnd, &step.Mount{Place: s.Place, Type: step.MountRemount, Target: s.Target,
			Set: unix.MS_BIND | unix.MS_RDONLY})
	}
	s.Set &^= unix.MS_RDONLY
}

func (b *builder) mountStep(at string, m *specs.Mount, opts *spec.MountOptions) *step.Mount {
	s := &step.Mount{
		Place:  step.At(at),
		Source: m.Source,
		Target: spec.MountDestination(m.Destination),
		FSType: m.Type,
		Set:    opts.Flags &^ (unix.MS_BIND | unix.MS_REC | unix.MS_REMOUNT),
		Clear:  opts.ClearFlags,
		Data:   opts.Data,
		RecSet: opts.RecSet, RecClr: opts.RecClr,
	}
	for _, p := range opts.Propagation {
		s.Propagation = append(s.Propagation, uint32(p))
	}
	switch {
	case opts.Remount():
		s.Type, s.FSType = step.MountRemount, ""
		s.Set |= opts.Flags & unix.MS_BIND
	case opts.Bind():
		s.Type, s.FSType = step.MountBind, ""
	case m.Type == "": // nothing but a propagation for what is mounted there
		s.Type = step.MountRemount
		s.Set |= unix.MS_BIND
	}
	set := func(bit uint64, on bool) {
		if on {
			s.Opts |= bit
		}
	}
	set(step.MountKeepFlags, opts.Bind() && b.user.any())
	set(step.MountRecursive, opts.RBind())
	set(step.MountCopyUp, opts.TmpCopyUp && m.Type == "tmpfs")
	set(step.MountCopySymlink, opts.CopySymlink)
	set(step.MountSrcNoFollow, opts.SrcNoFollow)
	set(step.MountDestNoFollow, opts.DestNoFollow)
	set(step.MountNoSymlinks, s.FSType == "proc" || s.FSType == "sysfs")
	return s
}

// bindSource says where a bind mount's tree comes from: the init opens a path itself, but for a user
// namespace whose root may not reach it, for an idmapped mount, which needs the host's privilege, and in
// a running container, from where the host's paths are not seen.
func (b *builder) bindSource(at string, m *specs.Mount, opts *spec.MountOptions, s *step.Mount) error {
	if m.Source == "" {
		return fmt.Errorf("%s.source: a bind mount needs one", at)
	}
	if !path.IsAbs(s.Source) {
		s.Source = path.Join(b.o.Bundle, s.Source)
	}
	idmap, err := b.idMapped(at, m, opts)
	if err != nil {
		return err
	}
	if idmap != nil || b.live || b.user.any() && b.f.Privileged && !b.f.ForeignMounts && !opts.CopySymlink {
		s.Tree = b.fd(FDSource{At: at + ".source", Kind: FDTree, Path: s.Source,
			Recursive: opts.RBind(), NoFollow: opts.SrcNoFollow, IDMap: idmap})
	}
	return nil
}

// idMapped gives the user namespace of an idmapped mount, nil when none is asked for.
func (b *builder) idMapped(at string, m *specs.Mount, opts *spec.MountOptions) (*IDMap, error) {
	idmap := &IDMap{Recursive: opts.RIDMap}
	switch {
	case opts.IDMapping != nil:
		var err error
		if idmap.UID, idmap.GID, err = b.ownMapping(at, opts.IDMapping); err != nil {
			return nil, err
		}
	case len(m.UIDMappings) > 0 || len(m.GIDMappings) > 0:
		idmap.UID, idmap.GID = idMaps(m.UIDMappings), idMaps(m.GIDMappings)
	case opts.IDMap || opts.RIDMap:
		n := spec.Namespace(b.s, specs.UserNamespace)
		if n == nil {
			return nil, fmt.Errorf("%s.options: idmap needs mappings or a user namespace", at)
		}
		idmap.Path = n.Path
		if n.Path == "" {
			idmap.UID, idmap.GID = idMaps(b.user.uid), idMaps(b.user.gid)
		}
	default:
		return nil, nil
	}
	if !b.f.Privileged || b.f.InUserNS {
		return nil, fmt.Errorf("%s: an idmapped mount needs the host's privilege", at)
	}
	return idmap, nil
}

// ownMapping turns the text of idmap=… into maps; `@` counts the host ids from inside the container.
func (b *builder) ownMapping(at string, m *spec.IDMapping) (uid, gid []step.IDMap, err error) {
	turn := func(ranges []spec.IDRange, maps []specs.LinuxIDMapping) ([]step.IDMap, error) {
		out := make([]step.IDMap, 0, len(ranges))
		for _, r := range ranges {
			host := r.HostID
			if r.Relative {
				var ok bool
				if host, ok = spec.HostID(maps, host); !ok {
					return nil, fmt.Errorf("%s.options: idmap: id %d is not mapped in the user namespace", at, r.HostID)
				}
			}
			out = append(out, step.IDMap{Container: r.FSID, Host: host, Size: r.Size})
		}
		return out, nil
	}
	if uid, err = turn(m.UIDs, b.user.uid); err == nil {
		gid, err = turn(m.GIDs, b.user.gid)
	}
	return uid, gid, err
}

// procRules keeps mounts on and below /proc to what cannot deceive the runtime or the container
// (CVE-2019-16884): on /proc itself only a procfs, below it only files that lxcfs-like tools provide.
func (b *builder) procRules(at string, m *specs.Mount, s *step.Mount) error {
	switch {
	case s.Target == "/proc":
		if s.Type == step.MountBind {
			s.Opts |= step.MountSourceProc | step.MountNoSymlinks
			return nil
		}
		if s.FSType != "proc" && s.Type != step.MountRemount {
			return fmt.Errorf("%s.destination: %q can be mounted on by a procfs only, not by %q", at, m.Destination, m.Type)
		}
	case strings.HasPrefix(s.Target, "/proc/"):
		if !procFile(strings.TrimPrefix(s.Target, "/proc/")) {
			return fmt.Errorf("%s.destination: %q is inside /proc and cannot be mounted on", at, m.Destination)
		}
		s.Opts |= step.MountProcGuard
	}
	return nil
}

func procFile(name string) bool {
	switch name {
	case "cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo",
		"sys/kernel/ns_last_pid", "sys/crypto/fips_enabled":
		return true
	}
	return false
}

// label adds the SELinux mount label where the file system takes one.
func (b *builder) label(s *step.Mount) {
	if b.linux.MountLabel == "" || s.Type != step.MountFS {
		return
	}
	switch s.FSType {
	case "proc", "sysfs":
		return
	case "mqueue": // takes no options
		s.Label = b.linux.MountLabel
		return
	}
	kind := "context"
	if t := b.s.Annotations["run.oci.mount_context_type"]; t != "" {
		kind = t
	}
	s.Data = append(append([]string(nil), s.Data...), kind+"="+b.linux.MountLabel)
}

// withFallback adds what to do where the kernel may refuse: a sysfs needs a network namespace of the
// user namespace's own, else the host's is bound.
func (b *builder) withFallback(s *step.Mount) []step.Step {
	if s.Type != step.MountFS || s.FSType != "sysfs" || !(b.user.any() || b.f.InUserNS || !b.f.Privileged) {
		return []step.Step{s}
	}
	bind := *s
	bind.Type, bind.FSType, bind.Source, bind.Data = step.MountBind, "", "/sys", nil
	bind.Opts |= step.MountRecursive
	if s.Set&unix.MS_RDONLY != 0 {
		bind.RecSet |= unix.MOUNT_ATTR_RDONLY
	}
	return []step.Step{&step.Fallback{Place: s.Place, First: []step.Step{s},
		On: []uint32{uint32(unix.EPERM)}, Else: []step.Step{&bind}}}
}

// notifyMount shows the socket of sd_notify(3) to the container.
func (b *builder) notifyMount() {
	if b.o.NotifyDir == "" {
		return
	}
	b.init(&step.Mount{Type: step.MountBind, Source: b.o.NotifyDir, Target: notifyTarget,
		Set: unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC})
}
