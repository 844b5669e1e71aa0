package initstage_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"tare/internal/step"
	"tare/internal/sys"
)

func TestDevices(t *testing.T) {
	needRoot(t)
	t.Parallel()
	rootfs, head := bundle(t)
	os.MkdirAll(rootfs+"/dev", 0o755)
	syscall.Mknod(rootfs+"/dev/same", syscall.S_IFCHR|0o600, 0x103)
	j := inside(t, head, []step.Step{
		&step.Device{Path: "/dev/zero", Type: syscall.S_IFCHR, Major: 1, Minor: 5, Mode: 0o666},
		&step.Device{Path: "/dev/own", Type: syscall.S_IFCHR, Major: 1, Minor: 5, Mode: 0o640, UID: 7, GID: 8},
		&step.Device{Path: "/dev/x/blk", Type: syscall.S_IFBLK, Major: 259, Minor: 300, Mode: 0o660},
		&step.Device{Path: "/dev/fifo", Type: syscall.S_IFIFO, Mode: 0o622},
		&step.Device{Path: "/dev/same", Type: syscall.S_IFCHR, Major: 1, Minor: 3, Mode: 0o666, UID: 9},
		&step.Device{Path: "/dev/bound", Type: syscall.S_IFCHR, Major: 1, Minor: 7, Bind: true, Source: "/dev/full"},
	}, "stat=/dev/zero", "stat=/dev/own", "stat=/dev/x/blk", "stat=/dev/fifo", "stat=/dev/same", "stat=/dev/bound", "stat=/dev/x")
	j.env = []string{"TEST_UMASK=077"}
	j.start()
	s, _ := j.finish()
	for path, want := range map[string]statLine{
		"/dev/zero":  {Mode: syscall.S_IFCHR | 0o666, Rdev: 0x105},
		"/dev/own":   {Mode: syscall.S_IFCHR | 0o640, Rdev: 0x105, UID: 7, GID: 8},
		"/dev/x/blk": {Mode: syscall.S_IFBLK | 0o660, Rdev: sys.MakeDev(259, 300)},
		"/dev/fifo":  {Mode: syscall.S_IFIFO | 0o622},
		"/dev/same":  {Mode: syscall.S_IFCHR | 0o666, Rdev: 0x103, UID: 9},
		"/dev/x":     {Mode: syscall.S_IFDIR | 0o755},
	} {
		if s.Stat[path] != want {
			t.Errorf("%s: got %+v (%o), want %+v (%o)", path, s.Stat[path], s.Stat[path].Mode, want, want.Mode)
		}
	}
	if s.Stat["/dev/bound"].Rdev != 0x107 {
		t.Errorf("bound: %+v", s.Stat["/dev/bound"])
	}
}

func TestDevicesThatAreSomethingElse(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for name, c := range map[string]struct {
		make func(p string) error
		d    step.Device
		want string
	}{
		"file":         {func(p string) error { return os.WriteFile(p, nil, 0o644) }, step.Device{}, "it is not this device"},
		"link":         {func(p string) error { return os.Symlink("/etc/passwd", p) }, step.Device{}, "it is not this device"},
		"other number": {func(p string) error { return syscall.Mknod(p, syscall.S_IFCHR|0o666, 0x105) }, step.Device{}, "it is not this device"},
		"bind on link": {func(p string) error { return os.Symlink("/etc/passwd", p) }, step.Device{Bind: true, Source: "/dev/null"}, "too many levels"},
		"other source": {func(string) error { return nil }, step.Device{Bind: true, Source: "/dev/zero"}, "another device"},
		"no source":    {func(string) error { return nil }, step.Device{Bind: true, Source: "/dev/no-such"}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rootfs, head := bundle(t)
			os.MkdirAll(rootfs+"/dev", 0o755)
			if err := c.make(rootfs + "/dev/null"); err != nil {
				t.Fatal(err)
			}
			c.d.Path, c.d.Type, c.d.Major, c.d.Minor, c.d.Mode, c.d.UID = "/dev/null", syscall.S_IFCHR, 1, 3, 0o666, 5
			j := inside(t, head, []step.Step{&c.d})
			j.start()
			if got := text(j.failure()); !strings.Contains(got, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
			var st syscall.Stat_t
			if err := syscall.Lstat(rootfs+"/dev/null", &st); err == nil && st.Uid == 5 {
				t.Error("what is no device was given away")
			}
		})
	}
}

// CVE-2025-31133, CVE-2025-62161: a /dev/null that is none must not become the mask.
func TestMaskNeedsTheNullDevice(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for name, make := range map[string]func(p string) error{
		"link":  func(p string) error { return os.Symlink("/proc/sys/kernel/core_pattern", p) },
		"file":  func(p string) error { return os.WriteFile(p, nil, 0o666) },
		"other": func(p string) error { return syscall.Mknod(p, syscall.S_IFCHR|0o666, 0x105) },
		"none":  func(string) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rootfs, head := bundle(t)
			os.MkdirAll(rootfs+"/dev", 0o755)
			if err := make(rootfs + "/dev/null"); err != nil {
				t.Fatal(err)
			}
			j := inside(t, head, []step.Step{&step.MaskPath{Place: step.At("linux.maskedPaths[0]"), Path: "/proc/keys"}})
			j.start()
			r := j.failure()
			if got := text(r); r.At != "linux.maskedPaths[0]" || name != "none" && !strings.Contains(got, "not the null device") {
				t.Errorf("got %s", got)
			}
		})
	}
}

// One superblock serves all masked directories.
func TestMaskedDirectoriesShareATmpfs(t *testing.T) {
	needRoot(t)
	t.Parallel()
	rootfs, head := bundle(t)
	for _, d := range []string{"a", "b", "c"} {
		os.MkdirAll(rootfs+"/"+d+"/inside", 0o755)
	}
	j := inside(t, head, []step.Step{&step.MaskPath{Path: "/a"}, &step.MaskPath{Path: "/b"}, &step.MaskPath{Path: "/c"}, &step.MaskPath{Path: "/bin/probe/x"}},
		"list=/a", "list=/b", "list=/c", "write=/b/x", "stat=/a", "stat=/b")
	j.start()
	s, _ := j.finish()
	devs := map[string]bool{}
	for _, m := range s.Mounts {
		if m.Point == "/a" || m.Point == "/b" || m.Point == "/c" {
			devs[m.Dev] = true
			if m.Type != "tmpfs" || !strings.HasPrefix(m.Opts, "ro") || !strings.Contains(m.Super, "nr_blocks=1,nr_inodes=1") && !strings.Contains(m.Super, "size=4k,nr_inodes=1") {
				t.Errorf("%+v", m)
			}
		}
	}
	if len(devs) != 1 {
		t.Errorf("%d superblocks", len(devs))
	}
	if s.Read["/a"]+s.Read["/b"]+s.Read["/c"] != "" || !strings.Contains(s.Wrote["/b/x"], "read-only") {
		t.Errorf("%q, wrote %s", s.Read, s.Wrote["/b/x"])
	}
}
