package integration

import (
	"os"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func device(path, typ string, major, minor int64, edits ...func(*specs.LinuxDevice)) func(*specs.Spec) {
	d := specs.LinuxDevice{Path: path, Type: typ, Major: major, Minor: minor}
	for _, e := range edits {
		e(&d)
	}
	return func(s *specs.Spec) { s.Linux.Devices = append(s.Linux.Devices, d) }
}

// allowDevice adds a rule to the cgroup's device list.
func allowDevice(typ string, major, minor int64, access string) func(*specs.Spec) {
	return resources(func(r *specs.LinuxResources) {
		r.Devices = append(r.Devices, specs.LinuxDeviceCgroup{Allow: true, Type: typ, Major: &major, Minor: &minor, Access: access})
	})
}

func TestDefaultDeviceNodesAreThere(t *testing.T) {
	b := newBundle(t)
	want := map[string][2]uint32{"/dev/null": {1, 3}, "/dev/zero": {1, 5}, "/dev/full": {1, 7}, "/dev/random": {1, 8},
		"/dev/urandom": {1, 9}, "/dev/tty": {5, 0}}
	var paths []string
	for p := range want {
		paths = append(paths, p)
	}
	for p, st := range b.stat(paths...) {
		if st.Type != "char" || [2]uint32{st.Major, st.Minor} != want[p] || st.Mode != 0o666 || st.UID != 0 || st.GID != 0 {
			t.Errorf("%s: %+v", p, st)
		}
	}
}

func TestDefaultDeviceLinksAreThere(t *testing.T) {
	b := newBundle(t)
	want := map[string]string{"/dev/fd": "/proc/self/fd", "/dev/stdin": "/proc/self/fd/0", "/dev/stdout": "/proc/self/fd/1",
		"/dev/stderr": "/proc/self/fd/2", "/dev/ptmx": "pts/ptmx"}
	var paths []string
	for p := range want {
		paths = append(paths, p)
	}
	for p, st := range b.stat(paths...) {
		if st.Type != "link" || st.Link != want[p] {
			t.Errorf("%s: %+v", p, st)
		}
	}
}

func TestNoConsoleWithoutATerminal(t *testing.T) {
	b := newBundle(t)
	if st := b.stat("/dev/console")["/dev/console"]; st.Err != "ENOENT" {
		t.Errorf("%+v", st)
	}
}

func TestDefaultDevicesWork(t *testing.T) {
	b := newBundle(t)
	r := b.try("write:/dev/null:x", "read:/dev/zero", "read:/dev/urandom", "write:/dev/full:x", "openr:/dev/ptmx", "read:/dev/random")
	for op, errno := range r {
		want := ""
		if strings.HasPrefix(op, "write:/dev/full") {
			want = "ENOSPC"
		}
		if errno != want {
			t.Errorf("%s: %q", op, errno)
		}
	}
}

func TestBoundDevHasNoNodesMade(t *testing.T) {
	b := newBundle(t, dropMount("/dev"), dropMount("/dev/pts"), dropMount("/dev/shm"), dropMount("/dev/mqueue"))
	dev := b.hostDir("dev")
	check(t, unix.Mknod(dev+"/null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	b.edit(addMount(mnt("/dev", "bind", dev, "bind")))
	b.facts()
	if names, _ := os.ReadDir(dev); len(names) != 1 {
		t.Errorf("made %v", names)
	}
}

func TestConfiguredDevicesAreMade(t *testing.T) {
	for name, row := range map[string]struct {
		typ          string
		major, minor int64
		want         string
	}{"char": {"c", 10, 229, "char"}, "char as u": {"u", 10, 229, "char"}, "block": {"b", 7, 0, "block"}, "fifo": {"p", 0, 0, "fifo"}} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, device("/dev/made", row.typ, row.major, row.minor))
			st := b.stat("/dev/made")["/dev/made"]
			if st.Type != row.want || int64(st.Major) != row.major || int64(st.Minor) != row.minor || st.Mode != 0o666 {
				t.Errorf("%+v", st)
			}
		})
	}
}

func TestDeviceModeAndOwnerAreSet(t *testing.T) {
	b := newBundle(t, device("/dev/made", "c", 10, 229, func(d *specs.LinuxDevice) {
		d.FileMode, d.UID, d.GID = ptr(os.FileMode(0o626)), ptr(uint32(11)), ptr(uint32(22))
	}))
	if st := b.stat("/dev/made")["/dev/made"]; st.Mode != 0o626 || st.UID != 11 || st.GID != 22 {
		t.Errorf("%+v", st)
	}
}

func TestDeviceModeWithTypeBitsKeepsOnlyPermissions(t *testing.T) {
	b := newBundle(t, device("/dev/made", "c", 10, 229, func(d *specs.LinuxDevice) { d.FileMode = ptr(os.FileMode(0o20640)) }))
	if st := b.stat("/dev/made")["/dev/made"]; st.Type != "char" || st.Mode != 0o640 {
		t.Errorf("%+v", st)
	}
}

func TestDeviceInANewDirectory(t *testing.T) {
	b := newBundle(t, device("/dev/deep/er/made", "c", 10, 229))
	st := b.stat("/dev/deep/er/made", "/dev/deep")
	if st["/dev/deep/er/made"].Type != "char" || st["/dev/deep"].Mode != 0o755 {
		t.Errorf("%+v", st)
	}
}

func TestDeviceOutsideDev(t *testing.T) {
	b := newBundle(t, device("/data/made", "c", 10, 229))
	b.mayLeave("data/made")
	if st := b.stat("/data/made")["/data/made"]; st.Type != "char" {
		t.Errorf("%+v", st)
	}
}

func TestConfiguredDeviceReplacesTheDefaultOne(t *testing.T) {
	not(t, "runc", "1.1 then lacks the default rule for it")
	b := newBundle(t, device("/dev/null", "c", 1, 3, func(d *specs.LinuxDevice) { d.FileMode, d.GID = ptr(os.FileMode(0o660)), ptr(uint32(9)) }))
	if st := b.stat("/dev/null")["/dev/null"]; st.Mode != 0o660 || st.GID != 9 || st.Minor != 3 {
		t.Errorf("%+v", st)
	}
}

func TestDeviceOverADifferentFileFails(t *testing.T) {
	not(t, "runc", "1.1 keeps the file in silence")
	b := newBundle(t, device("/etc/passwd", "c", 1, 3))
	b.run().fails(t, "/etc/passwd")
	b.wantGone()
}

func TestDeviceOfUnknownTypeFails(t *testing.T) {
	b := newBundle(t, device("/dev/made", "x", 1, 3))
	b.run().fails(t, "x")
	b.wantGone()
}

func TestDeviceAccessIsDeniedByDefault(t *testing.T) {
	for name, edit := range map[string]func(*specs.Spec){
		"no list at all":  func(s *specs.Spec) { s.Linux.Resources = nil },
		"an empty list":   func(s *specs.Spec) { s.Linux.Resources.Devices = nil },
		"a deny-all rule": func(*specs.Spec) {},
	} {
		t.Run(name, func(t *testing.T) {
			needController(t, "devices")
			if name != "a deny-all rule" {
				not(t, "runc", "1.1 allows by default in that case (GHSA-g54h-m393-cpwq was fixed for lists with rules)")
			}
			b := newBundle(t, edit)
			r := b.try("mknodc:/dev/kmsgx:1:11", "openw:/dev/kmsgx", "mknodb:/dev/loopx:7:0", "openr:/dev/loopx")
			for op, errno := range r {
				if strings.HasPrefix(op, "open") && errno != "EPERM" || strings.HasPrefix(op, "mknod") && errno != "" {
					t.Errorf("%s: %q", op, errno)
				}
			}
		})
	}
}

func TestDeviceRuleAllowsWhatItNames(t *testing.T) {
	b := newBundle(t, addCaps("CAP_SYSLOG"), device("/dev/kmsgx", "c", 1, 11), allowDevice("c", 1, 11, "r"))
	r := b.try("openr:/dev/kmsgx", "openw:/dev/kmsgx")
	if r["openr:/dev/kmsgx"] != "" || r["openw:/dev/kmsgx"] != "EPERM" {
		t.Errorf("%v", r)
	}
}

func TestDeviceRuleWildcardsMatchAllMinors(t *testing.T) {
	b := newBundle(t, addCaps("CAP_SYSLOG"), device("/dev/kmsgx", "c", 1, 11), allowDevice("c", 1, -1, "rw"))
	if r := b.try("openr:/dev/kmsgx", "openw:/dev/kmsgx"); r["openr:/dev/kmsgx"] != "" || r["openw:/dev/kmsgx"] != "" {
		t.Errorf("%v", r)
	}
}

func TestLaterDeviceRuleWins(t *testing.T) {
	b := newBundle(t, device("/dev/kmsgx", "c", 1, 11), allowDevice("c", 1, 11, "rwm"), resources(func(r *specs.LinuxResources) {
		r.Devices = append(r.Devices, specs.LinuxDeviceCgroup{Type: "c", Major: ptr(int64(1)), Minor: ptr(int64(11)), Access: "rw"})
	}))
	if r := b.try("openw:/dev/kmsgx"); r["openw:/dev/kmsgx"] != "EPERM" {
		t.Errorf("%v", r)
	}
}

func TestDeviceRuleAllowAllAllows(t *testing.T) {
	b := newBundle(t, device("/dev/kmsgx", "c", 1, 11), resources(func(r *specs.LinuxResources) {
		r.Devices = []specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}}
	}))
	if r := b.try("openw:/dev/kmsgx", "mknodb:/dev/l:7:0", "openr:/dev/l"); r["openw:/dev/kmsgx"] != "" || r["mknodb:/dev/l:7:0"] != "" {
		t.Errorf("%v", r)
	}
}

func TestDenyRulesCannotTakeTheDefaultDevicesAway(t *testing.T) {
	b := newBundle(t, resources(func(r *specs.LinuxResources) {
		r.Devices = append(r.Devices, specs.LinuxDeviceCgroup{Type: "c", Major: ptr(int64(1)), Access: "rwm"})
	}))
	if r := b.try("write:/dev/null:x", "read:/dev/zero"); r["write:/dev/null:x"] != "" || r["read:/dev/zero"] != "" {
		t.Errorf("%v", r)
	}
}

func TestDeviceRuleWithoutAccessFails(t *testing.T) {
	not(t, "runc", "1.1 takes it")
	b := newBundle(t, allowDevice("c", 1, 11, ""))
	b.run().fails(t, "access")
	b.wantGone()
}

func TestDeviceRuleWithUnknownTypeFails(t *testing.T) {
	b := newBundle(t, allowDevice("q", 1, 11, "r"))
	b.run().fails(t, "q")
	b.wantGone()
}

func TestDeviceRulesHoldForExecToo(t *testing.T) {
	needController(t, "devices")
	b := newBundle(t, device("/dev/kmsgx", "c", 1, 11))
	b.hold()
	r := decode[map[string]string](t, b.exec("/testprog", "try", "openw:/dev/kmsgx").ok(t).out)
	if r["openw:/dev/kmsgx"] != "EPERM" {
		t.Errorf("%v", r)
	}
}

func TestDeviceRulesHoldInAUserNamespace(t *testing.T) {
	needController(t, "devices")
	b := newBundle(t, userNS)
	node := b.tmpfs("nodes") + "/kmsg" // on a mount that allows devices, for anyone
	check(t, unix.Mknod(node, unix.S_IFCHR|0o666, int(unix.Mkdev(1, 11))))
	check(t, os.Chmod(node, 0o666))
	b.edit(addMount(mnt("/dev/kmsgx", "bind", node, "bind")))
	if r := b.try("openw:/dev/kmsgx"); r["openw:/dev/kmsgx"] != "EPERM" {
		t.Errorf("%v", r)
	}
}
