package initstage_test

import (
	"strings"
	"syscall"
	"testing"

	"tare/internal/step"
)

// defaultPlan is a plan as a default config.json gives it.
func defaultPlan(t *testing.T, args ...string) []step.Step {
	_, head := bundle(t)
	dev := func(path string, major, minor uint32) step.Step {
		return &step.Device{Path: path, Type: syscall.S_IFCHR, Major: major, Minor: minor, Mode: 0o666}
	}
	const nsn = syscall.MS_NOSUID | syscall.MS_NOEXEC | syscall.MS_NODEV
	return join([]step.Step{
		&step.Loopback{},
		&step.Hostname{Name: "inside"},
		&step.Domainname{Name: "domain"},
		&step.Setsid{},
		&step.Keyring{Name: "_ses.test"},
	}, head, []step.Step{
		&step.Mount{Type: step.MountFS, FSType: "tmpfs", Source: "tmpfs", Target: "/dev",
			Set: syscall.MS_NOSUID | syscall.MS_STRICTATIME, Data: []string{"mode=755", "size=65536k"}},
		&step.Mount{Type: step.MountFS, FSType: "devpts", Source: "devpts", Target: "/dev/pts",
			Set: syscall.MS_NOSUID | syscall.MS_NOEXEC, Data: []string{"newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		&step.Mount{Type: step.MountFS, FSType: "tmpfs", Source: "shm", Target: "/dev/shm", Set: nsn,
			Data: []string{"mode=1777", "size=65536k"}},
		&step.Mount{Type: step.MountFS, FSType: "mqueue", Source: "mqueue", Target: "/dev/mqueue", Set: nsn},
		&step.Mount{Type: step.MountFS, FSType: "sysfs", Source: "sysfs", Target: "/sys", Opts: step.MountNoSymlinks,
			Set: nsn | syscall.MS_RDONLY},
		dev("/dev/null", 1, 3), dev("/dev/zero", 1, 5), dev("/dev/full", 1, 7), dev("/dev/random", 1, 8),
		dev("/dev/urandom", 1, 9), dev("/dev/tty", 5, 0),
		&step.Symlink{Path: "/dev/fd", Target: "/proc/self/fd"},
		&step.Symlink{Path: "/dev/ptmx", Target: "pts/ptmx", Replace: true},
		&step.Sysctl{Key: "net/ipv4/ip_forward", Value: "1"},
		&step.PivotRoot{},
		&step.MaskPath{Path: "/proc/keys"},
		&step.MaskPath{Path: "/proc/acpi"},
		&step.MaskPath{Path: "/sys/firmware"},
		&step.MaskPath{Path: "/proc/fs"},
		&step.MaskPath{Path: "/proc/no/such"},
		&step.ReadonlyPath{Path: "/proc/sys"},
		&step.ReadonlyPath{Path: "/proc/absent"},
		&step.ReadonlyRoot{},
		&step.Unshare{Flags: syscall.CLONE_NEWCGROUP},
		&step.BoundingCaps{Keep: 1 << 5},
		&step.User{UID: 1000, GID: 1001, Groups: []uint32{7, 8}, SetGroups: true, Umask: 0o27, ChownStdio: true},
		&step.Caps{Effective: 1 << 5, Permitted: 1 << 5, Ambient: 1 << 5, Inheritable: 1 << 5},
		&step.NoNewPrivs{},
	}, ending(args...))
}

func TestDefaultContainer(t *testing.T) {
	needRoot(t)
	t.Parallel()
	j := &job{t: t, clone: testClone, steps: defaultPlan(t, "stat=/dev/null", "stat=/dev/ptmx", "stat=/dev/fd",
		"read=/proc/keys", "list=/sys/firmware", "write=/new", "write=/proc/sys/kernel/domainname",
		"read=/proc/sys/net/ipv4/ip_forward", "stat=/dev/shm", "list=/", "read=/sys/class/net/lo/flags", "list=/sys/class/net", "stat=/proc/self/ns/cgroup")}
	j.start()
	s, warnings := j.finish()
	if len(warnings) != 0 {
		t.Errorf("warnings %q", warnings)
	}
	check := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	check("pid", s.PID, 1)
	check("sid", s.SID, 1)
	check("uid", s.UID, 1000)
	check("gid", s.GID, 1001)
	check("groups", len(s.Groups), 2)
	check("hostname", s.Hostname, "inside")
	check("cwd", s.Cwd, "/")
	check("umask", s.Status["Umask"], "0027")
	for _, set := range []string{"CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"} {
		check(set, s.Status[set], "0000000000000020")
	}
	check("NoNewPrivs", s.Status["NoNewPrivs"], "1")
	check("SigIgn", s.Status["SigIgn"], "0000000000000000")
	check("SigBlk", s.Status["SigBlk"], "0000000000000000")
	check("null", s.Stat["/dev/null"].Rdev, uint64(0x103))
	check("null mode", s.Stat["/dev/null"].Mode, uint32(syscall.S_IFCHR|0o666))
	check("ptmx", s.Stat["/dev/ptmx"].Link, "pts/ptmx")
	check("shm mode", s.Stat["/dev/shm"].Mode&0o7777, uint32(0o1777))
	check("masked file", s.Read["/proc/keys"], "")
	check("masked directory", s.Read["/sys/firmware"], "")
	check("sysctl", s.Read["/proc/sys/net/ipv4/ip_forward"], "1\n")
	check("net devices", s.Read["/sys/class/net"], "lo ")
	check("lo", strings.TrimSpace(s.Read["/sys/class/net/lo/flags"]), "0x9")
	if !strings.Contains(s.Wrote["/new"], "read-only") {
		t.Errorf("write into the root: %s", s.Wrote["/new"])
	}
	if !strings.Contains(s.Wrote["/proc/sys/kernel/domainname"], "read-only") {
		t.Errorf("write into a read-only path: %s", s.Wrote["/proc/sys/kernel/domainname"])
	}
	for _, c := range []struct{ point, typ, opts string }{
		{"/proc", "proc", "rw,nosuid,nodev,noexec,relatime"}, {"/dev", "tmpfs", "rw,nosuid"},
		{"/dev/pts", "devpts", "rw,nosuid,noexec,relatime"}, {"/sys", "sysfs", "ro,nosuid,nodev,noexec,relatime"},
		{"/dev/mqueue", "mqueue", "rw,nosuid,nodev,noexec,relatime"}, {"/proc/sys", "proc", "ro,nosuid,nodev,noexec,relatime"},
		{"/proc/fs", "tmpfs", "ro,relatime"}, {"/sys/firmware", "tmpfs", "ro,relatime"}, {"/bin/probe", "", ""},
	} {
		m, ok := s.mount(c.point)
		if !ok || c.typ != "" && (m.Type != c.typ || m.Opts != c.opts) {
			t.Errorf("mount %s: got %v %+v, want %s %s", c.point, ok, m, c.typ, c.opts)
		}
	}
	if len(s.Mounts) > 16 {
		t.Errorf("too many mounts, the host's are left: %+v", s.Mounts)
	}
	for fd, to := range s.FDs {
		if fd > "2" && to != "" && to != "anon_inode:[eventpoll]" && to != "anon_inode:[eventfd]" {
			t.Errorf("descriptor %s is %s", fd, to)
		}
	}
}
