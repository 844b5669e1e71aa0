package rootfs

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"tare/internal/sys"
)

// image makes a directory with hostile links, and beside it a tree that nothing may reach.
func image(t *testing.T) (root *sys.FD, dir, outside string) {
	t.Helper()
	top := t.TempDir()
	dir, outside = filepath.Join(top, "rootfs"), filepath.Join(top, "outside")
	for _, d := range []string{"a/b/c", "tmp", "etc"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(outside, "secret"), 0o755); err != nil {
		t.Fatal(err)
	}
	os.WriteFile(filepath.Join(dir, "etc/file"), []byte("inside"), 0o644)
	os.WriteFile(filepath.Join(outside, "file"), []byte("outside"), 0o644)
	for name, to := range map[string]string{
		"abs": "/a/b", "rel": "a/b", "up": "../../../../outside", "absup": "/../../../outside", "a/back": "../tmp",
		"loop1": "loop2", "loop2": "loop1", "self": "self", "dangling": "/new/dir", "dangrel": "a/new", "chain": "abs/c",
		"host": outside, "dots": "./a/./b/../b", "root": "/", "file": "etc/file", "slash": "a/b/",
	} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := sys.OpenAt(sys.AT_FDCWD, dir, sys.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fd.Close)
	return fd, dir, outside
}

func where(t *testing.T, fd *sys.FD) string {
	t.Helper()
	p, err := os.Readlink(fdPath(fd))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The walker in user space must agree with the kernel's openat2, path for path.
func TestWalkerAgreesWithOpenat2(t *testing.T) {
	t.Parallel()
	root, dir, _ := image(t)
	for _, path := range []string{
		"/", "", ".", "..", "/..", "/a", "a/b", "/a//b/", "/a/./b/../b", "/../../a", "abs", "abs/c", "rel/c", "up", "up/secret",
		"absup", "absup/file", "a/back", "a/back/../a", "loop1", "loop1/x", "self", "dangling", "dangling/x", "dangrel", "chain", "chain/..",
		"chain/../..", "host", "host/secret", "dots", "root", "root/root/root/a", "file", "file/x", "etc/file", "etc/file/", "etc/file/..",
		"nothing", "nothing/..", "a/nothing/x", "slash", "slash/c", "etc/file/.",
	} {
		for _, l := range []lookup{{}, {noFollow: true}, {noLinks: true}, {dir: true}, {noLinks: true, dir: true}} {
			want, wantErr := openIn(root.Int(), path, l.flags(), l.noLinks)
			w := walker{lookup: l}
			got, err := w.walk(root.Int(), path)
			if strings.HasPrefix(path, "etc/file/") && wantErr != nil {
				// The kernel takes a slash, a dot or dots behind a file for a directory; the walker drops them,
				// as it may: the result is inside.
				got.Close()
				continue
			}
			if sys.ErrnoOf(err) != sys.ErrnoOf(wantErr) {
				t.Errorf("%q %+v: walker says %v, openat2 %v", path, l, err, wantErr)
			} else if err == nil && where(t, got) != where(t, want) {
				t.Errorf("%q %+v: walker comes to %s, openat2 to %s", path, l, where(t, got), where(t, want))
			}
			if err == nil && !strings.HasPrefix(where(t, got), dir) {
				t.Errorf("%q leads out: %s", path, where(t, got))
			}
			if len(w.stack) != 0 && err != nil {
				t.Errorf("%q: %d descriptors are left", path, len(w.stack))
			}
			got.Close()
			want.Close()
		}
	}
}

func TestReachCreatesInside(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path string
		file bool
		want string // relative to the rootfs
	}{
		{"/x/y/z", false, "x/y/z"}, {"x/y/f", true, "x/y/f"}, {"dangling", false, "new/dir"}, {"dangling/sub", false, "new/dir/sub"},
		{"dangrel", true, "a/new"}, {"up", false, "outside"}, {"up/f", true, "outside/f"}, {"absup/deep/er", false, "outside/deep/er"},
		{"abs/q", false, "a/b/q"}, {"a/back/../x", false, "x"}, {"a/b", false, "a/b"}, {"file", true, "etc/file"},
		{"../../../../x", false, "x"}, {"nothing/../y", false, "y"},
	} {
		t.Run(strings.ReplaceAll(c.path, "/", "_"), func(t *testing.T) {
			t.Parallel()
			root, dir, outside := image(t)
			fd, err := reach(root.Int(), c.path, lookup{}, c.file)
			if err != nil {
				t.Fatal(err)
			}
			defer fd.Close()
			if got := where(t, fd); got != filepath.Join(dir, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
			var st syscall.Stat_t
			if err := sys.Fstat(fd.Int(), &st); err != nil || (st.Mode&syscall.S_IFMT == syscall.S_IFDIR) == c.file {
				t.Errorf("mode %o, %v", st.Mode, err)
			}
			untouched(t, outside)
		})
	}
}

func untouched(t *testing.T, outside string) {
	t.Helper()
	var names []string
	filepath.Walk(outside, func(p string, _ os.FileInfo, _ error) error {
		names = append(names, strings.TrimPrefix(p, outside))
		return nil
	})
	if got := strings.Join(names, " "); got != " /file /secret" {
		t.Errorf("the tree outside has changed: %s", got)
	}
}

func TestReachRefuses(t *testing.T) {
	t.Parallel()
	root, _, outside := image(t)
	for _, c := range []struct {
		path string
		l    lookup
		want syscall.Errno
	}{
		{"loop1/x", lookup{}, syscall.ELOOP}, {"self", lookup{}, syscall.ELOOP}, {"etc/file/x/y", lookup{}, syscall.ENOTDIR},
		{"abs/new", lookup{noLinks: true, dir: true}, syscall.ELOOP}, {"up/new", lookup{noLinks: true, dir: true}, syscall.ELOOP},
		{"file", lookup{dir: true}, syscall.ENOTDIR}, {"a/\x00b", lookup{}, syscall.EINVAL},
	} {
		fd, err := reach(root.Int(), c.path, c.l, false)
		if sys.ErrnoOf(err) != c.want {
			t.Errorf("%q: got %v, want %v", c.path, err, c.want)
		}
		fd.Close()
	}
	untouched(t, outside)
}

// CVE-2024-45310 and CVE-2021-30465: while directories are made, somebody swaps one of them for a link
// to the host's tree and back. Nothing may ever be made outside.
func TestRaceWithLinkSwap(t *testing.T) {
	t.Parallel()
	root, dir, outside := image(t)
	evil, good := filepath.Join(dir, "evil"), filepath.Join(dir, "vol")
	if err := os.Symlink(outside, evil); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(good, 0o755); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			unix.Renameat2(unix.AT_FDCWD, evil, unix.AT_FDCWD, good, unix.RENAME_EXCHANGE)
		}
	}()
	for i := range 1500 {
		p := "vol/" + string(rune('a'+i%26)) + "/" + string(rune('a'+i/26%26)) + string(rune('a'+i%7))
		var fd *sys.FD
		var err error
		if i%2 == 0 {
			w := walker{create: true, lookup: lookup{}, file: i%3 == 0}
			fd, err = w.walk(root.Int(), p)
		} else {
			fd, err = reach(root.Int(), p, lookup{}, i%3 == 0)
		}
		if err == nil {
			if got := where(t, fd); !strings.HasPrefix(got, dir+"/") {
				t.Errorf("came to %s", got)
			}
		}
		fd.Close()
	}
	stop.Store(true)
	<-done
	untouched(t, outside)
}

func TestParent(t *testing.T) {
	t.Parallel()
	fd, dir, _ := image(t)
	r := &Root{fd: fd}
	for path, want := range map[string]string{"/a/b/x": "a/b|x", "x": "|x", "/x/": "|x", "up/x//": "outside|x", "/dev/null": "dev|null"} {
		d, base, err := r.parent(path)
		if err != nil {
			t.Errorf("%q: %v", path, err)
			continue
		}
		if got := strings.TrimPrefix(strings.TrimPrefix(where(t, d), dir), "/") + "|" + base; got != want {
			t.Errorf("%q: got %s, want %s", path, got, want)
		}
		d.Close()
	}
	for _, path := range []string{"", "/", "//", "..", "a/..", "."} {
		if d, base, err := r.parent(path); sys.ErrnoOf(err) != syscall.EINVAL {
			t.Errorf("%q: got %q, %v", path, base, err)
			d.Close()
		}
	}
}

func TestSymlinkStep(t *testing.T) {
	t.Parallel()
	fd, dir, outside := image(t)
	r := &Root{fd: fd}
	link := func(path, target string, replace bool) error {
		return r.Symlink(symlinkStep(path, target, replace))
	}
	for _, c := range []struct {
		path    string
		replace bool
		want    string // text of the link after, "" when the call fails
		at      string
	}{
		{"/dev/fd", false, "/proc/self/fd", "dev/fd"},
		{"/dev/fd", true, "/proc/self/fd", "dev/fd"}, // the same again
		{"/abs", false, "/a/b", "abs"},               // kept
		{"/abs", true, "/proc/self/fd", "abs"},
		{"/etc/file", true, "/proc/self/fd", "etc/file"},
		{"/up/l", true, "/proc/self/fd", "outside/l"}, // CVE-2026-41579: inside, whatever the link says
		{"/a", true, "", "a"},                         // a directory does not give way
	} {
		err := link(c.path, "/proc/self/fd", c.replace)
		if (err == nil) != (c.want != "") {
			t.Errorf("%s: %v", c.path, err)
		}
		if got, _ := os.Readlink(filepath.Join(dir, c.at)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.path, got, c.want)
		}
	}
	untouched(t, outside)
}

func TestReadFileStaysInside(t *testing.T) {
	t.Parallel()
	fd, dir, _ := image(t)
	r := &Root{fd: fd}
	os.Symlink("/../../outside/file", filepath.Join(dir, "etc/out"))
	syscall.Mkfifo(filepath.Join(dir, "etc/fifo"), 0o644)
	for _, read := range []func(string) ([]byte, error){
		func(p string) ([]byte, error) { return r.ReadFile(p, 4) },
		func(p string) ([]byte, error) {
			f, err := r.openSlowly(p)
			if err != nil {
				return nil, err
			}
			defer f.Close()
			return sys.ReadUpTo(f.Int(), 4)
		},
	} {
		if b, err := read("/file"); err != nil || string(b) != "insi" {
			t.Errorf("got %q, %v; want the first 4 bytes", b, err)
		}
		for _, p := range []string{"/etc/out", "/etc/fifo", "/etc", "/nothing"} {
			if b, err := read(p); err == nil {
				t.Errorf("%s: read %q", p, b)
			}
		}
	}
}
