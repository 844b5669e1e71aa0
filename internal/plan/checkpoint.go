package plan

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/internal/spec"
)

// Names under which an image refers to namespaces that are not its own. Other runtimes use the same, so
// that their images can be restored and ours by them.
const (
	ExternalNetNS = "extRootNetNS"
	ExternalPidNS = "extRootPidNS"
)

// Dump is what CRIU must be told about a container before it can dump it.
type Dump struct {
	// External are the parts that the image only names: mounts of the host's files, namespaces that
	// belong to others. In the form of criu(8), option --external.
	External []string
	// FreezeCgroup is the directory whose freezer holds all processes still.
	FreezeCgroup string
}

// DumpFacts is what a Dump depends on beside the spec.
type DumpFacts struct {
	// Mounted is what the container sees mounted now.
	Mounted []Mounted
	// Places says where paths of the container lead now; one that is missing does not exist.
	Places map[string]Place
	// NetNS and PidNS are the inode numbers of the init's namespaces, 0 for the runtime's own.
	NetNS, PidNS uint64
	// CgroupMode is "v1", "v2", "hybrid", "none".
	CgroupMode string
	// Freezer is the container's cgroup in the hierarchy that freezes, "" for none.
	Freezer string
}

// Mounted is a mount of the container.
type Mounted struct {
	Point  string
	Device string // of the file system: major:minor
}

// Place is where a path leads.
type Place struct {
	Path string // without links
	Dir  bool
}

// DumpPaths lists the paths of the container that a Dump needs the places of.
func DumpPaths(s *specs.Spec) []string {
	var paths []string
	for i := range s.Mounts {
		paths = append(paths, spec.MountDestination(s.Mounts[i].Destination))
	}
	if s.Linux != nil {
		paths = append(paths, s.Linux.MaskedPaths...)
	}
	paths = append(paths, notifyTarget)
	return append(paths, devicePaths(s)...)
}

// notifyTarget is where the socket of sd_notify(3) shows.
const notifyTarget = "/run/notify"

// devicePaths are the nodes that every container has and those of the spec.
func devicePaths(s *specs.Spec) []string {
	var paths []string
	for _, d := range defaultDevices {
		paths = append(paths, d.path)
	}
	if s.Linux != nil {
		for i := range s.Linux.Devices {
			paths = append(paths, spec.MountDestination(s.Linux.Devices[i].Path))
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// BuildDump plans the dump of a running container, s being its frozen config.
func BuildDump(s *specs.Spec, f *DumpFacts) (*Dump, error) {
	if err := checkpointable(s); err != nil {
		return nil, err
	}
	d := &dumper{s: s, f: f, plan: &Dump{FreezeCgroup: f.Freezer}}
	for i := range s.Mounts {
		d.mount(&s.Mounts[i])
	}
	d.file(notifyTarget, true)
	for _, p := range devicePaths(s) {
		d.file(p, false)
	}
	if s.Linux != nil {
		for _, p := range s.Linux.MaskedPaths {
			d.file(p, false)
		}
	}
	d.namespace(specs.NetworkNamespace, "net", f.NetNS, ExternalNetNS)
	d.namespace(specs.PIDNamespace, "pid", f.PidNS, ExternalPidNS)
	return d.plan, nil
}

type dumper struct {
	s    *specs.Spec
	f    *DumpFacts
	plan *Dump
	seen []string // mount points that have a name already
}

// external names a mount point of the container, once.
func (d *dumper) external(mountpoint, name string) {
	if !slices.Contains(d.seen, mountpoint) {
		d.seen = append(d.seen, mountpoint)
		d.plan.External = append(d.plan.External, "mnt["+mountpoint+"]:"+name)
	}
}

// mount names what comes from the host; the file systems of the container's own are in the image. What the
// container has unmounted meanwhile needs no name.
func (d *dumper) mount(m *specs.Mount) {
	target := spec.MountDestination(m.Destination)
	at := target
	if p, ok := d.f.Places[target]; ok {
		at = p.Path
	}
	o, _ := spec.ParseMountOptions(m.Options)
	switch {
	case isCgroup(m) && d.f.CgroupMode == "v2":
		d.mounted(at, target)
	case isCgroup(m):
		for _, p := range d.f.Mounted {
			if path.Dir(p.Point) == at {
				d.external(p.Point, target+strings.TrimPrefix(p.Point, at))
			}
		}
	case o.Bind() && !o.Remount():
		d.mounted(at, target)
		if o.RBind() {
			d.below(at, target)
		}
	}
}

func (d *dumper) mounted(mountpoint, name string) {
	if d.device(mountpoint) != "" {
		d.external(mountpoint, name)
	}
}

// device is the file system's that is mounted on a path, "" for none; the last mount is on top.
func (d *dumper) device(mountpoint string) string {
	for _, m := range slices.Backward(d.f.Mounted) {
		if m.Point == mountpoint {
			return m.Device
		}
	}
	return ""
}

// below names what a recursive bind has brought along, but for what the spec mounts there itself.
func (d *dumper) below(at, target string) {
	for _, p := range d.f.Mounted {
		if strings.HasPrefix(p.Point, at+"/") && !d.ofSpec(p.Point) {
			d.external(p.Point, target+strings.TrimPrefix(p.Point, at))
		}
	}
}

// ofSpec tells whether a mount point belongs to an entry of mounts, or lies below one that does not come
// from the host.
func (d *dumper) ofSpec(mountpoint string) bool {
	for i := range d.s.Mounts {
		target := spec.MountDestination(d.s.Mounts[i].Destination)
		if p, ok := d.f.Places[target]; ok {
			target = p.Path
		}
		o, _ := spec.ParseMountOptions(d.s.Mounts[i].Options)
		if mountpoint == target || !o.Bind() && strings.HasPrefix(mountpoint, target+"/") {
			return true
		}
	}
	return false
}

// file names a mount that the runtime makes by itself: a device, the mask of a file, the directory of the
// notify socket. What shows a file of the container's own /dev is in the image, as masked directories are.
func (d *dumper) file(name string, dir bool) {
	p, ok := d.f.Places[name]
	if !ok || p.Dir != dir {
		return
	}
	if d.ownDev() && d.device(p.Path) == d.device("/dev") {
		return
	}
	d.mounted(p.Path, name)
}

// ownDev tells whether /dev is a file system of the container's own.
func (d *dumper) ownDev() bool {
	for i := range d.s.Mounts {
		m := &d.s.Mounts[i]
		if o, _ := spec.ParseMountOptions(m.Options); spec.MountDestination(m.Destination) == "/dev" && o.Bind() {
			return false
		}
	}
	return d.device("/dev") != ""
}

func (d *dumper) namespace(t specs.LinuxNamespaceType, kind string, inode uint64, key string) {
	if n := spec.Namespace(d.s, t); n != nil && n.Path != "" && inode != 0 {
		d.plan.External = append(d.plan.External, fmt.Sprintf("%s[%d]:%s", kind, inode, key))
	}
}

// Text writes the plan one fact on a line.
func (d *Dump) Text() string {
	var b strings.Builder
	for _, e := range d.External {
		fmt.Fprintf(&b, "external %s\n", e)
	}
	if d.FreezeCgroup != "" {
		fmt.Fprintf(&b, "freeze %s\n", d.FreezeCgroup)
	}
	return b.String()
}

// checkpointable refuses what CRIU would restore as something else than it was.
func checkpointable(s *specs.Spec) error {
	own := spec.Namespace(s, specs.MountNamespace)
	switch {
	case own == nil:
		return fmt.Errorf("linux.namespaces: a container without a mount namespace cannot be checkpointed or restored")
	case own.Path != "":
		return fmt.Errorf("linux.namespaces: a container in another's mount namespace cannot be checkpointed or restored")
	}
	if n := spec.Namespace(s, specs.CgroupNamespace); n != nil && n.Path != "" {
		return fmt.Errorf("linux.namespaces: a container in another's cgroup namespace cannot be checkpointed or restored")
	}
	if spec.EphemeralRoot(s.Annotations) {
		return fmt.Errorf("annotations[%q]: what the container changed in its root is in no image, so that it cannot be checkpointed or restored",
			spec.AnnotationEphemeralRoot)
	}
	for i := range s.Mounts {
		m := &s.Mounts[i]
		o, err := spec.ParseMountOptions(m.Options)
		if err != nil {
			return fmt.Errorf("mounts[%d].options: %w", i, err)
		}
		if len(m.UIDMappings)+len(m.GIDMappings) > 0 || o.IDMap || o.RIDMap || o.IDMapping != nil {
			return fmt.Errorf("mounts[%d]: an idmapped mount cannot be checkpointed or restored", i)
		}
	}
	if notifies(s.Linux.Seccomp) {
		return fmt.Errorf("linux.seccomp: a filter with SCMP_ACT_NOTIFY cannot be checkpointed or restored: its agent would be lost")
	}
	return nil
}

func notifies(p *specs.LinuxSeccomp) bool {
	if p == nil {
		return false
	}
	return p.DefaultAction == specs.ActNotify ||
		slices.ContainsFunc(p.Syscalls, func(c specs.LinuxSyscall) bool { return c.Action == specs.ActNotify })
}
