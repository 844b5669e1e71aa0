// Package ctl reads, writes, makes and removes cgroup directories and their
// control files with plain system calls.
//
// A control file is named by its directory and its bare name. Nothing in a
// cgroup file system is a symbolic link, and every open refuses one.
package ctl

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// Open opens the control file name in dir with the given access mode.
// The caller closes the descriptor.
func Open(dir, name string, mode int) (int, error) {
	if name == "" || strings.ContainsRune(name, '/') {
		return -1, fmt.Errorf("open %q: not a control file name", name)
	}
	path := dir + "/" + name
	for {
		fd, err := unix.Open(path, mode|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NOCTTY, 0)
		if err == nil {
			return fd, nil
		}
		if err != unix.EINTR {
			return -1, fmt.Errorf("open %q: %w", path, err)
		}
	}
}

// Read returns the whole content of a control file, appended to buf[:0]: a
// caller that reads many files passes the same buffer again.
func Read(dir, name string, buf []byte) ([]byte, error) {
	fd, err := Open(dir, name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	buf, err = ReadFD(fd, buf)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", dir+"/"+name, err)
	}
	return buf, nil
}

// ReadFD reads fd from its offset to the end of the file, appended to buf[:0].
func ReadFD(fd int, buf []byte) ([]byte, error) {
	if cap(buf) == 0 {
		buf = make([]byte, 0, 512)
	}
	buf = buf[:0]
	for {
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := unix.Read(fd, buf[len(buf):cap(buf)])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, err
		case n == 0:
			return buf, nil
		default:
			buf = buf[:len(buf)+n]
		}
	}
}

// Line returns the content of a control file without surrounding blanks.
func Line(dir, name string) (string, error) {
	b, err := Read(dir, name, nil)
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(b)), nil
}

// Write writes value to a control file in one write(2). The error names the
// value and the bare file name: `write "5" to memory.max: invalid argument`.
func Write(dir, name, value string) error {
	fd, err := Open(dir, name, unix.O_WRONLY)
	if err != nil {
		return fmt.Errorf("write %q to %s: %w", value, name, errno(err))
	}
	defer unix.Close(fd)
	if err := WriteFD(fd, value); err != nil {
		return fmt.Errorf("write %q to %s: %w", value, name, err)
	}
	return nil
}

// WriteFD writes value to fd in one write(2). It tries again on EINTR: a
// memory limit gives up with it when the Go runtime preempts its thread.
func WriteFD(fd int, value string) error {
	for {
		n, err := unix.Write(fd, []byte(value))
		if err == unix.EINTR {
			continue
		}
		if err == nil && n != len(value) {
			return unix.EIO
		}
		return err
	}
}

// Gone reports whether err says that the file or its cgroup does not exist:
// ENOENT before an open, ENODEV when it was removed after it.
func Gone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENODEV)
}

// Exists reports whether path exists and is a directory.
func Exists(path string) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}

// Has reports whether dir has a control file called name.
func Has(dir, name string) bool {
	return unix.Faccessat(unix.AT_FDCWD, dir+"/"+name, unix.F_OK, unix.AT_SYMLINK_NOFOLLOW) == nil
}

// errno strips what Open has said about the path; the caller says it better.
func errno(err error) error {
	var e unix.Errno
	if errors.As(err, &e) {
		return e
	}
	return err
}
