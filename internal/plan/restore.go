package plan

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/internal/spec"
	"tare/internal/step"
)

// Restore is what CRIU must be told, and find, to make a container from an image.
type Restore struct {
	// External says where on the host the mounts are that the image only names, in the form of criu(8),
	// option --external. It may name more than the image asks for.
	External []string
	// Points are the mount points that must exist; those inside file systems of the image do.
	Points []MountPoint
	// Inherit are namespaces that the image names by a key.
	Inherit []RestoreNS
	// Join are namespaces that the processes enter in place of those of the image.
	Join []RestoreNS
	// Delegate are the users that the cgroup is given to (config-linux.md, "Cgroup ownership").
	Delegate []uint32
	// Hooks are those of the runtime's namespaces, to run once the container's exist.
	Hooks []step.Step
}

// MountPoint is a directory, or a file, that something is to be mounted on.
type MountPoint struct {
	At   string // config path
	Base string // a directory of the host: the root file system, or the source of a bind
	Path string // beneath it
	Dir  bool
}

// RestoreNS is a namespace at a path of the host.
type RestoreNS struct {
	At   string // config path
	Key  string // an External… name for Inherit, the file name in /proc/PID/ns for Join
	Path string
	Type uint64 // CLONE_NEW*
}

// RestoreFacts is what a Restore depends on beside the spec.
type RestoreFacts struct {
	// Places says where the destinations of mounts lead in the bare root file system.
	Places map[string]Place
	// Sources says what the sources of binds are, by absolute path.
	Sources map[string]Place
	// HostMounts are the mount points of the host.
	HostMounts []string
	Cgroup     CgroupFacts
	// HostNamespaces are those namespace paths of the spec that lead to the runtime's own.
	HostNamespaces []string
}

// RestorePaths lists the destinations, in the root file system, and the sources, on the host, that a
// Restore needs to know.
func RestorePaths(s *specs.Spec, o *Options) (destinations, sources []string) {
	for i := range s.Mounts {
		m := &s.Mounts[i]
		destinations = append(destinations, spec.MountDestination(m.Destination))
		if mo, _ := spec.ParseMountOptions(m.Options); mo.Bind() && !mo.Remount() {
			sources = append(sources, bindPath(m, o))
		}
	}
	return destinations, sources
}

func bindPath(m *specs.Mount, o *Options) string {
	if path.IsAbs(m.Source) {
		return path.Clean(m.Source)
	}
	return path.Join(o.Bundle, m.Source)
}

// BuildRestore plans the restore of a container whose config is s.
func BuildRestore(s *specs.Spec, f *RestoreFacts, o *Options) (*Restore, error) {
	if err := checkpointable(s); err != nil {
		return nil, err
	}
	r := &restorer{s: s, f: f, o: o, plan: new(Restore)}
	for i := range s.Mounts {
		if err := r.mount(i, &s.Mounts[i]); err != nil {
			return nil, err
		}
	}
	if o.NotifyDir != "" {
		r.external(notifyTarget, o.NotifyDir)
	}
	for _, p := range devicePaths(s) {
		r.external(p, p)
	}
	for _, p := range s.Linux.MaskedPaths {
		r.external(p, "/dev/null")
	}
	r.namespaces()
	if h := s.Hooks; h != nil {
		r.plan.Hooks = append(hostHooks("prestart", h.Prestart), hostHooks("createRuntime", h.CreateRuntime)...) //nolint:staticcheck // deprecated, not gone
	}
	return r.plan, nil
}

type restorer struct {
	s    *specs.Spec
	f    *RestoreFacts
	o    *Options
	plan *Restore
}

// external says where the mount of a name is on the host; the first word counts.
func (r *restorer) external(name, source string) {
	e := "mnt[" + name + "]:"
	if !slices.ContainsFunc(r.plan.External, func(x string) bool { return strings.HasPrefix(x, e) }) {
		r.plan.External = append(r.plan.External, e+source)
	}
}

func (r *restorer) mount(i int, m *specs.Mount) error {
	at := fmt.Sprintf("mounts[%d]", i)
	target := spec.MountDestination(m.Destination)
	o, err := spec.ParseMountOptions(m.Options)
	if err != nil {
		return fmt.Errorf("%s.options: %w", at, err)
	}
	switch {
	case o.Remount():
		return nil
	case isCgroup(m):
		r.cgroups(target)
		r.delegate(&o)
	case o.Bind():
		source := bindPath(m, r.o)
		place, ok := r.f.Sources[source]
		if !ok {
			return fmt.Errorf("%s.source: %q: no such file or directory", at, source)
		}
		r.bind(target, source, place.Path, o.RBind())
		r.point(at, target, place.Dir)
		return nil
	}
	r.point(at, target, true)
	return nil
}

// bind gives the mount the name that the config has for it, and the one that images of others have: where
// the destination leads.
func (r *restorer) bind(target, source, real string, recursive bool) {
	names := []string{target}
	if p, ok := r.f.Places[target]; ok && p.Path != target {
		names = append(names, p.Path)
	}
	for _, name := range names {
		r.external(name, source)
		if !recursive {
			continue
		}
		for _, m := range r.f.HostMounts {
			if rest, ok := strings.CutPrefix(m, strings.TrimSuffix(real, "/")+"/"); ok && rest != "" {
				r.external(strings.TrimSuffix(name, "/")+"/"+rest, m)
			}
		}
	}
}

// cgroups shows the container's own directory of each hierarchy.
func (r *restorer) cgroups(target string) {
	for _, h := range r.f.Cgroup.Hierarchies {
		dir := h.Dir
		if r.f.Cgroup.Disabled || r.f.Cgroup.NoJoin {
			dir = h.Mount
		}
		if r.f.Cgroup.Mode == "v2" {
			r.external(target, dir)
			return
		}
		r.external(path.Join(target, hierarchyName(h)), dir)
	}
}

// delegate asks what create would do about the ownership of the cgroup.
func (r *restorer) delegate(o *spec.MountOptions) {
	if r.f.Cgroup.Mode != "v2" {
		return
	}
	b := &builder{s: r.s, linux: r.s.Linux, f: &Facts{Cgroup: r.f.Cgroup}, plan: new(Plan)}
	if b.user.made, b.user.joined = b.makes(specs.UserNamespace), b.joins(specs.UserNamespace); b.user.any() {
		b.user.uid, b.user.gid = b.linux.UIDMappings, b.linux.GIDMappings
	}
	b.delegate(&step.Mount{Set: o.Flags})
	for _, s := range b.plan.Host {
		if d, ok := s.(*step.CgroupDelegate); ok {
			r.plan.Delegate = append(r.plan.Delegate, d.UID)
		}
	}
}

// point finds out where the mount point lies: in the root file system, in the source of the bind that it is
// below, or in a file system that the image brings along with it.
func (r *restorer) point(at, target string, dir bool) {
	base, inside := r.o.Rootfs, target
	longest := 0
	for i := range r.s.Mounts {
		m := &r.s.Mounts[i]
		outer := spec.MountDestination(m.Destination)
		o, _ := spec.ParseMountOptions(m.Options)
		if o.Remount() || len(outer) <= longest || !strings.HasPrefix(target, outer+"/") {
			continue
		}
		longest = len(outer)
		base = ""
		if o.Bind() && !isCgroup(m) {
			base, inside = bindPath(m, r.o), strings.TrimPrefix(target, outer)
		}
	}
	if base != "" {
		r.plan.Points = append(r.plan.Points, MountPoint{At: at, Base: base, Path: inside, Dir: dir})
	}
}

// namespaces says which of the container's belong to others.
func (r *restorer) namespaces() {
	b := &builder{s: r.s, linux: r.s.Linux}
	for _, n := range r.s.Linux.Namespaces {
		if n.Path == "" || slices.Contains(r.f.HostNamespaces, n.Path) {
			continue
		}
		ns := RestoreNS{At: b.nsPlace(n.Type).At + ".path", Path: n.Path, Type: spec.NamespaceFlag(n.Type)}
		switch n.Type {
		case specs.NetworkNamespace:
			ns.Key = ExternalNetNS
			r.plan.Inherit = append(r.plan.Inherit, ns)
		case specs.PIDNamespace:
			ns.Key = ExternalPidNS
			r.plan.Inherit = append(r.plan.Inherit, ns)
		default:
			ns.Key = spec.NamespaceFile(n.Type)
			r.plan.Join = append(r.plan.Join, ns)
		}
	}
}

// Text writes the plan one fact on a line.
func (r *Restore) Text() string {
	var b strings.Builder
	for _, p := range r.Points {
		kind := "file"
		if p.Dir {
			kind = "directory"
		}
		fmt.Fprintf(&b, "point %s %s beneath %s  # %s\n", kind, p.Path, p.Base, p.At)
	}
	for _, e := range r.External {
		fmt.Fprintf(&b, "external %s\n", e)
	}
	for _, n := range r.Inherit {
		fmt.Fprintf(&b, "inherit %s %s  # %s\n", n.Key, n.Path, n.At)
	}
	for _, n := range r.Join {
		fmt.Fprintf(&b, "join %s %s  # %s\n", n.Key, n.Path, n.At)
	}
	for _, uid := range r.Delegate {
		fmt.Fprintf(&b, "delegate to %d\n", uid)
	}
	for _, h := range r.Hooks {
		fmt.Fprintf(&b, "%s\n", step.Text(h))
	}
	return b.String()
}
