package integration

import (
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

var dockerCaps = []string{"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
	"CAP_MKNOD", "CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID",
	"CAP_SYS_CHROOT"}

// defaultSpec is what an engine would write: own namespaces, usual mounts, usual capabilities, device list deny.
func defaultSpec(id string) *specs.Spec {
	spec := &specs.Spec{
		Version: specs.Version,
		Process: &specs.Process{
			Args: []string{"/testprog", "facts"}, Cwd: "/", NoNewPrivileges: true,
			Env: []string{"PATH=/bin:/usr/bin", "TARE_IT=" + id},
			Capabilities: &specs.LinuxCapabilities{Bounding: slices.Clone(dockerCaps), Effective: slices.Clone(dockerCaps),
				Permitted: slices.Clone(dockerCaps)},
		},
		Root:     &specs.Root{Path: "rootfs"},
		Hostname: "case",
		Mounts: []specs.Mount{
			mnt("/proc", "proc", "proc", "nosuid", "noexec", "nodev"),
			mnt("/dev", "tmpfs", "tmpfs", "nosuid", "strictatime", "mode=755", "size=65536k"),
			mnt("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
			mnt("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
			mnt("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"),
			mnt("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev", "ro"),
		},
		Linux: &specs.Linux{
			CgroupsPath: suite.prefix + "/" + id,
			Resources:   &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}},
			Namespaces: []specs.LinuxNamespace{{Type: "pid"}, {Type: "network"}, {Type: "ipc"}, {Type: "uts"},
				{Type: "mount"}},
		},
	}
	if layout == cgroup2 {
		addNS("cgroup")(spec)
	}
	if suite.plain {
		rootlessSpec(spec)
	}
	return spec
}

func mnt(dest, typ, source string, options ...string) specs.Mount {
	return specs.Mount{Destination: dest, Type: typ, Source: source, Options: options}
}

func args(a ...string) func(*specs.Spec) {
	return func(s *specs.Spec) { s.Process.Args = a }
}

// prog runs a command of testprog.
func prog(a ...string) func(*specs.Spec) { return args(append([]string{"/testprog"}, a...)...) }

// sh runs a script.
func sh(script string) func(*specs.Spec) { return args("/bin/sh", "-c", script) }

func addMount(m ...specs.Mount) func(*specs.Spec) {
	return func(s *specs.Spec) { s.Mounts = append(s.Mounts, m...) }
}

func dropMount(dest string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Mounts = slices.DeleteFunc(s.Mounts, func(m specs.Mount) bool { return m.Destination == dest })
	}
}

func addNS(types ...specs.LinuxNamespaceType) func(*specs.Spec) {
	return func(s *specs.Spec) {
		for _, typ := range types {
			dropNS(typ)(s)
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: typ})
		}
	}
}

func dropNS(typ specs.LinuxNamespaceType) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == typ })
	}
}

func joinNS(typ specs.LinuxNamespaceType, path string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		dropNS(typ)(s)
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: typ, Path: path})
	}
}

// userNS adds a user namespace in which 0-65535 are 100000-165535 outside.
func userNS(s *specs.Spec) {
	if suite.plain { // it has one that its owner may use
		return
	}
	addNS("user")(s)
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 65536}}
	s.Linux.UIDMappings, s.Linux.GIDMappings = ids, slices.Clone(ids)
}

func user(uid, gid uint32, groups ...uint32) func(*specs.Spec) {
	return func(s *specs.Spec) { s.Process.User = specs.User{UID: uid, GID: gid, AdditionalGids: groups} }
}

// allCaps sets bounding, effective and permitted to the given names.
func capSets(names ...string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: names, Effective: slices.Clone(names),
			Permitted: slices.Clone(names)}
	}
}

func addCaps(names ...string) func(*specs.Spec) {
	return func(s *specs.Spec) { capSets(append(slices.Clone(dockerCaps), names...)...)(s) }
}

func terminal(s *specs.Spec) { s.Process.Terminal = true }

func addEnv(kv ...string) func(*specs.Spec) {
	return func(s *specs.Spec) { s.Process.Env = append(s.Process.Env, kv...) }
}

func resources(edit func(*specs.LinuxResources)) func(*specs.Spec) {
	return func(s *specs.Spec) { edit(s.Linux.Resources) }
}

func ptr[T any](v T) *T { return &v }
