package integration

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const ephemeralKey = "tare.root.ephemeral"

// changes is what a process may do to an image; seen is what it then finds.
const (
	changes = "set -e; echo new > /etc/passwd; mv /etc/group /etc/moved; touch /made; mkdir -p /x/y; " +
		"rm -r /data; mkdir /data; touch /data/own; rm -r /x; "
	seen = "cat /etc/passwd; ls /etc/moved /made /data; test ! -e /etc/group; test ! -e /x"
	want = "new\n/etc/moved\n/made\n\n/data:\nown\n"
)

// The case's end compares the rootfs with what it was.
func ephemeral(t *testing.T, edits ...func(*specs.Spec)) *bundle {
	t.Helper()
	onlyTare(t, "others know no such annotation")
	b := newBundle(t, append([]func(*specs.Spec){annotate(ephemeralKey, "true")}, edits...)...)
	writeFile(t, b.inRoot("data/image"), "")
	b.before = treeOf(b.rootfs)
	return b
}

func TestEphemeralRootTakesChangesAndForgetsThem(t *testing.T) {
	b := ephemeral(t)
	b.hold()
	b.exec("/bin/sh", "-c", changes).ok(t)
	if out := b.exec("/bin/sh", "-c", "set -e; "+seen).ok(t).out; out != want {
		t.Errorf("%q", out)
	}
	b.tare("delete", "-f", b.id).ok(t)
	b.edit(sh("test ! -e /made && test -e /etc/group && ls /data"))
	if out := b.run().ok(t).out; out != "image\n" {
		t.Errorf("%q", out)
	}
}

func TestEphemeralRootInEveryShape(t *testing.T) {
	for name, row := range map[string]struct {
		flags []string
		edit  func(*specs.Spec)
	}{
		"plain":              {},
		"without pivot_root": {flags: []string{"--no-pivot"}},
		"shared":             {edit: func(s *specs.Spec) { s.Linux.RootfsPropagation = "rshared" }},
	} {
		t.Run(name, func(t *testing.T) {
			b := ephemeral(t, sh(changes+seen))
			if row.edit != nil {
				b.edit(row.edit)
			}
			b.write()
			if out := b.tare(b.line("run", row.flags)...).ok(t).out; out != want {
				t.Errorf("%q", out)
			}
		})
	}
}

func TestEphemeralRootInAUserNamespace(t *testing.T) {
	b := ephemeral(t, userNS, sh(changes+seen))
	check(t, filepath.WalkDir(b.rootfs, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Dir(path) == b.inRoot("bin") || d.Name() == "testprog" { // shared by hard links
			return err
		}
		return os.Lchown(path, 100000, 100000)
	}))
	b.before = treeOf(b.rootfs)
	wantChanges(t, b.run())
}

// wantChanges is for a user namespace, in which a tmpfs of an old kernel cannot be the upper layer: that is said.
func wantChanges(t *testing.T, r result) {
	t.Helper()
	if !tmpfsKeepsUserXattrs(t) {
		r.fails(t, `annotations["tare.root.ephemeral"]`, "before Linux 6.6")
	} else if out := r.ok(t).out; out != want {
		t.Errorf("%q", out)
	}
}

func tmpfsKeepsUserXattrs(t *testing.T) bool {
	t.Helper()
	var fs unix.Statfs_t
	if unix.Statfs("/dev/shm", &fs) != nil || fs.Type != unix.TMPFS_MAGIC {
		skip(t, "no tmpfs to ask for user attributes")
	}
	dir, err := os.MkdirTemp("/dev/shm", "tare-it-")
	check(t, err)
	defer os.Remove(dir)
	return unix.Setxattr(dir, "user.tare", []byte("1"), 0) == nil
}

func TestEphemeralRootCanBeReadonly(t *testing.T) {
	b := ephemeral(t, func(s *specs.Spec) { s.Root.Readonly = true })
	if r := b.try("create:/made", "create:/dev/shm/ok"); r["create:/made"] != "EROFS" || r["create:/dev/shm/ok"] != "" {
		t.Errorf("%v", r)
	}
}

func TestEphemeralRootKeepsWhatTheRootsMountRefuses(t *testing.T) {
	b := ephemeral(t)
	dir := b.rootfs
	check(t, syscall.Mount(dir, dir, "", syscall.MS_BIND, ""))
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	check(t, syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_NOSUID|syscall.MS_NODEV, ""))
	m := findMount(b.facts().Mounts, "/")
	if m.FSType != "overlay" || !hasOption(m.Options, "nosuid") || !hasOption(m.Options, "nodev") {
		t.Errorf("%+v", m)
	}
}

func TestEphemeralRootHasTheRootsOwnerAndMode(t *testing.T) {
	b := ephemeral(t)
	check(t, syscall.Chown(b.rootfs, 5, 6))
	check(t, syscall.Chmod(b.rootfs, 0o1751))
	b.before = treeOf(b.rootfs)
	if st := b.stat("/")["/"]; st.UID != 5 || st.GID != 6 || st.Mode != 0o1751 {
		t.Errorf("%+v", st)
	}
}

func TestEphemeralRootOfAnotherValueIsRefused(t *testing.T) {
	b := ephemeral(t, annotate(ephemeralKey, "yes"))
	b.run().fails(t, `annotations["tare.root.ephemeral"]`, "must be true or false")
	b.wantGone()
}

func TestRootlessEphemeralRoot(t *testing.T) {
	onlyTare(t, "others know no such annotation")
	b := newRootless(t, annotate(ephemeralKey, "true"), sh(changes+seen))
	wantChanges(t, b.rootlessRun())
	if exists(b.inRoot("made")) || exists(b.inRoot("data/own")) {
		t.Error("the image has changed")
	}
}
