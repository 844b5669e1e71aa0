package initstage_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tare/internal/step"
)

// inside runs a container with the given steps between the head and the pivot.
func inside(t *testing.T, head, steps []step.Step, args ...string) *job {
	t.Helper()
	j := &job{t: t, clone: testClone, steps: join(head, steps, []step.Step{&step.PivotRoot{}}, ending(args...))}
	return j
}

func bindStep(source, target string, set uint64) *step.Mount {
	return &step.Mount{Place: step.At("mounts[1]"), Type: step.MountBind, Source: source, Target: target, Set: set}
}

func tmpfs(target string, data ...string) *step.Mount {
	return &step.Mount{Place: step.At("mounts[1]"), Type: step.MountFS, FSType: "tmpfs", Source: "tmpfs", Target: target, Data: data}
}

func TestBindMounts(t *testing.T) {
	needRoot(t)
	t.Parallel()
	_, head := bundle(t)
	src := t.TempDir()
	os.WriteFile(src+"/file", []byte("text"), 0o644)
	os.Mkdir(src+"/sub", 0o755)
	os.Symlink("file", src+"/link")
	clear := bindStep(src, "/clear", 0)
	clear.Clear = syscall.MS_RDONLY | syscall.MS_NOSUID
	srcLink := bindStep(src+"/link", "/srclink", 0)
	srcLink.Opts = step.MountSrcNoFollow
	copied := bindStep(src+"/link", "/etc/copied", 0)
	copied.Opts = step.MountCopySymlink
	copiedFile := bindStep(src+"/file", "/etc/copiedfile", 0)
	copiedFile.Opts = step.MountCopySymlink
	destLink := bindStep(src+"/link", "/etc/copied", 0) // onto the link itself
	destLink.Opts = step.MountDestNoFollow | step.MountSrcNoFollow
	optional := bindStep("/no/such/thing", "/optional", 0)
	optional.Opts = step.MountOptional
	rec := bindStep("/dev", "/rec", syscall.MS_NOEXEC)
	rec.Opts = step.MountRecursive
	rec.RecSet = unix.MOUNT_ATTR_RDONLY
	rec.Propagation = []uint32{syscall.MS_SHARED | syscall.MS_REC}
	twice := bindStep(src, "/twice", 0)
	twice.Propagation = []uint32{syscall.MS_SHARED, syscall.MS_SLAVE, syscall.MS_SHARED}
	j := inside(t, head, []step.Step{
		bindStep(src, "/dir", syscall.MS_RDONLY|syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC|syscall.MS_NOATIME),
		bindStep(src+"/file", "/a/new/file", 0), clear, srcLink, copied, copiedFile, destLink, optional, rec, twice,
		bindStep(src, "/priv", 0),
	}, "write=/dir/x", "read=/a/new/file", "stat=/srclink", "stat=/etc/copied", "read=/etc/copiedfile", "stat=/optional", "write=/clear/sub/new", "write=/rec/x")
	j.start()
	s, _ := j.finish()
	expect := func(point, opts, prop string) {
		t.Helper()
		m, ok := s.mount(point)
		if !ok || m.Opts != opts || prop != "" && !strings.Contains(m.Prop, prop) {
			t.Errorf("%s: got %v %q %q, want %q %q", point, ok, m.Opts, m.Prop, opts, prop)
		}
	}
	expect("/dir", "ro,nosuid,nodev,noexec,noatime", "")
	expect("/clear", "rw,relatime", "")
	expect("/rec", "ro,noexec,relatime", "shared:")
	expect("/rec/pts", strings.Replace(mountOpts(t, "/dev/pts"), "rw", "ro", 1), "shared:")
	expect("/twice", "rw,relatime", "shared:")
	if m, _ := s.mount("/priv"); strings.Contains(m.Prop, "shared:") {
		t.Errorf("a bind without propagation is %s", m.Prop)
	}
	if !strings.Contains(s.Wrote["/dir/x"], "read-only") || s.Read["/a/new/file"] != "text" {
		t.Errorf("wrote %q, read %q", s.Wrote["/dir/x"], s.Read["/a/new/file"])
	}
	if got := s.Stat["/srclink"]; got.Mode&syscall.S_IFMT != syscall.S_IFLNK || got.Link != "file" {
		t.Errorf("src-nofollow: %+v", got)
	}
	if got := s.Stat["/etc/copied"]; got.Link != "file" {
		t.Errorf("copy-symlink: %+v", got)
	}
	if _, ok := s.mount("/etc/copied"); !ok {
		t.Error("dest-nofollow: nothing is mounted on the link")
	}
	if s.Read["/etc/copiedfile"] != "text" {
		t.Errorf("copy-symlink of a file: %q", s.Read["/etc/copiedfile"])
	}
	if s.Wrote["/clear/sub/new"] != "ok" || !strings.Contains(s.Wrote["/rec/x"], "read-only") {
		t.Errorf("wrote %q, %q", s.Wrote["/clear/sub/new"], s.Wrote["/rec/x"])
	}
}

func mountOpts(t *testing.T, point string) string {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	s := seen{Mounts: parseMounts(string(b))}
	m, _ := s.mount(point)
	return m.Opts
}

func TestTmpfs(t *testing.T) {
	needRoot(t)
	t.Parallel()
	rootfs, head := bundle(t)
	dir := rootfs + "/full"
	os.MkdirAll(dir+"/sub/deep", 0o750)
	syscall.Chmod(dir, 0o1777)
	os.WriteFile(dir+"/sub/file", []byte("copied"), 0o604)
	os.Chown(dir+"/sub/file", 12, 34)
	syscall.Chmod(dir+"/sub/file", 0o4604)
	os.Symlink("/etc/passwd", dir+"/link")
	syscall.Mkfifo(dir+"/fifo", 0o600)
	os.Chtimes(dir+"/sub/file", time.Unix(1000, 0), time.Unix(2000, 0))
	os.Chtimes(dir+"/sub", time.Unix(1000, 0), time.Unix(3000, 0))
	syscall.Mknod(dir+"/null", syscall.S_IFCHR|0o666, 0x103)
	os.WriteFile(dir+"/big", make([]byte, 200<<10), 0o644)
	full := tmpfs("/full", "size=1m")
	full.Opts, full.Set = step.MountCopyUp, syscall.MS_RDONLY|syscall.MS_NOSUID
	bad := tmpfs("/sized", "size=1m", "mode=0700", "nr_inodes=100")
	bad.Set = syscall.MS_NOEXEC | syscall.MS_STRICTATIME
	long := tmpfs("/old", "size=1m")
	long.Set = syscall.MS_SILENT // only mount(2) knows it
	long.Opts = step.MountCopyUp
	j := inside(t, head, []step.Step{full, bad, tmpfs("/plain"), long}, "stat=/full", "stat=/full/sub", "stat=/full/sub/file", "read=/full/sub/file",
		"stat=/full/link", "stat=/full/fifo", "stat=/full/null", "stat=/full/big", "write=/full/new", "stat=/sized", "stat=/plain", "write=/old/x", "mtime=/full/sub/file", "mtime=/full/sub")
	j.start()
	s, _ := j.finish()
	for path, want := range map[string]statLine{
		"/full":          {Mode: syscall.S_IFDIR | 0o1777},
		"/full/sub":      {Mode: syscall.S_IFDIR | 0o750},
		"/full/sub/file": {Mode: syscall.S_IFREG | 0o4604, UID: 12, GID: 34},
		"/full/link":     {Mode: syscall.S_IFLNK | 0o777, Link: "/etc/passwd"},
		"/full/fifo":     {Mode: syscall.S_IFIFO | 0o600},
		"/full/null":     {Mode: syscall.S_IFCHR | 0o666, Rdev: 0x103},
		"/sized":         {Mode: syscall.S_IFDIR | 0o700},
		"/plain":         {Mode: syscall.S_IFDIR | 0o1777},
	} {
		if got := s.Stat[path]; path == "/full/null" && got.Mode&^0o22 == want.Mode&^0o22 && got.Rdev == want.Rdev {
			continue
		} else if got != want {
			t.Errorf("%s: got %+v (%o), want %+v (%o)", path, got, got.Mode, want, want.Mode)
		}
	}
	if s.Read["mtime=/full/sub/file"] != "2000" || s.Read["mtime=/full/sub"] != "3000" {
		t.Errorf("times of the copies: %q", s.Read)
	}
	if s.Read["/full/sub/file"] != "copied" || !strings.Contains(s.Wrote["/full/new"], "read-only") || s.Wrote["/old/x"] != "ok" {
		t.Errorf("read %q, wrote %q %q", s.Read["/full/sub/file"], s.Wrote["/full/new"], s.Wrote["/old/x"])
	}
	if m, _ := s.mount("/full"); m.Opts != "ro,nosuid,relatime" || !strings.Contains(m.Super, "size=1024k") {
		t.Errorf("%+v", m)
	}
	if m, _ := s.mount("/sized"); m.Opts != "rw,noexec" || !strings.Contains(m.Super, "nr_inodes=100") {
		t.Errorf("%+v", m)
	}
}

func TestMountErrors(t *testing.T) {
	needRoot(t)
	t.Parallel()
	src := t.TempDir()
	os.WriteFile(src+"/file", nil, 0o644)
	for name, c := range map[string]struct {
		m     *step.Mount
		errno syscall.Errno
		want  string
	}{
		"missing source":     {bindStep("/no/such", "/x", 0), syscall.ENOENT, `open_tree "/no/such"`},
		"unknown fs":         {&step.Mount{Type: step.MountFS, FSType: "nosuchfs", Target: "/x"}, syscall.ENODEV, `fsopen "nosuchfs": no such device (the kernel does not know`},
		"bad option":         {tmpfs("/x", "nosuchoption=1"), syscall.EINVAL, `mount option "nosuchoption=1": invalid argument`},
		"bad value":          {tmpfs("/x", "size=abc"), syscall.EINVAL, `mount option "size=abc": invalid argument (tmpfs: Bad value`},
		"file on directory":  {bindStep(src+"/file", "/bin", 0), 0, `"/bin"`},
		"directory on file":  {bindStep(src, "/bin/probe", 0), 0, `"/bin/probe"`},
		"below a file":       {bindStep(src, "/bin/probe/x", 0), syscall.ENOTDIR, "not a directory"},
		"NUL in the target":  {bindStep(src, "/x\x00y", 0), syscall.EINVAL, ""},
		"unknown type":       {&step.Mount{Type: 9, Target: "/x"}, syscall.EINVAL, "unknown type"},
		"source is no proc":  {&step.Mount{Type: step.MountBind, Source: src, Target: "/proc", Opts: step.MountSourceProc | step.MountNoSymlinks}, syscall.EPERM, "only a procfs may be mounted on /proc"},
		"leads into procfs":  {bindStep(src, "/toproc/sys", 0), syscall.EPERM, "leads into a procfs"},
		"remount of nothing": {&step.Mount{Type: step.MountRemount, Target: "/bin"}, syscall.EINVAL, `remount "/bin"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rootfs, head := bundle(t)
			os.Symlink("/proc", rootfs+"/toproc")
			c.m.Place = step.At("mounts[7]")
			j := inside(t, head, []step.Step{c.m})
			j.start()
			r := j.failure()
			if got := text(r); !strings.HasPrefix(got, "mounts[7]: ") || !strings.Contains(got, c.want) || c.errno != 0 && r.Errno != uint32(c.errno) {
				t.Errorf("got %s, want %v %s", got, c.errno, c.want)
			}
		})
	}
}

// CVE-2019-19921, CVE-2023-27561, CVE-2023-28642, CVE-2025-54867: /proc or /sys, or a parent, is a link.
func TestProcAndSysMustBeRealDirectories(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for name, c := range map[string]struct {
		link, to, target string
	}{
		"proc": {"proc", "/tmp/x", "/proc"}, "proc relative": {"proc", "tmp/x", "/proc"}, "proc dangling": {"proc", "/nowhere", "/proc"},
		"sys": {"sys", "/tmp/x", "/sys"}, "parent": {"deep", "/tmp/x", "/deep/proc"}, "host": {"proc", "/../../../../tmp", "/proc"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rootfs, head := bundle(t)
			os.MkdirAll(rootfs+"/tmp/x", 0o755)
			if err := os.Symlink(c.to, filepath.Join(rootfs, c.link)); err != nil {
				t.Fatal(err)
			}
			m := procMount()
			m.Target = c.target
			j := inside(t, head[:3], []step.Step{m})
			j.start()
			if got := text(j.failure()); !strings.Contains(got, "must be a real directory") {
				t.Errorf("got %s", got)
			}
		})
	}
}

// CVE-2019-18837: links of the image never lead a target to the host.
func TestTargetsStayInside(t *testing.T) {
	needRoot(t)
	t.Parallel()
	rootfs, head := bundle(t)
	host := t.TempDir()
	os.MkdirAll(rootfs+"/dev", 0o755)
	os.Symlink("../../../../../../../.."+host, rootfs+"/dev/shm")
	os.Symlink(host, rootfs+"/vol")
	os.Symlink(host+"/newdir", rootfs+"/devs")
	j := inside(t, head, []step.Step{
		tmpfs("/dev/shm"), bindStep("/etc/hostname", "/vol/file", 0),
		&step.Device{Path: "/devs/null", Type: syscall.S_IFCHR, Major: 1, Minor: 3, Mode: 0o600},
		&step.Symlink{Path: "/devs/ptmx", Target: "x", Replace: true},
	}, "stat="+host+"/file", "stat="+host+"/newdir/null")
	j.start()
	s, _ := j.finish()
	if s.Stat[host+"/newdir/null"].Mode != syscall.S_IFCHR|0o600 {
		t.Errorf("inside: %+v", s.Stat)
	}
	if m, ok := s.mount(host); !ok || m.Type != "tmpfs" {
		t.Errorf("mounts inside: %+v", s.Mounts)
	}
	if names, _ := os.ReadDir(host); len(names) != 0 {
		t.Errorf("the host's directory got %v", names)
	}
}

// Nothing of the container's mounts shows on the host's side, whatever propagation the container has.
func TestMountsDoNotLeak(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for _, flags := range []uint64{syscall.MS_SLAVE | syscall.MS_REC, syscall.MS_PRIVATE | syscall.MS_REC, syscall.MS_SHARED | syscall.MS_REC} {
		rootfs, head := bundle(t)
		head[0] = &step.SetPropagation{Path: "/", Flags: flags}
		// The rootfs lies on a shared mount of its own, in a namespace of this test.
		shared := filepath.Dir(rootfs)
		err := inNewMountNS(func() error {
			if err := unix.Mount(shared, shared, "", unix.MS_BIND, ""); err != nil {
				return err
			}
			if err := unix.Mount("", shared, "", unix.MS_SHARED, ""); err != nil {
				return err
			}
			// A mount of the host on another shared mount, which must not go when the container lets go of it.
			other := t.TempDir()
			if err := unix.Mount("tmpfs", other, "tmpfs", 0, ""); err != nil {
				return err
			}
			if err := unix.Mount("", other, "", unix.MS_SHARED, ""); err != nil {
				return err
			}
			if err := os.Mkdir(other+"/stays", 0o755); err != nil {
				return err
			}
			if err := unix.Mount("tmpfs", other+"/stays", "tmpfs", 0, ""); err != nil {
				return err
			}
			j := inside(t, head, []step.Step{tmpfs("/leak")})
			j.clone = syscall.CLONE_NEWNS | syscall.CLONE_NEWPID
			j.start()
			j.finish()
			b, err := os.ReadFile("/proc/thread-self/mountinfo")
			if strings.Contains(string(b), "/leak") || strings.Contains(string(b), rootfs) {
				t.Errorf("propagation %#x: the host sees %s", flags, b)
			}
			if !strings.Contains(string(b), other+"/stays") {
				t.Errorf("propagation %#x: a mount of the host is gone", flags)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestMoveRoot(t *testing.T) {
	needRoot(t)
	t.Parallel()
	_, head := bundle(t)
	j := &job{t: t, clone: testClone, steps: join(head, []step.Step{&step.MoveRoot{}}, ending("list=/", "list=/proc/1/root/.."))}
	j.start()
	s, _ := j.finish()
	if got := strings.TrimSpace(s.Read["/"]); got != "bin proc" {
		t.Errorf("the root has %s", got)
	}
	for _, m := range s.Mounts {
		if (m.Type == "proc" || m.Type == "sysfs") && m.Point != "/proc" {
			t.Errorf("a view of the host is left: %+v", m)
		}
	}
}

func TestReadonlyPathKeepsFlags(t *testing.T) {
	needRoot(t)
	t.Parallel()
	_, head := bundle(t)
	vol := tmpfs("/vol")
	vol.Set = syscall.MS_NOSUID | syscall.MS_NOEXEC
	j := &job{t: t, clone: testClone, steps: join(head, []step.Step{vol, tmpfs("/vol/sub"), &step.PivotRoot{}, &step.ReadonlyPath{Path: "/vol"},
		&step.ReadonlyPath{Path: "/bin/probe/none"}}, ending("write=/vol/x", "write=/vol/sub/x"))}
	j.start()
	s, _ := j.finish()
	if m, _ := s.mount("/vol"); m.Opts != "ro,nosuid,noexec,relatime" {
		t.Errorf("%+v", m)
	}
	if !strings.Contains(s.Wrote["/vol/x"], "read-only") || s.Wrote["/vol/sub/x"] != "ok" {
		t.Errorf("wrote %v", s.Wrote)
	}
}

func TestIDMappedMount(t *testing.T) {
	needRoot(t)
	t.Parallel()
	_, head := bundle(t)
	src := t.TempDir()
	os.WriteFile(src+"/file", nil, 0o644)
	os.Chown(src+"/file", 5, 6)
	ns := userNS(t)
	m := bindStep(src, "/mapped", 0)
	m.IDMap, m.IDMapRec, m.Opts = 1, true, step.MountRecursive
	proc := &step.Mount{Place: step.At("mounts[2]"), Type: step.MountBind, Source: "/proc", Target: "/no", IDMap: 1}
	j := inside(t, head, []step.Step{m}, "stat=/mapped/file")
	j.fds = []int{ns}
	j.start()
	s, _ := j.finish()
	if got := s.Stat["/mapped/file"]; got.UID != 100005 || got.GID != 100006 {
		t.Errorf("got %+v", got)
	}
	j = inside(t, head, []step.Step{proc})
	j.fds = []int{ns}
	j.start()
	if r := j.failure(); r.Errno != uint32(syscall.EINVAL) || !strings.Contains(r.Text, "may not support it") {
		t.Errorf("got %s", text(r))
	}
}
