package integration

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestRootPathMayBeAbsolute(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.edit(func(s *specs.Spec) { s.Root.Path = b.rootfs })
	b.run().ok(t)
}

func TestRootPathIsRelativeToTheBundle(t *testing.T) {
	b := newBundle(t, args("/bin/cat", "/etc/mark"))
	other := filepath.Join(b.path, "a/b")
	makeRootfs(t, other)
	writeFile(t, filepath.Join(other, "etc/mark"), "other")
	b.edit(func(s *specs.Spec) { s.Root.Path = "./a/../a/b" })
	if out := b.run().ok(t).out; out != "other" {
		t.Errorf("%q", out)
	}
}

func TestRootThatIsMissingFails(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Root.Path = "none" })
	b.run().fails(t, "none")
	b.wantGone()
}

func TestRootThatIsAFileFails(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Root.Path = "config.json" })
	b.run().fails(t)
	b.wantGone()
}

func TestRootThatIsASymlinkFails(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Root.Path = "link" })
	check(t, os.Symlink("rootfs", filepath.Join(b.path, "link")))
	b.run().fails(t)
	b.wantGone()
}

func TestMissingRootEntryFails(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Root = nil })
	b.run().fails(t, "oot")
	b.wantGone()
}

func TestRootIsWritableByDefault(t *testing.T) {
	b := newBundle(t)
	b.mayLeave("made")
	if r := b.try("create:/made"); r["create:/made"] != "" {
		t.Errorf("%v", r)
	}
	if !exists(b.inRoot("made")) {
		t.Error("the host does not see the file")
	}
}

func TestReadonlyRootRefusesWrites(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Root.Readonly = true })
	r := b.try("create:/made", "mkdir:/x", "chown:/etc/passwd:1:1", "create:/dev/shm/ok", "create:/dev/ok")
	for _, op := range []string{"create:/made", "mkdir:/x", "chown:/etc/passwd:1:1"} {
		if r[op] != "EROFS" {
			t.Errorf("%s: %q", op, r[op])
		}
	}
	if r["create:/dev/shm/ok"] != "" || r["create:/dev/ok"] != "" {
		t.Errorf("mounts are read-only too: %v", r)
	}
}

func TestReadonlyRootKeepsTheHostTreeWritable(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Root.Readonly = true })
	b.hold()
	writeFile(t, b.inRoot("etc/host-made"), "x")
	b.mayLeave("etc/host-made")
	b.exec("/bin/cat", "/etc/host-made").ok(t)
}

func TestReadonlyRootStillGetsMissingMountPoints(t *testing.T) {
	b := newBundle(t, args("/bin/true"), func(s *specs.Spec) { s.Root.Readonly = true }, addMount(mnt("/new/point", "tmpfs", "x")))
	b.mayLeave("new")
	b.run().ok(t)
}

func TestReadonlyRootKeepsLockedFlagsOfItsMount(t *testing.T) {
	b := newBundle(t, userNS, func(s *specs.Spec) { s.Root.Readonly = true })
	dir := b.tmpfs("flagged")
	makeRootfsByCopy(t, dir)
	check(t, syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_NOSUID|syscall.MS_NODEV, ""))
	b.edit(func(s *specs.Spec) { s.Root.Path = dir })
	m := findMount(b.facts().Mounts, "/")
	for _, want := range []string{"ro", "nosuid", "nodev"} {
		if !hasOption(m.Options, want) {
			t.Errorf("/ lacks %s: %v", want, m.Options)
		}
	}
}

// makeRootfsByCopy is makeRootfs on another filesystem than that of the masters.
func makeRootfsByCopy(t *testing.T, dir string) {
	t.Helper()
	mkdirs(t, dir+"/bin", dir+"/proc", dir+"/dev", dir+"/sys", dir+"/etc")
	for name, to := range map[string]string{"testprog": "/testprog", "busybox": "/bin/busybox"} {
		data, err := os.ReadFile(filepath.Join(suite.base, name))
		check(t, err)
		check(t, os.WriteFile(dir+to, data, 0o755))
	}
	check(t, os.Symlink("busybox", dir+"/bin/sh"))
}

func TestRootMayBeAMountPointItself(t *testing.T) {
	b := newBundle(t)
	dir := b.tmpfs("fs")
	makeRootfsByCopy(t, dir)
	b.edit(func(s *specs.Spec) { s.Root.Path = dir })
	if m := findMount(b.facts().Mounts, "/"); m.FSType != "tmpfs" {
		t.Errorf("%+v", m)
	}
}

func TestRootBelowASharedMountLeaksNothing(t *testing.T) {
	b := newBundle(t)
	dir := b.sharedMount("fs")
	makeRootfsByCopy(t, dir)
	b.edit(func(s *specs.Spec) { s.Root.Path = dir })
	before := len(mountLinesBelow(b.dir))
	b.facts()
	if after := mountLinesBelow(b.dir); len(after) != before {
		t.Errorf("host mounts: %v", after)
	}
}

func TestOldRootIsGone(t *testing.T) {
	b := newBundle(t)
	for _, m := range b.facts().Mounts {
		switch m.Target {
		case "/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue", "/sys":
		default:
			t.Errorf("unexpected mount on %s", m.Target)
		}
	}
}

func TestNoPivotRunsWithoutPivotRoot(t *testing.T) {
	b := newBundle(t, prog("stat", "/etc/passwd", "/testprog"), func(s *specs.Spec) { s.Linux.RootfsPropagation = "rslave" })
	b.run("--no-pivot").ok(t)
}

func TestCwdIsSet(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Process.Cwd = "/etc" })
	if got := b.facts().Cwd; got != "/etc" {
		t.Errorf("%q", got)
	}
}

func TestMissingCwdIsMade(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Process.Cwd = "/new/deep" })
	b.mayLeave("new")
	if got := b.facts().Cwd; got != "/new/deep" {
		t.Errorf("%q", got)
	}
	info, err := os.Stat(b.inRoot("new/deep"))
	check(t, err)
	if info.Mode().Perm() != 0o755 {
		t.Errorf("made with mode %v", info.Mode())
	}
}

func TestCwdOnAMountIsOnThatMount(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Process.Cwd = "/mnt/sub" }, addMount(mnt("/mnt", "tmpfs", "t")))
	if got := b.facts().Cwd; got != "/mnt/sub" {
		t.Errorf("%q", got)
	}
}

func TestCwdReadableOnlyByTheUserIsEntered(t *testing.T) {
	b := newBundle(t, user(1000, 1000), func(s *specs.Spec) {
		s.Process.Cwd = "/private"
		s.Process.Capabilities = nil
	})
	check(t, os.Mkdir(b.inRoot("private"), 0o700))
	check(t, os.Chown(b.inRoot("private"), 1000, 1000))
	if got := b.facts().Cwd; got != "/private" {
		t.Errorf("%q", got)
	}
}

func TestRelativeCwdFails(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Process.Cwd = "etc" })
	b.run().fails(t, "Cwd must be an absolute path")
	b.wantGone()
}

func TestCwdThatIsAFileFails(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Process.Cwd = "/etc/passwd" })
	b.run().fails(t, "not a directory")
	b.wantGone()
}

func TestRootfsPropagationUnbindableIsApplied(t *testing.T) {
	not(t, "runc", "1.1 fails with EINVAL")
	b := newBundle(t, func(s *specs.Spec) { s.Linux.RootfsPropagation = "unbindable" })
	if m := findMount(b.facts().Mounts, "/"); len(m.Optional) == 0 || m.Optional[0] != "unbindable" {
		t.Errorf("%+v", m)
	}
}

func TestRootfsPropagationRunbindableComesAfterAllBinds(t *testing.T) {
	onlyTare(t, "others bind from what cannot be bound any more")
	b := newBundle(t, readonly("/etc"), masked("/etc/passwd"), func(s *specs.Spec) { s.Linux.RootfsPropagation = "runbindable" })
	for _, m := range b.facts().Mounts {
		if len(m.Optional) == 0 || m.Optional[0] != "unbindable" {
			t.Errorf("%+v", m)
		}
	}
}

func TestRootfsPropagationSharedIsApplied(t *testing.T) {
	not(t, "runc", "1.1 leaves it private")
	b := newBundle(t, func(s *specs.Spec) { s.Linux.RootfsPropagation = "shared" })
	if m := findMount(b.facts().Mounts, "/"); len(m.Optional) == 0 || m.Optional[0][:7] != "shared:" {
		t.Errorf("%+v", m)
	}
}

func TestRootfsPropagationUnknownFails(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Linux.RootfsPropagation = "sideways" })
	b.run().fails(t, "sideways")
	b.wantGone()
}
