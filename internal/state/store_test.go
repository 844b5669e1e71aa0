package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestCheckID(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"a", "A-b_c+d.e", "...", ".x", "-", "0", strings.Repeat("x", 255)} {
		if err := CheckID(id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
	}
	for _, id := range []string{"", ".", "..", "a/b", "/", "a b", "a\x00", "é", "a\n", "a:b", strings.Repeat("x", 256)} {
		if err := CheckID(id); !errors.Is(err, ErrID) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestDefaultRoot(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/x")
	t.Setenv("USER", "root")
	root, xdg := DefaultRoot()
	if os.Geteuid() == 0 && (root != "/run/tare" || xdg) {
		t.Errorf("root: %q, %v", root, xdg)
	}
	if os.Geteuid() != 0 && (root != "/x/tare" || !xdg) {
		t.Errorf("user: %q, %v", root, xdg)
	}
	t.Setenv("USER", "")
	if want, wantXDG := "/x/tare", true; os.Geteuid() != 0 || inUserNamespace() {
		if root, xdg := DefaultRoot(); root != want || xdg != wantXDG {
			t.Errorf("USER unset: %q, %v", root, xdg)
		}
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	if root, xdg := DefaultRoot(); root != "/run/tare" || xdg {
		t.Errorf("no XDG_RUNTIME_DIR: %q, %v", root, xdg)
	}
}

func reserve(t *testing.T, s Store, id string) *Dir {
	t.Helper()
	d, err := s.Reserve(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestModes(t *testing.T) {
	old := syscall.Umask(0o077) // not parallel: the umask is the process's
	defer syscall.Umask(old)
	s := Store{Root: filepath.Join(t.TempDir(), "a", "root"), Sticky: true}
	d := reserve(t, s, "c")
	if err := d.Save(sampleID("c")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{
		s.Root:                                 fs.ModeDir | fs.ModeSticky | 0o700,
		filepath.Join(s.Root, "c"):             fs.ModeDir | 0o711,
		filepath.Join(s.Root, "c", recordName): 0o600,
	} {
		st, err := os.Stat(path)
		if err != nil || st.Mode() != want {
			t.Errorf("%s: %v, %v; want %v", path, st.Mode(), err, want)
		}
	}
}

func sampleID(id string) *Record {
	r := sample()
	r.ID = id
	return r
}

func TestLifecycle(t *testing.T) {
	t.Parallel()
	s := Store{Root: filepath.Join(t.TempDir(), "root")}
	if _, err := s.List(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("List of no root: %v", err)
	}
	if _, err := s.Open("c"); !errors.Is(err, ErrNotFound) {
		t.Errorf("Open of nothing: %v", err)
	}
	if _, err := s.Reserve(t.Context(), "../c"); !errors.Is(err, ErrID) {
		t.Errorf("Reserve of a path: %v", err)
	}
	d := reserve(t, s, "c")
	if _, err := s.Reserve(t.Context(), "c"); !errors.Is(err, ErrExists) {
		t.Errorf("Reserve twice: %v", err)
	}
	if _, err := d.Load(); !errors.Is(err, ErrNoRecord) {
		t.Errorf("Load of nothing: %v", err)
	}
	want := sampleID("c")
	if err := d.Save(want); err != nil {
		t.Fatal(err)
	}
	if err := d.SaveConfig([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	d2, err := s.Open("c")
	if err != nil {
		t.Fatal(err)
	}
	defer d2.Close()
	if got, err := d2.Load(); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
	if b, err := d2.LoadConfig(); err != nil || string(b) != "{}" {
		t.Errorf("%q, %v", b, err)
	}
	// A listener in a root as deep as can be, and what killed writers leave.
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: d.SocketPath()}); err != nil {
		t.Errorf("bind %s: %v", d.SocketPath(), err)
	}
	dir, sock, err := d.MakeNotifyDir()
	if err != nil || dir != filepath.Join(s.Root, "c", "notify") {
		t.Errorf("%q, %v", dir, err)
	}
	if err := os.WriteFile(sock, nil, 0o600); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(s.Root, "c", tempMark+"state.json.7"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if ids, err := s.List(); err != nil || !reflect.DeepEqual(ids, []string{"c"}) {
		t.Errorf("%q, %v", ids, err)
	}
	if err := d.Remove(); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(); err != nil {
		t.Errorf("Remove twice: %v", err)
	}
	if _, err := d2.Load(); !errors.Is(err, ErrNotFound) {
		t.Errorf("Load after Remove: %v", err)
	}
	d.Close()
	if err := d2.Lock(t.Context()); !errors.Is(err, ErrNotFound) {
		t.Errorf("Lock after Remove: %v", err)
	}
	if ids, err := s.List(); err != nil || len(ids) != 0 {
		t.Errorf("%q, %v", ids, err)
	}
}

// The path of a root may be longer than a socket address.
func TestLongRoot(t *testing.T) {
	t.Parallel()
	s := Store{Root: filepath.Join(t.TempDir(), strings.Repeat("d", 200))}
	d := reserve(t, s, "c")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: d.SocketPath()}); err != nil {
		t.Fatal(err)
	}
	if err := d.RemoveSocket(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(s.Root, "c", socketName)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
}

func TestRemoveLeavesForeignFiles(t *testing.T) {
	t.Parallel()
	s := Store{Root: t.TempDir()}
	d := reserve(t, s, "c")
	foreign := filepath.Join(s.Root, "c", "precious")
	if err := os.WriteFile(foreign, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(); !errors.Is(err, unix.ENOTEMPTY) {
		t.Errorf("Remove: %v", err)
	}
	if _, err := os.Stat(foreign); err != nil {
		t.Error(err)
	}
}

func TestSaveNeedsStartTime(t *testing.T) {
	t.Parallel()
	d := reserve(t, Store{Root: t.TempDir()}, "c")
	r := sampleID("c")
	r.StartTime = 0
	if err := d.Save(r); err == nil || !strings.Contains(err.Error(), "without its start time") {
		t.Errorf("Save: %v", err)
	}
}

func TestForeignRecord(t *testing.T) {
	t.Parallel()
	d := reserve(t, Store{Root: t.TempDir()}, "c")
	if err := d.Save(sampleID("other")); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Load(); err == nil || !strings.Contains(err.Error(), `record of container "other"`) {
		t.Errorf("Load: %v", err)
	}
}

func TestLockWaits(t *testing.T) {
	t.Parallel()
	s := Store{Root: t.TempDir()}
	d := reserve(t, s, "c")
	d2, err := s.Open("c")
	if err != nil {
		t.Fatal(err)
	}
	defer d2.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	err = d2.Lock(ctx)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), fmt.Sprintf("locked by process %d", os.Getpid())) {
		t.Errorf("Lock of a locked one: %v", err)
	}
	done := make(chan error)
	go func() { done <- d2.Lock(t.Context()) }()
	d.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Many create and delete the same ID at once: never are there two owners, and every one gets through.
func TestRace(t *testing.T) {
	t.Parallel()
	s := Store{Root: t.TempDir()}
	var owners atomic.Int32
	var made atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				d, err := s.Reserve(t.Context(), "c")
				if errors.Is(err, ErrExists) {
					// delete --force of whatever is there
					if d, err = s.Open("c"); err == nil {
						err = d.Lock(t.Context())
					}
				} else if err == nil {
					made.Add(1)
				}
				if errors.Is(err, ErrNotFound) {
					if d != nil {
						d.Close()
					}
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if n := owners.Add(1); n != 1 {
					t.Errorf("%d owners", n)
				}
				if err := d.Save(sampleID("c")); err != nil {
					t.Error(err)
				}
				if _, err := d.Load(); err != nil {
					t.Error(err)
				}
				// Once it is removed the next one may own it, before this goroutine goes on.
				owners.Add(-1)
				if err := d.Remove(); err != nil {
					t.Error(err)
				}
				d.Close()
			}
		})
	}
	wg.Wait()
	if made.Load() == 0 {
		t.Error("nobody made one")
	}
}
