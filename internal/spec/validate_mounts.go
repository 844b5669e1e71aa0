package spec

import (
	"errors"
	"path"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func (c *checker) mounts(at *node, mounts []specs.Mount, s *specs.Spec) {
	if len(mounts) > 0 && !has(s, specs.MountNamespace) {
		c.warn(at, "", "without a mount namespace entry the mounts are made in the runtime's")
	}
	for i := range mounts {
		c.mount(at.at(i), &mounts[i], s)
	}
}

func (c *checker) mount(at *node, m *specs.Mount, s *specs.Spec) {
	opts, err := ParseMountOptions(m.Options)
	var bad *OptionError
	if errors.As(err, &bad) {
		c.fail(at.field("options").at(bad.Index), bad.Option, bad.Reason)
	}
	c.mountDestination(at.field("destination"), m, &opts)
	c.mountType(at, m, &opts, s)
	c.text(at.field("source"), m.Source)
	c.mountOptions(at.field("options"), m, &opts)
	c.mountMapping(at, m, &opts, s)
}

// MountDestination gives the cleaned absolute path in the container that a
// mount's destination means: a relative one counts from the root, and ".."
// does not lead above it.
func MountDestination(destination string) string { return path.Clean("/" + destination) }

func (c *checker) mountDestination(at *node, m *specs.Mount, opts *MountOptions) {
	if m.Destination == "" {
		c.fail(at, "", "must not be empty")
		return
	}
	if m.Destination[0] != '/' {
		c.warn(at, m.Destination, "relative path, taken from /")
	}
	if !c.text(at, m.Destination) {
		return
	}
	switch dest := MountDestination(m.Destination); {
	case dest == "/":
		c.fail(at, m.Destination, "is the root filesystem itself")
	case dest == "/proc" && !opts.Bind() && !opts.Remount() && m.Type != "" && m.Type != "proc":
		c.fail(at, m.Destination, "only procfs may be mounted there")
	case strings.HasPrefix(dest, "/proc/") && !mayCoverProcFile(dest) && m.Type != "proc":
		c.fail(at, m.Destination, "cannot be mounted: it is inside /proc")
	}
}

// mayCoverProcFile lists the files under /proc that a mount may hide; lxcfs
// replaces them. Anything else there could feign or disarm what the runtime
// itself reads and writes (CVE-2019-16884).
func mayCoverProcFile(dest string) bool {
	switch strings.TrimPrefix(dest, "/proc/") {
	case "cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo",
		"sys/kernel/ns_last_pid", "sys/crypto/fips_enabled":
		return true
	}
	return false
}

func (c *checker) mountType(at *node, m *specs.Mount, opts *MountOptions, s *specs.Spec) {
	typeAt := at.field("type")
	c.text(typeAt, m.Type)
	if opts.Bind() {
		if m.Source == "" && !opts.Remount() {
			c.fail(at.field("source"), "", "a bind mount needs a source")
		}
		return
	}
	if opts.Remount() {
		return
	}
	switch m.Type {
	case "":
		if len(opts.Propagation) == 0 {
			c.fail(typeAt, "", "must not be empty without bind, rbind or remount")
		}
	case "bind", "none":
		c.fail(typeAt, m.Type, "not a filesystem (a bind mount has the option bind or rbind)")
	case "mqueue":
		if has(s, specs.UserNamespace) && !has(s, specs.IPCNamespace) {
			c.fail(typeAt, m.Type, "needs an ipc namespace entry beside the user namespace")
		}
	}
}

func (c *checker) mountOptions(at *node, m *specs.Mount, opts *MountOptions) {
	bind, remount := opts.Bind(), opts.Remount()
	if bind && len(opts.Data) > 0 {
		// It would change the superblock that all other mounts of the
		// filesystem share.
		c.fail(at, opts.DataString(), "filesystem options on a bind mount")
	}
	if opts.TmpCopyUp && (bind || m.Type != "tmpfs") {
		c.fail(at, "tmpcopyup", "only a tmpfs can copy up")
	}
	if opts.CopySymlink && !bind {
		c.fail(at, "copy-symlink", "only for a bind mount")
	}
	if opts.SrcNoFollow && !bind {
		c.fail(at, "src-nofollow", "only for a bind mount")
	}
	if remount && (opts.IDMap || opts.RIDMap) {
		c.fail(at, "remount", "an existing mount cannot be id-mapped")
	}
	if remount && opts.TmpCopyUp {
		c.fail(at, "tmpcopyup", "not on a remount")
	}
}

// mountMapping checks the mapping of an id-mapped mount: its own, the one in
// the option, or that of the container's user namespace.
func (c *checker) mountMapping(at *node, m *specs.Mount, opts *MountOptions, s *specs.Spec) {
	mapped := len(m.UIDMappings) > 0 || len(m.GIDMappings) > 0
	c.mappings(at.field("uidMappings"), m.UIDMappings)
	c.mappings(at.field("gidMappings"), m.GIDMappings)
	if mapped && (len(m.UIDMappings) == 0 || len(m.GIDMappings) == 0) {
		c.fail(at, "", "uidMappings and gidMappings must be given together")
	}
	if !mapped && !opts.IDMap && !opts.RIDMap {
		return
	}
	switch user := Namespace(s, specs.UserNamespace); {
	case c.opts.Rootless:
		c.fail(at, "", "an unprivileged user cannot make an id-mapped mount")
	case mapped && opts.IDMapping != nil:
		c.fail(at.field("options"), "idmap", "the mapping is given by uidMappings and gidMappings too")
	case mapped:
	case opts.IDMapping == nil && user == nil:
		c.fail(at.field("options"), "idmap", "neither the mount nor the container has an id mapping")
	case opts.IDMapping != nil && user == nil && relative(opts.IDMapping):
		c.fail(at.field("options"), "idmap", "relative ids (@) need a user namespace entry")
	}
}

func relative(m *IDMapping) bool {
	for _, list := range [...][]IDRange{m.UIDs, m.GIDs} {
		for _, r := range list {
			if r.Relative {
				return true
			}
		}
	}
	return false
}
