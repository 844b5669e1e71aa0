package spec

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Options says under which circumstances a configuration is to be judged. The
// zero value is a privileged runtime with plain cgroups and pivot_root.
type Options struct {
	// Rootless: the runtime's effective user id is not 0. Root inside a user
	// namespace does not count.
	Rootless bool
	// NoPivot: the root is to be entered without pivot_root(2).
	NoPivot bool
	// SystemdCgroup: systemd manages the cgroups, so that linux.cgroupsPath
	// has to have the form slice:prefix:name.
	SystemdCgroup bool
	// NoCgroups: no cgroup is touched at all; linux.cgroupsPath is not
	// looked at.
	NoCgroups bool
}

// Validate judges a whole configuration by all rules that do not depend on the
// host. The seccomp section is left to the seccomp package, which compiles it.
// No input makes it panic.
func Validate(s *specs.Spec, opts Options) Findings {
	c := checker{opts: opts}
	var top *node
	if s == nil {
		c.fail(top, "", "no configuration")
		return c.found
	}
	c.version(top.field("ociVersion"), s.Version)
	if s.Process == nil {
		c.fail(top.field("process"), "", "must not be empty")
	} else {
		c.process(top.field("process"), s.Process)
		c.mappedUser(top.field("process").field("user"), &s.Process.User, s)
	}
	c.root(s)
	c.names(s)
	c.mounts(top.field("mounts"), s.Mounts, s)
	c.hooks(top.field("hooks"), s.Hooks)
	c.annotations(top.field("annotations"), s.Annotations)
	if s.Linux != nil {
		c.linux(top.field("linux"), s)
	}
	return c.found
}

// ValidateProcess judges a process document for exec in the container that s
// describes (nil: unknown).
func ValidateProcess(p *specs.Process, s *specs.Spec, opts Options) Findings {
	c := checker{opts: opts}
	var top *node
	if p == nil {
		p = &specs.Process{}
	}
	c.process(top.field("process"), p)
	if s != nil {
		c.mappedUser(top.field("process").field("user"), &p.User, s)
	}
	return c.found
}

// ValidateMounts judges mounts that are to be added to the running container
// that s describes.
func ValidateMounts(mounts []specs.Mount, s *specs.Spec, opts Options) Findings {
	c := checker{opts: opts}
	if s == nil {
		s = &specs.Spec{}
	}
	var top *node
	c.mounts(top.field("mounts"), mounts, s)
	return c.found
}

// ValidateResources judges new resource limits for a running container, whole
// as they will be: the absent ones filled in with those in force.
func ValidateResources(r *specs.LinuxResources, opts Options) Findings {
	c := checker{opts: opts}
	var top *node
	if r != nil {
		c.resources(top.field("linux").field("resources"), r)
	}
	return c.found
}

// version accepts every 1.x: within a major version the specification is
// compatible in both directions.
func (c *checker) version(at *node, v string) {
	if v == "" {
		c.fail(at, "", "must not be empty")
		return
	}
	rest, ok := strings.CutPrefix(v, "1.")
	minor, patch, full := strings.Cut(rest, ".")
	if !ok || !allDigits(minor) {
		c.fail(at, v, "unsupported specification version (1.x is)")
		return
	}
	if i := strings.IndexAny(patch, "-+"); i >= 0 {
		patch = patch[:i]
	}
	if !full || !allDigits(patch) {
		c.warn(at, v, "not of the form MAJOR.MINOR.PATCH")
	}
}

func allDigits(s string) bool {
	for _, r := range []byte(s) {
		if r < '0' || r > '9' {
			return false
		}
	}
	return s != ""
}

func (c *checker) root(s *specs.Spec) {
	var top *node
	at := top.field("root")
	if s.Root == nil {
		c.fail(at, "", "must not be empty")
		return
	}
	if s.Root.Path == "" {
		c.fail(at.field("path"), "", "must not be empty")
		return
	}
	c.text(at.field("path"), s.Root.Path)
}

// maxUTSName is __NEW_UTS_LEN, the longest host or domain name in bytes.
const maxUTSName = 64

func (c *checker) names(s *specs.Spec) {
	var top *node
	c.utsName(top.field("hostname"), s.Hostname, s)
	c.utsName(top.field("domainname"), s.Domainname, s)
}

func (c *checker) utsName(at *node, name string, s *specs.Spec) {
	if name == "" {
		return
	}
	if !has(s, specs.UTSNamespace) {
		c.fail(at, name, "needs a uts namespace entry")
	}
	if len(name) > maxUTSName {
		c.fail(at, name, "longer than 64 bytes")
	}
	c.text(at, name)
}
