// Package state keeps what must be known about a container between two runs of tare.
//
// ROOT (mode 0700) holds a directory ROOT/ID (0711) for each container, with
//
//	state.json   the record: small, replaced as a whole, the only file that start, kill, state
//	             and delete read
//	config.json  the configuration as it was at create, byte for byte, until an update puts the limits
//	             that hold since into it
//	start.sock   the socket on which the created init waits for start
//
// The exclusive mkdir of ROOT/ID decides who creates a container; flock(2) on the directory decides
// who changes it. A process that dies leaves no lock behind.
package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Errors that callers branch on.
var (
	ErrExists   = errors.New("container with given ID already exists")
	ErrNotFound = errors.New("container does not exist")
)

// Store is a root directory.
type Store struct {
	Root string // absolute and clean
	// Sticky sets the sticky bit on Root, which keeps those who tidy $XDG_RUNTIME_DIR off it
	// (XDG Base Directory Specification).
	Sticky bool
}

// makeRoot makes Root and what is missing above it. The mode of one that is there is not touched,
// but for the sticky bit.
func (s Store) makeRoot() error {
	if err := os.MkdirAll(s.Root, 0o700); err != nil {
		return err
	}
	if !s.Sticky {
		return nil
	}
	if err := unix.Chmod(s.Root, 0o700|unix.S_ISVTX); err != nil {
		return &os.PathError{Op: "chmod", Path: s.Root, Err: err}
	}
	return nil
}

// Reserve makes the directory of a new container and locks it. ErrID, ErrExists. The caller closes
// the Dir, which gives the lock back, and calls Remove before when nothing came of the container.
func (s Store) Reserve(ctx context.Context, id string) (*Dir, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	if err := s.makeRoot(); err != nil {
		return nil, err
	}
	for {
		d, err := s.reserve(ctx, id)
		// Somebody's delete saw the directory between mkdir and lock, and removed it as a
		// half-made one. It is gone then, so that the next mkdir has the same chances again.
		if !errors.Is(err, ErrNotFound) {
			return d, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

func (s Store) reserve(ctx context.Context, id string) (*Dir, error) {
	path := filepath.Join(s.Root, id)
	err := unix.Mkdir(path, 0o711)
	if errors.Is(err, unix.EEXIST) {
		return nil, ErrExists
	}
	if err != nil {
		return nil, &os.PathError{Op: "mkdir", Path: path, Err: err}
	}
	d, err := s.Open(id)
	if err != nil {
		return nil, err
	}
	if err := d.Lock(ctx); err != nil {
		d.Close()
		return nil, err
	}
	// The umask of the caller is not ours to change.
	if err := unix.Fchmod(d.fd, 0o711); err != nil {
		err = errors.Join(&os.PathError{Op: "chmod", Path: path, Err: err}, d.Remove())
		d.Close()
		return nil, err
	}
	return d, nil
}

// Open opens the directory of a container, without locking it. ErrID, ErrNotFound. The caller closes
// the Dir.
func (s Store) Open(id string) (*Dir, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	path := filepath.Join(s.Root, id)
	fd, err := openRetry(unix.AT_FDCWD, path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return &Dir{id: id, path: path, fd: fd}, nil
}

// List gives the IDs of all directories below Root, sorted. fs.ErrNotExist when Root is missing.
func (s Store) List() ([]string, error) {
	entries, err := os.ReadDir(s.Root)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if e.IsDir() && CheckID(e.Name()) == nil {
			ids = append(ids, e.Name())
		}
	}
	return ids, nil
}

// Dir is the opened directory of a container. Its methods are for one goroutine at a time.
type Dir struct {
	id, path string
	fd       int
}

// ID is the container's.
func (d *Dir) ID() string { return d.id }

// Path is the directory's, for messages: use the methods to reach files.
func (d *Dir) Path() string { return d.path }

// FD is the directory's descriptor, which d owns: valid until Close.
func (d *Dir) FD() int { return d.fd }

// Birth tells one directory from a later one of the same name: its inode and when that was made. ok is false
// where the file system does not say.
func (d *Dir) Birth() (b Birth, ok bool) {
	const want = unix.STATX_INO | unix.STATX_BTIME
	var st unix.Statx_t
	if err := unix.Statx(d.fd, "", unix.AT_EMPTY_PATH, want, &st); err != nil || st.Mask&want != want {
		return Birth{}, false
	}
	return Birth{st.Ino, st.Btime.Sec, st.Btime.Nsec}, true
}

// Birth is what Dir.Birth tells.
type Birth struct {
	ino  uint64
	sec  int64
	nsec uint32
}

// Close closes the directory and with it gives the lock back. It may be called again.
func (d *Dir) Close() error {
	if d.fd < 0 {
		return nil
	}
	fd := d.fd
	d.fd = -1
	// Explicitly, too: a child that is being made right now may hold the open file until its
	// execve.
	unix.Flock(fd, unix.LOCK_UN)
	return unix.Close(fd)
}

// linked tells whether the directory is still the one that its path names.
func (d *Dir) linked() (bool, error) {
	var mine, there unix.Stat_t
	if err := unix.Fstat(d.fd, &mine); err != nil {
		return false, &os.PathError{Op: "fstat", Path: d.path, Err: err}
	}
	err := unix.Lstat(d.path, &there)
	if errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, &os.PathError{Op: "lstat", Path: d.path, Err: err}
	}
	return mine.Dev == there.Dev && mine.Ino == there.Ino, nil
}

func openRetry(dirfd int, path string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(dirfd, path, flags|unix.O_CLOEXEC, mode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

func (d *Dir) errorf(op, name string, err error) error {
	return fmt.Errorf("%s %q: %w", op, filepath.Join(d.path, name), err)
}
