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

// boots says whether the container's process is an init system, for which spec.AnnotationBoot asks.
func (b *builder) boots() bool { return spec.Boots(b.s.Annotations) }

// bootMounts gives an init system the tmpfs that it expects, where config.json mounts nothing (systemd's
// container interface, https://systemd.io/CONTAINER_INTERFACE). They come before the mounts of the
// list, some of which may lie below them.
func (b *builder) bootMounts() {
	if !b.boots() {
		return
	}
	for _, m := range []specs.Mount{
		{Destination: "/run", Options: []string{"nosuid", "nodev", "strictatime", "mode=755"}},
		{Destination: "/tmp", Options: []string{"nosuid", "nodev", "strictatime", "mode=1777"}},
	} {
		if slices.ContainsFunc(b.s.Mounts, func(own specs.Mount) bool { return spec.MountDestination(own.Destination) == m.Destination }) {
			continue
		}
		m.Type, m.Source = "tmpfs", "tmpfs"
		opts, _ := spec.ParseMountOptions(m.Options)
		s := b.mountStep(fmt.Sprintf("annotations[%q]", spec.AnnotationBoot), &m, &opts)
		b.label(s)
		b.init(b.withFallback(s)...)
	}
}

// bootCgroups makes the cgroups that the container sees its own to manage: an init system has nothing to
// start services in otherwise.
func (b *builder) bootCgroups(s *step.Mount) {
	if b.boots() {
		s.Set &^= unix.MS_RDONLY
	}
}

// bootEnv tells an init system that it is in a container.
func (b *builder) bootEnv(env []string) []string {
	if !b.boots() || slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "container=") }) {
		return nil
	}
	return []string{"container=oci"}
}

// checkBoot refuses a container in which no init system would get on.
func (b *builder) checkBoot() error {
	if !b.boots() {
		return nil
	}
	at := fmt.Sprintf("annotations[%q]", spec.AnnotationBoot)
	for _, t := range []specs.LinuxNamespaceType{specs.PIDNamespace, specs.CgroupNamespace} {
		if !b.makes(t) {
			return fmt.Errorf("%s: an init needs a %s namespace of its own (linux.namespaces)", at, t)
		}
	}
	if !slices.ContainsFunc(b.s.Mounts, func(m specs.Mount) bool { return isCgroup(&m) }) {
		return fmt.Errorf("%s: an init needs its cgroups: a mount of type cgroup (mounts)", at)
	}
	if b.f.Cgroup.Disabled || b.f.Cgroup.NoJoin {
		return fmt.Errorf("%s: an init needs a cgroup of its own, and the container gets none", at)
	}
	return nil
}
