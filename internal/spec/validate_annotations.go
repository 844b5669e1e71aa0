package spec

import (
	"path"
	"strings"
)

func (c *checker) annotations(at *node, all map[string]string) {
	for _, key := range keys(all) {
		value := all[key]
		switch {
		case key == "":
			c.fail(at, "", "an annotation with an empty key")
		case key == AnnotationHandler, key == annotationWasm, strings.HasPrefix(key, annotationKrun):
			c.fail(at.entry(key), value, "handlers other than the kernel are not supported")
		case key == AnnotationSeccompPlugins && value != "":
			c.fail(at.entry(key), value, "no plugins are loaded: an agent is reached by run.oci.seccomp.receiver")
		case key == AnnotationDelegateCgroup && value != "" && path.Clean("/"+value) == "/":
			c.fail(at.entry(key), value, "is the container's cgroup itself")
		case key == AnnotationDelegateCgroup, key == AnnotationSystemdSubgroup:
			c.subCgroup(at.entry(key), value)
		case (key == AnnotationBoot || key == AnnotationEphemeralRoot) && value != "true" && value != "false":
			c.fail(at.entry(key), value, "must be true or false")
		case key == AnnotationMountContextType:
			c.contextType(at.entry(key), value)
		case key == AnnotationHooksStdout, key == AnnotationHooksStderr,
			key == AnnotationPidfdReceiver, key == AnnotationForceCgroupV1:
			c.text(at.entry(key), value)
		}
	}
}

// subCgroup checks a path that has to stay below the container's cgroup.
func (c *checker) subCgroup(at *node, value string) {
	if !c.line(at, value) {
		return
	}
	for part := range strings.SplitSeq(value, "/") {
		if part == ".." {
			c.fail(at, value, "leaves the container's cgroup")
			return
		}
	}
}

func (c *checker) contextType(at *node, value string) {
	switch value {
	case "context", "fscontext", "defcontext", "rootcontext":
	default:
		c.fail(at, value, "must be context, fscontext, defcontext or rootcontext")
	}
}

// cgroupsPath checks linux.cgroupsPath. An empty one means the default place.
func (c *checker) cgroupsPath(at *node, value string) {
	if value == "" || c.opts.NoCgroups || !c.line(at, value) || !c.opts.SystemdCgroup {
		return
	}
	parts := strings.Split(value, ":")
	if len(parts) != 3 {
		c.fail(at, value, `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups`)
		return
	}
	if parts[2] == "" {
		c.fail(at, value, "the unit's name is empty")
	}
	for _, part := range parts {
		if strings.Contains(part, "/") {
			c.fail(at, value, "a slash in a unit's name")
			return
		}
	}
}
