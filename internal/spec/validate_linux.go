package spec

import (
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// linux checks linux.*; the seccomp section is the seccomp package's.
func (c *checker) linux(at *node, s *specs.Spec) {
	l := s.Linux
	c.userMappings(at, s)
	c.sysctls(at.field("sysctl"), s)
	if l.Resources != nil {
		c.resources(at.field("resources"), l.Resources)
	}
	c.cgroupsPath(at.field("cgroupsPath"), l.CgroupsPath)
	c.namespaces(at.field("namespaces"), l.Namespaces)
	c.devices(at.field("devices"), l.Devices)
	c.netDevices(at.field("netDevices"), s)
	c.propagation(at.field("rootfsPropagation"), s)
	c.hiddenPaths(at.field("maskedPaths"), l.MaskedPaths, s)
	for i, p := range l.MaskedPaths {
		if strings.HasPrefix(p, "/") && path.Clean(p) == "/" {
			c.fail(at.field("maskedPaths").at(i), p, "is the root filesystem itself")
		}
	}
	c.hiddenPaths(at.field("readonlyPaths"), l.ReadonlyPaths, s)
	c.text(at.field("mountLabel"), l.MountLabel)
	if l.IntelRdt != nil {
		c.intelRdt(at.field("intelRdt"), l.IntelRdt)
	}
	if l.MemoryPolicy != nil {
		c.memoryPolicy(at.field("memoryPolicy"), l.MemoryPolicy)
	}
	if l.Personality != nil {
		c.personality(at.field("personality"), l.Personality)
	}
	c.timeOffsets(at.field("timeOffsets"), s)
}

func (c *checker) propagation(at *node, s *specs.Spec) {
	value := s.Linux.RootfsPropagation
	flags, ok := RootfsPropagation(value)
	switch {
	case !ok:
		c.fail(at, value, "unknown propagation (shared, slave, private, unbindable or an r-form)")
	case value != "" && !has(s, specs.MountNamespace):
		c.fail(at, value, "needs a mount namespace entry")
	case c.opts.NoPivot && flags&unix.MS_PRIVATE != 0:
		// The old root stays mounted below the new one; a private copy of it
		// could be reached from inside.
		c.fail(at, value, "not safe without pivot_root")
	}
}

func (c *checker) hiddenPaths(at *node, paths []string, s *specs.Spec) {
	if len(paths) > 0 && !has(s, specs.MountNamespace) {
		c.fail(at, "", "needs a mount namespace entry")
	}
	for i, p := range paths {
		c.absolute(at.at(i), p)
	}
}

func (c *checker) personality(at *node, p *specs.LinuxPersonality) {
	if _, ok := PersonalityDomain(p.Domain); !ok {
		c.fail(at.field("domain"), string(p.Domain), "unknown execution domain (LINUX or LINUX32)")
	}
	for i, f := range p.Flags {
		c.fail(at.field("flags").at(i), string(f), "the specification defines no flags")
	}
}

// keys gives a map's keys sorted, so that findings come in one order.
func keys[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	sort.Strings(list)
	return list
}

func (c *checker) memoryPolicy(at *node, p *specs.LinuxMemoryPolicy) {
	if _, ok := MemoryPolicyMode(p.Mode); !ok {
		c.fail(at.field("mode"), string(p.Mode), "unknown memory policy")
	}
	nodes := c.list(at.field("nodes"), p.Nodes)
	switch p.Mode {
	case specs.MpolDefault, specs.MpolLocal:
		if len(nodes) > 0 {
			c.fail(at.field("nodes"), p.Nodes, string(p.Mode)+" takes no nodes")
		}
	case specs.MpolBind, specs.MpolInterleave, specs.MpolPreferredMany, specs.MpolWeightedInterleave:
		if len(nodes) == 0 {
			c.fail(at.field("nodes"), p.Nodes, string(p.Mode)+" needs at least one node")
		}
	}
	for i, f := range p.Flags {
		if _, ok := MemoryPolicyFlag(f); !ok {
			c.fail(at.field("flags").at(i), string(f), "unknown memory policy flag")
		}
	}
	if slices.Contains(p.Flags, specs.MpolFStaticNodes) && slices.Contains(p.Flags, specs.MpolFRelativeNodes) {
		c.fail(at.field("flags"), "", "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other")
	}
}
