package spec

import "github.com/opencontainers/runtime-spec/specs-go"

// sysctls checks that each sysctl belongs to a namespace that the container has
// to itself; any other would change the host. Whether a joined network
// namespace is the host's is for the host to compare.
func (c *checker) sysctls(at *node, s *specs.Spec) {
	seen := make(map[string]string, len(s.Linux.Sysctl))
	for _, name := range keys(s.Linux.Sysctl) {
		c.text(at.entry(name), s.Linux.Sysctl[name])
		path, err := SysctlPath(name)
		if err != nil {
			c.fail(at, name, err.Error())
			continue
		}
		if other, dup := seen[path]; dup {
			c.fail(at, name, "is the same as "+other)
		}
		seen[path] = name
		c.sysctl(at, name, path, s)
	}
}

func (c *checker) sysctl(at *node, name, path string, s *specs.Spec) {
	switch ns := SysctlNamespace(path); {
	case path == sysctlHostname:
		c.fail(at, name, "not allowed: hostname sets it")
	case path == sysctlDomainname && s.Domainname != "":
		c.fail(at, name, "not allowed: domainname sets it")
	case ns == "":
		c.fail(at, name, "not in a namespace of the container")
	case !has(s, ns):
		c.fail(at, name, "needs a "+string(ns)+" namespace entry")
	}
}
