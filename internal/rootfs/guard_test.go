package rootfs

import (
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"tare/internal/step"
	"tare/internal/sys"
)

// onThread calls f on a thread that shares neither mounts nor root with the others, and ends with f.
func onThread(t *testing.T, f func() error) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("needs root for a mount namespace")
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, "")
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// The race that verify is there for, with its outcome made by hand: the mount is elsewhere than the
// path says.
func TestVerifyFindsAMovedTarget(t *testing.T) {
	t.Parallel()
	_, dir, _ := image(t)
	onThread(t, func() error {
		fd, err := sys.OpenAt(sys.AT_FDCWD, dir, sys.O_PATH, 0) // of this thread's mounts
		if err != nil {
			return err
		}
		defer fd.Close()
		r := &Root{fd: fd}
		m, err := newDetached("tmpfs", "tmpfs", 0, nil)
		if err != nil {
			return err
		}
		defer m.Close()
		at, err := find(r.fd.Int(), "/a/b", lookup{})
		if err != nil {
			return err
		}
		defer at.Close()
		if err := sys.MoveMount(m.Int(), at.Int()); err != nil {
			return err
		}
		if err := r.verify(&step.Mount{Target: "/abs"}, m.Int()); err != nil {
			t.Errorf("in place, through a link: %v", err)
		}
		if err := r.verify(&step.Mount{Target: "/tmp"}, m.Int()); err == nil || !strings.Contains(err.Error(), "was replaced") {
			t.Errorf("elsewhere: %v", err)
		}
		// A target that is swapped in the real order of things: resolved, renamed, mounted.
		old, err := find(r.fd.Int(), "/tmp", lookup{})
		if err != nil {
			return err
		}
		defer old.Close()
		if err := os.Rename(dir+"/tmp", dir+"/moved"); err != nil {
			return err
		}
		if err := os.Mkdir(dir+"/tmp", 0o755); err != nil {
			return err
		}
		n, err := newDetached("tmpfs", "tmpfs", 0, nil)
		if err != nil {
			return err
		}
		defer n.Close()
		if err := r.settle(&step.Mount{Target: "/tmp"}, tree{fd: n}, old, -1); err == nil || !strings.Contains(err.Error(), "was replaced") {
			t.Errorf("renamed: %v", err)
		}
		return nil
	})
}

// CVE-2024-21626, the last line: a directory that is not below our root has no name.
func TestChdirProvesTheResult(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	onThread(t, func() error {
		host, err := Here()
		if err != nil {
			return err
		}
		defer host.Close()
		if err := sys.Chroot(dir); err != nil {
			return err
		}
		err = host.Chdir("/etc", false)
		if sys.ErrnoOf(err) != syscall.EPERM || !strings.Contains(err.Error(), "outside the container's root") {
			t.Errorf("got %v", err)
		}
		inside, err := Here()
		if err != nil {
			return err
		}
		defer inside.Close()
		return inside.Chdir("/new", true)
	})
}

// Where no private procfs can be made, /proc is taken after a check, and no mount on it is entered.
func TestProcFallback(t *testing.T) {
	t.Parallel()
	trap := t.TempDir()
	os.WriteFile(trap+"/ostype", []byte("trap"), 0o644)
	onThread(t, func() error {
		fd, err := sys.OpenAt(sys.AT_FDCWD, "/proc", sys.O_PATH|syscall.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		p := &Proc{fd}
		defer p.Close()
		f, err := p.Open("sys/kernel/ostype", syscall.O_RDONLY)
		if err != nil {
			return err
		}
		if b, err := sys.ReadUpTo(f.Int(), 10); err != nil || string(b) != "Linux\n" {
			t.Errorf("got %q, %v", b, err)
		}
		f.Close()
		if err := unix.Mount(trap, "/proc/sys/kernel", "", unix.MS_BIND, ""); err != nil {
			return err
		}
		for path, want := range map[string]syscall.Errno{"sys/kernel/ostype": syscall.EXDEV, "../etc/passwd": syscall.EXDEV,
			"self/root/etc/passwd": syscall.ELOOP, "self/exe": syscall.ELOOP, "no/such": syscall.ENOENT} {
			if f, err := p.Open(path, syscall.O_RDONLY); sys.ErrnoOf(err) != want {
				t.Errorf("%s: got %v, want %v", path, err, want)
				f.Close()
			}
		}
		if err := unix.Mount(trap, "/proc", "", unix.MS_BIND, ""); err != nil {
			return err
		}
		fake, err := sys.OpenAt(sys.AT_FDCWD, "/proc", sys.O_PATH, 0)
		if err != nil {
			return err
		}
		defer fake.Close()
		if err := checkProc(fake.Int()); sys.ErrnoOf(err) != syscall.EPERM {
			t.Errorf("a directory is taken for a procfs: %v", err)
		}
		return nil
	})
}
