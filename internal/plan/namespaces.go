package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/internal/spec"
	"tare/internal/step"
)

// userNS is what the plan has to know about the container's user namespace.
type userNS struct {
	made, joined bool
	uid, gid     []specs.LinuxIDMapping
	denyGroups   bool
}

func (u *userNS) any() bool { return u.made || u.joined }

// nsPlace is the config path of the namespace entry of type t.
func (b *builder) nsPlace(t specs.LinuxNamespaceType) step.Place {
	for i := range b.linux.Namespaces {
		if b.linux.Namespaces[i].Type == t {
			return step.At(fmt.Sprintf("linux.namespaces[%d]", i))
		}
	}
	return step.At("linux.namespaces")
}

// Order of joining: the door tries each before the user namespace and again after it. The mount
// namespace comes last, since it changes the root that paths are seen from.
var joinOrder = [...]specs.LinuxNamespaceType{
	specs.UserNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.NetworkNamespace,
	specs.PIDNamespace, specs.CgroupNamespace, specs.TimeNamespace, specs.MountNamespace,
}

// namespaces decides who makes and enters which namespace.
//
// One clone makes them all where Go can do it. The door is needed to join one, to write clock offsets
// before the first process is in the namespace, and to wait for helpers that write the id maps; then
// it also makes those that must come after that. A cgroup namespace is made by the init once it is in its
// cgroup.
func (b *builder) namespaces() error {
	b.user.made, b.user.joined = b.makes(specs.UserNamespace), b.joins(specs.UserNamespace)
	if b.user.any() {
		b.user.uid, b.user.gid = b.linux.UIDMappings, b.linux.GIDMappings
	}
	s := &step.Spawn{Place: step.At("linux.namespaces")}
	b.spawn = s
	b.joinAll()
	var made uint64
	for _, n := range b.linux.Namespaces {
		if n.Path == "" && n.Type != specs.CgroupNamespace {
			made |= spec.NamespaceFlag(n.Type)
		}
	}
	if err := b.sameMaps(); err != nil {
		return err
	}
	b.userMaps()
	s.TimeOffsets = timeOffsets(b.linux.TimeOffsets)
	viaDoor := len(s.Joins) > 0 && (b.user.any() || b.joins(specs.PIDNamespace)) || s.MapHow == step.MapHelpers ||
		b.user.made && b.becomeID(b.user.uid) != 0
	switch {
	case viaDoor:
		s.Unshare = made
	case s.TimeOffsets != "":
		// The clone that puts a process into the time namespace must also be the one that makes it
		// number 1 of the pid namespace.
		s.Unshare = made & (unix.CLONE_NEWTIME | unix.CLONE_NEWPID)
		s.Clone = made &^ s.Unshare
	default:
		s.Clone = made
	}
	s.Door = s.Unshare != 0 || len(s.Joins) > 0
	s.Fork = s.Unshare&(unix.CLONE_NEWPID|unix.CLONE_NEWTIME) != 0 || b.joins(specs.PIDNamespace)
	s.IntoCgroup = b.f.Cgroup.Into && !b.f.Cgroup.Disabled && !b.f.Cgroup.NoJoin && !b.late
	return nil
}

func (b *builder) joinAll() {
	for _, t := range joinOrder {
		n := spec.Namespace(b.s, t)
		if n == nil || n.Path == "" || b.isHost(n.Path) {
			continue
		}
		flag := spec.NamespaceFlag(t)
		b.spawn.Joins = append(b.spawn.Joins, step.Join{Types: flag, Path: n.Path})
	}
}

// userMaps decides how the id maps come about. Without privilege a process may map its own ids alone,
// and only after it has given up setgroups(2); more needs newuidmap(1).
func (b *builder) userMaps() {
	s := b.spawn
	if b.user.joined {
		if m := b.f.JoinedUser; m != nil {
			b.user.uid, b.user.gid = m.UID, m.GID
		}
		s.Become = true
		s.UID, s.GID = b.becomeID(b.user.uid), b.becomeID(b.user.gid)
		return
	}
	if !b.user.made {
		return
	}
	s.UIDMap, s.GIDMap = idMaps(b.user.uid), idMaps(b.user.gid)
	s.Become = true
	s.UID, s.GID = b.becomeID(b.user.uid), b.becomeID(b.user.gid)
	s.MapHow = step.MapParent
	if b.f.Privileged && b.f.EUID == 0 {
		s.DenySetgroup, b.user.denyGroups = b.f.GroupsDenied, b.f.GroupsDenied
		return
	}
	if ownOnly(s.UIDMap, b.f.EUID) && ownOnly(s.GIDMap, b.f.EGID) {
		s.DenySetgroup, b.user.denyGroups = true, true
		return
	}
	s.MapHow = step.MapHelpers
}

// sameMaps refuses mappings beside a path that are not those of the namespace there: engines send both.
func (b *builder) sameMaps() error {
	m := b.f.JoinedUser
	if !b.user.joined || m == nil {
		return nil
	}
	if l := b.linux.UIDMappings; len(l) > 0 && !slices.Equal(l, m.UID) {
		return fmt.Errorf("linux.uidMappings: differ from those of the user namespace %q", spec.Namespace(b.s, specs.UserNamespace).Path)
	}
	if l := b.linux.GIDMappings; len(l) > 0 && !slices.Equal(l, m.GID) {
		return fmt.Errorf("linux.gidMappings: differ from those of the user namespace %q", spec.Namespace(b.s, specs.UserNamespace).Path)
	}
	return nil
}

func ownOnly(maps []step.IDMap, id uint32) bool {
	return len(maps) == 1 && maps[0].Size == 1 && maps[0].Host == id
}

// becomeID is the id that the init takes on inside: the container's root, or the first mapped id where
// there is none.
func (b *builder) becomeID(maps []specs.LinuxIDMapping) uint32 {
	if len(maps) == 0 {
		return 0
	}
	first := maps[0].ContainerID
	for _, m := range maps {
		if m.ContainerID == 0 && m.Size > 0 {
			return 0
		}
		first = min(first, m.ContainerID)
	}
	return first
}

func idMaps(maps []specs.LinuxIDMapping) []step.IDMap {
	out := make([]step.IDMap, len(maps))
	for i, m := range maps {
		out[i] = step.IDMap{Container: m.ContainerID, Host: m.HostID, Size: m.Size}
	}
	return out
}

// timeOffsets is the text for timens_offsets (time_namespaces(7)), in a fixed order.
func timeOffsets(offsets map[string]specs.LinuxTimeOffset) string {
	var t strings.Builder
	for _, clock := range sorted(offsets) {
		o := offsets[clock]
		fmt.Fprintf(&t, "%s %d %d\n", clock, o.Secs, o.Nanosecs)
	}
	return t.String()
}

func (b *builder) netDevices() {
	for _, host := range sorted(b.linux.NetDevices) {
		b.host(&step.NetDevice{Host: host, Name: b.linux.NetDevices[host].Name,
			Place: step.At(fmt.Sprintf("linux.netDevices[%q]", host))})
	}
}
