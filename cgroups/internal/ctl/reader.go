package ctl

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Reader reads many control files for statistics: into one buffer, relative to
// an open directory, and without an error that has to be made up for each of
// the files that a kernel or a configuration does not have. The first real
// error stays in Err, and reading stops.
type Reader struct {
	Err error
	dir string
	fd  int
	buf []byte
}

// NewReader returns a Reader that is in no directory yet. The caller closes it.
func NewReader() *Reader { return &Reader{fd: -1, buf: make([]byte, 0, 4096)} }

// Close leaves the directory.
func (r *Reader) Close() {
	if r.fd >= 0 {
		unix.Close(r.fd)
		r.fd = -1
	}
}

// In enters a directory, and leaves the one before. It is false, and all files
// read as absent, for "" and one that does not exist.
func (r *Reader) In(dir string) bool {
	if r.fd >= 0 && dir == r.dir {
		return r.Err == nil
	}
	r.Close()
	if r.dir = dir; dir == "" || r.Err != nil {
		return false
	}
	fd, errno := openAt(unix.AT_FDCWD, dir, unix.O_PATH|unix.O_DIRECTORY)
	if errno != 0 {
		if !Gone(errno) {
			r.Err = fmt.Errorf("open %q: %w", dir, errno)
		}
		return false
	}
	r.fd = fd
	return true
}

// Read returns the file's content until the next Read, nil if there is none:
// the file is absent, or EOPNOTSUPP (a pressure file without PSI).
func (r *Reader) Read(name string) []byte {
	if r.Err != nil || r.fd < 0 {
		return nil
	}
	fd, errno := openAt(r.fd, name, unix.O_RDONLY)
	if errno != 0 {
		r.fail("open", name, errno)
		return nil
	}
	defer unix.Close(fd)
	b, err := ReadFD(fd, r.buf)
	if err != nil {
		r.fail("read", name, err)
		return nil
	}
	r.buf = b
	return b
}

func (r *Reader) fail(op, name string, err error) {
	if !Gone(err) && !errors.Is(err, unix.EOPNOTSUPP) {
		r.Err = fmt.Errorf("%s %q: %w", op, r.dir+"/"+name, err)
	}
}

// Uint reads a file that holds one number; !ok is an absent one.
func (r *Reader) Uint(name string) (v uint64, ok bool) {
	b := r.Read(name)
	if len(b) == 0 {
		return 0, false
	}
	if v, ok = parseBytes(b); !ok {
		r.Err = fmt.Errorf("read %q: %w: number %q", r.dir+"/"+name, ErrFormat, b)
	}
	return v, ok
}
