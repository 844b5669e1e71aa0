package sys_test

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"tare/internal/sys"
)

func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		err  sys.Error
		want string
	}{
		{sys.Error{Op: "open", Object: "/x", Errno: syscall.ENOENT}, `open "/x": no such file or directory`},
		{sys.Error{Op: "setsid", Errno: syscall.EPERM}, `setsid: operation not permitted`},
		{sys.Error{Op: "mount", Object: "/x", Errno: syscall.EPERM, Note: "why"}, `mount "/x": operation not permitted (why)`},
		{sys.Error{Op: "mount", Object: "/x", Note: "why"}, `mount "/x": why`},
		{sys.Error{Errno: syscall.ENOENT, Note: "exec /x: gone"}, `exec /x: gone`},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestErrnoIsReachable(t *testing.T) {
	_, err := sys.OpenAt(sys.AT_FDCWD, "/no/such/thing", syscall.O_RDONLY, 0)
	if !errors.Is(err, syscall.ENOENT) || !errors.Is(err, os.ErrNotExist) || sys.ErrnoOf(err) != syscall.ENOENT {
		t.Errorf("got %v", err)
	}
	if want := `open "/no/such/thing": no such file or directory`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if (&sys.Error{Op: "x"}).Unwrap() != nil || sys.ErrnoOf(nil) != 0 || sys.ErrnoOf(errors.New("x")) != 0 {
		t.Error("an errno out of nothing")
	}
}

// A string is never cut at a NUL: that would name something else.
func TestNULIsRefused(t *testing.T) {
	dir := t.TempDir()
	bad := dir + "\x00/../etc"
	_, err1 := sys.OpenAt(sys.AT_FDCWD, bad, sys.O_PATH, 0)
	_, err2 := sys.OpenAt2(sys.AT_FDCWD, bad, sys.OpenHow{Flags: sys.O_PATH})
	_, err3 := sys.OpenTree(sys.AT_FDCWD, bad, 0)
	_, err4 := sys.NewImage("/bin/true", []string{"a\x00b"}, nil)
	_, err5 := sys.NewImage("/bin/true", nil, []string{"A=\x00"})
	_, err6 := sys.NewImage("/bin/\x00true", nil, nil)
	for i, err := range []error{err1, err2, err3, err4, err5, err6, sys.Mount("", bad, "", 0, ""),
		sys.MkdirAt(sys.AT_FDCWD, bad+"/x", 0o755), sys.SymlinkAt(bad, sys.AT_FDCWD, dir+"/l")} {
		if sys.ErrnoOf(err) != syscall.EINVAL {
			t.Errorf("%d: got %v, want EINVAL", i, err)
		}
	}
}

func TestFDIsClosedOnce(t *testing.T) {
	f, err := sys.OpenAt(sys.AT_FDCWD, "/", sys.O_PATH, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := f.Int()
	if flags, err := unix.FcntlInt(uintptr(n), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
		t.Errorf("flags %#x, %v: want close-on-exec", flags, err)
	}
	up, err := f.Dup(100)
	if err != nil || up.Int() < 100 {
		t.Fatalf("dup: %d, %v", up.Int(), err)
	}
	defer up.Close()
	f.Close()
	if f.Valid() || f.Int() != -1 {
		t.Error("still valid after Close")
	}
	again, err := sys.OpenAt(sys.AT_FDCWD, "/", sys.O_PATH, 0) // most likely the same number
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	var st syscall.Stat_t
	if err := sys.Fstat(again.Int(), &st); err != nil {
		t.Errorf("a second Close closed somebody else's descriptor: %v", err)
	}
	if d := again.Disown(); d < 0 || again.Valid() {
		t.Error("Disown did not give it away")
	} else {
		syscall.Close(d)
	}
	var none *sys.FD
	none.Close()
	if none.Int() != -1 || none.Valid() {
		t.Error("nil owns something")
	}
	if sys.Own(-1).Valid() {
		t.Error("Own(-1) owns something")
	}
}

func TestDescriptorsTravel(t *testing.T) {
	a, b, err := sys.Socketpair(syscall.SOCK_STREAM)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	defer b.Close()
	r, w, err := sys.Pipe(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := sys.SendAll(a.Int(), []byte("hello"), []int{w.Int()}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	buf := make([]byte, 16)
	n, fds, err := sys.RecvFDs(b.Int(), buf, 4)
	if err != nil || string(buf[:n]) != "hello" || len(fds) != 1 {
		t.Fatalf("got %q, %d descriptors, %v", buf[:n], len(fds), err)
	}
	if err := sys.WriteAll(fds[0].Int(), []byte("through")); err != nil {
		t.Fatal(err)
	}
	fds[0].Close()
	if got, err := sys.ReadUpTo(r.Int(), 100); err != nil || string(got) != "through" {
		t.Errorf("got %q, %v", got, err)
	}
	// More than there is room for is an error, not a loss in silence.
	if err := sys.SendAll(a.Int(), []byte("x"), []int{r.Int(), r.Int(), r.Int(), r.Int(), r.Int(), r.Int()}); err != nil {
		t.Fatal(err)
	}
	if _, fds, err := sys.RecvFDs(b.Int(), buf, 1); err == nil {
		t.Errorf("%d descriptors came and the rest was lost in silence", len(fds))
	}
	a.Close()
	if n, _, err := sys.RecvFDs(b.Int(), buf, 1); n != 0 || err != nil {
		t.Errorf("end of stream: %d, %v", n, err)
	}
	if err := sys.SendAll(b.Int(), []byte("x"), nil); sys.ErrnoOf(err) != syscall.EPIPE {
		t.Errorf("got %v, want EPIPE without a signal", err)
	}
}

func TestReadlinkTakesAnyLength(t *testing.T) {
	dir := t.TempDir()
	for _, size := range []int{1, 255, 256, 257, 1023, 1024, 4000} {
		want := strings.Repeat("x", size)
		if err := sys.SymlinkAt(want, sys.AT_FDCWD, dir+"/l"); err != nil {
			t.Fatal(err)
		}
		if got, err := sys.ReadlinkAt(sys.AT_FDCWD, dir+"/l"); err != nil || got != want {
			t.Errorf("%d: got %d bytes, %v", size, len(got), err)
		}
		if err := sys.UnlinkAt(sys.AT_FDCWD, dir+"/l", 0); err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadNames(t *testing.T) {
	dir := t.TempDir()
	want := map[string]bool{}
	for i := range 600 { // more than one getdents64
		name := strings.Repeat("n", 20) + string(rune('a'+i%26)) + string(rune('a'+i/26))
		want[name] = true
		if err := os.WriteFile(dir+"/"+name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	fd, err := sys.OpenAt(sys.AT_FDCWD, dir, syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	names, err := sys.ReadNames(fd.Int())
	if err != nil || len(names) != len(want) {
		t.Fatalf("got %d names, %v; want %d", len(names), err, len(want))
	}
	for _, n := range names {
		if !want[n] {
			t.Errorf("%q", n)
		}
	}
}

func TestStatxAgreesWithStat(t *testing.T) {
	var st syscall.Stat_t
	if err := sys.StatAt(sys.AT_FDCWD, "/dev/null", &st, 0); err != nil {
		t.Fatal(err)
	}
	var sx sys.Statx
	if err := sys.StatX(sys.AT_FDCWD, "/dev/null", 0, sys.STATX_TYPE|sys.STATX_MNT_ID, &sx); err != nil {
		t.Fatal(err)
	}
	if sx.Ino != st.Ino || uint32(sx.Mode)&syscall.S_IFMT != uint32(st.Mode)&syscall.S_IFMT || sx.Rdev != [2]uint32{1, 3} || sx.MntID == 0 {
		t.Errorf("got %+v", sx)
	}
}

func TestPollTimesOutAndSeesData(t *testing.T) {
	r, w, err := sys.Pipe(0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fds := []sys.PollFD{{FD: int32(r.Int()), Events: sys.POLLIN}, {FD: -1, Events: sys.POLLIN}}
	if n, err := sys.Poll(fds, 1); n != 0 || err != nil {
		t.Errorf("empty pipe: %d, %v", n, err)
	}
	w.Close()
	if n, err := sys.Poll(fds, -1); n != 1 || err != nil || fds[0].Revents&sys.POLLHUP == 0 {
		t.Errorf("closed pipe: %d, %v, %+v", n, err, fds)
	}
}

// Capabilities are the thread's: the test gives the thread up after.
func TestCapset(t *testing.T) {
	done := make(chan bool)
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread dies with its sets
		before, err := sys.Capget()
		if err != nil {
			t.Error(err)
			return
		}
		want := sys.CapSets{Permitted: before.Permitted & (1<<40 | 1<<5), Effective: before.Permitted & (1 << 5)}
		if err := sys.Capset(want); err != nil {
			t.Error(err)
		}
		if got, err := sys.Capget(); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}()
	<-done
	if now, err := sys.Capget(); err != nil || os.Getuid() == 0 && now.Effective == 0 {
		t.Errorf("other threads lost theirs: %+v, %v", now, err)
	}
}

func TestSeccompRefusesOddFilters(t *testing.T) {
	for _, n := range []int{0, 7, 9, 8 * 0x10000} {
		if _, err := sys.SetSeccomp(make([]byte, n), 0); sys.ErrnoOf(err) != syscall.EINVAL {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}
