package spec

import (
	"sort"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func (c *checker) namespaces(at *node, list []specs.LinuxNamespace) {
	var seen uint64
	for i, ns := range list {
		flag := NamespaceFlag(ns.Type)
		switch {
		case flag == 0:
			c.fail(at.at(i).field("type"), string(ns.Type), "unknown namespace type")
		case seen&flag != 0:
			c.fail(at.at(i).field("type"), string(ns.Type), "given twice")
		}
		seen |= flag
		if ns.Path != "" {
			c.absolute(at.at(i).field("path"), ns.Path)
		}
	}
}

// userMappings checks linux.uidMappings and gidMappings against the user
// namespace entry. Whether the mappings of a joined namespace equal the given
// ones only the host can tell, so both together are a warning here. A rootless
// container may lack the entry, or mappings for it: the runtime then makes them.
func (c *checker) userMappings(at *node, s *specs.Spec) {
	l := s.Linux
	c.mappings(at.field("uidMappings"), l.UIDMappings)
	c.mappings(at.field("gidMappings"), l.GIDMappings)
	mapped := len(l.UIDMappings) > 0 || len(l.GIDMappings) > 0
	switch user := Namespace(s, specs.UserNamespace); {
	case user == nil && mapped:
		c.fail(at, "", "uidMappings and gidMappings need a user namespace entry")
	case user == nil:
	case user.Path != "" && mapped:
		c.warn(at, "", "uidMappings and gidMappings are given beside the path of a user namespace, which has its own")
	case user.Path != "":
	case !mapped && c.opts.Rootless:
	case len(l.UIDMappings) == 0:
		c.fail(at.field("uidMappings"), "", "a new user namespace needs id mappings")
	case len(l.GIDMappings) == 0:
		c.fail(at.field("gidMappings"), "", "a new user namespace needs id mappings")
	}
}

// mappedUser checks that the process's ids exist in a user namespace made anew;
// what a joined one maps only the host knows.
func (c *checker) mappedUser(at *node, u *specs.User, s *specs.Spec) {
	user := Namespace(s, specs.UserNamespace)
	if user == nil || user.Path != "" || len(s.Linux.UIDMappings) == 0 || len(s.Linux.GIDMappings) == 0 {
		return
	}
	if _, ok := HostID(s.Linux.UIDMappings, u.UID); !ok {
		c.fail(at.field("uid"), "", "cannot setuid to unmapped uid "+itoa(int64(u.UID))+" in user namespace")
	}
	if _, ok := HostID(s.Linux.GIDMappings, u.GID); !ok {
		c.fail(at.field("gid"), "", "cannot setgid to unmapped gid "+itoa(int64(u.GID))+" in user namespace")
	}
	for i, gid := range u.AdditionalGids {
		if _, ok := HostID(s.Linux.GIDMappings, gid); !ok {
			c.fail(at.field("additionalGids").at(i), itoa(int64(gid)), "unmapped in user namespace")
		}
	}
}

// maxMappings is the kernel's UID_GID_MAP_MAX_EXTENTS.
const maxMappings = 340

func (c *checker) mappings(at *node, list []specs.LinuxIDMapping) {
	if len(list) > maxMappings {
		c.fail(at, strconv.Itoa(len(list)), "more than 340 lines")
		return
	}
	for i, m := range list {
		switch {
		case m.Size == 0:
			c.fail(at.at(i).field("size"), "", "must not be 0")
		case uint64(m.ContainerID)+uint64(m.Size) > 1<<32-1:
			c.fail(at.at(i).field("containerID"), itoa(int64(m.ContainerID)), "the range ends above the highest id")
		case uint64(m.HostID)+uint64(m.Size) > 1<<32-1:
			c.fail(at.at(i).field("hostID"), itoa(int64(m.HostID)), "the range ends above the highest id")
		}
	}
	c.overlap(at, list, "container", func(m *specs.LinuxIDMapping) uint32 { return m.ContainerID })
	c.overlap(at, list, "host", func(m *specs.LinuxIDMapping) uint32 { return m.HostID })
}

// overlap reports ranges that share ids on one side, which the kernel refuses.
func (c *checker) overlap(at *node, list []specs.LinuxIDMapping, side string, first func(*specs.LinuxIDMapping) uint32) {
	if len(list) < 2 {
		return
	}
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(a, b int) bool { return first(&list[order[a]]) < first(&list[order[b]]) })
	for n := 1; n < len(order); n++ {
		before, after := &list[order[n-1]], &list[order[n]]
		if uint64(first(before))+uint64(before.Size) > uint64(first(after)) {
			c.fail(at.at(max(order[n-1], order[n])), "",
				side+" ids overlap those of entry "+strconv.Itoa(min(order[n-1], order[n])))
		}
	}
}

func (c *checker) timeOffsets(at *node, s *specs.Spec) {
	offsets := s.Linux.TimeOffsets
	if len(offsets) == 0 {
		return
	}
	switch ns := Namespace(s, specs.TimeNamespace); {
	case ns == nil:
		c.fail(at, "", "needs a time namespace entry")
	case ns.Path != "":
		c.fail(at, "", "the offsets of an existing time namespace cannot be changed")
	}
	for _, clock := range keys(offsets) {
		if clock != "monotonic" && clock != "boottime" {
			c.fail(at, clock, "unknown clock (monotonic or boottime)")
		}
		if nano := offsets[clock].Nanosecs; nano >= 1_000_000_000 {
			c.fail(at.entry(clock).field("nanosecs"), itoa(int64(nano)), "a second or more")
		}
	}
}
