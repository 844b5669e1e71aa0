package spec

import (
	"bytes"
	"encoding/json"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// SampleOptions chooses among the forms of the sample configuration.
type SampleOptions struct {
	// Rootless gives a configuration that an unprivileged user can run.
	Rootless bool
	// CgroupV2 adds a cgroup namespace, which on version 1 would show nothing
	// useful.
	CgroupV2 bool
	// UID and GID are the host ids of the caller, the only ones mapped in the
	// rootless form.
	UID, GID uint32
}

// Sample makes the configuration that the spec command writes: a shell on a
// terminal, on a read-only root named rootfs.
func Sample(o SampleOptions) *specs.Spec {
	s := &specs.Spec{
		Version:  specs.Version,
		Process:  sampleProcess(),
		Root:     &specs.Root{Path: "rootfs", Readonly: true},
		Hostname: "tare",
		Mounts:   sampleMounts(o.Rootless),
		Linux:    sampleLinux(o),
	}
	return s
}

// SampleJSON is Sample as text: indented with tabs, properties in the order of
// the specification's Go types, no line break at the end.
func SampleJSON(o SampleOptions) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "\t")
	if err := e.Encode(Sample(o)); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'}), nil
}

func sampleProcess() *specs.Process {
	caps := func() []string { return []string{"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"} }
	return &specs.Process{
		Terminal: true,
		Args:     []string{"sh"},
		Env: []string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			"TERM=xterm",
		},
		Cwd: "/",
		// Neither inheritable nor ambient: those survive an execve of a
		// program that was given nothing (CVE-2022-24769).
		Capabilities: &specs.LinuxCapabilities{Bounding: caps(), Effective: caps(), Permitted: caps()},
		Rlimits:      []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: 1024, Soft: 1024}},

		NoNewPrivileges: true,
	}
}

func sampleMounts(rootless bool) []specs.Mount {
	pts := []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}
	sys := specs.Mount{
		Destination: "/sys", Type: "sysfs", Source: "sysfs",
		Options: []string{"nosuid", "noexec", "nodev", "ro"},
	}
	if rootless {
		// A sysfs cannot be mounted without an own network namespace.
		sys.Type, sys.Source, sys.Options = "none", "/sys", append([]string{"rbind"}, sys.Options...)
	} else {
		pts = append(pts, "gid=5") // not mapped in the rootless form
	}
	return []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc"},
		{
			Destination: "/dev", Type: "tmpfs", Source: "tmpfs",
			Options: []string{"nosuid", "strictatime", "mode=755", "size=65536k"},
		},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: pts},
		{
			Destination: "/dev/shm", Type: "tmpfs", Source: "shm",
			Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"},
		},
		{
			Destination: "/dev/mqueue", Type: "mqueue", Source: "mqueue",
			Options: []string{"nosuid", "noexec", "nodev"},
		},
		sys,
		{
			Destination: "/sys/fs/cgroup", Type: "cgroup", Source: "cgroup",
			Options: []string{"nosuid", "noexec", "nodev", "relatime", "ro"},
		},
	}
}

func sampleLinux(o SampleOptions) *specs.Linux {
	l := &specs.Linux{
		Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}},
		MaskedPaths: []string{
			"/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
			"/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi",
		},
		ReadonlyPaths: []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"},
	}
	add := func(t specs.LinuxNamespaceType) {
		l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: t})
	}
	if !o.Rootless {
		add(specs.NetworkNamespace)
	}
	add(specs.IPCNamespace)
	add(specs.UTSNamespace)
	add(specs.MountNamespace)
	if o.CgroupV2 {
		add(specs.CgroupNamespace)
	}
	if o.Rootless {
		add(specs.UserNamespace)
		l.UIDMappings = []specs.LinuxIDMapping{{HostID: o.UID, Size: 1}}
		l.GIDMappings = []specs.LinuxIDMapping{{HostID: o.GID, Size: 1}}
		return l
	}
	l.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Access: "rwm"}}}
	return l
}
