package sys

import (
	"strconv"
	"syscall"
)

// Fstat is fstat(2).
func Fstat(fd int, st *syscall.Stat_t) error {
	return wrap("fstat", strconv.Itoa(fd), syscall.Fstat(fd, st))
}

// FSType is the magic number of the file system that fd is on.
func FSType(fd int) (uint32, error) {
	var st syscall.Statfs_t
	if err := Fstatfs(fd, &st); err != nil {
		return 0, err
	}
	return uint32(st.Type), nil
}

// Fstatfs is fstatfs(2).
func Fstatfs(fd int, st *syscall.Statfs_t) error {
	return wrap("fstatfs", strconv.Itoa(fd), retry(func() error { return syscall.Fstatfs(fd, st) }))
}

// Fchown is fchown(2); an id of -1 stays.
func Fchown(fd, uid, gid int) error {
	return wrap("fchown", strconv.Itoa(fd), retry(func() error { return syscall.Fchown(fd, uid, gid) }))
}

// Fchmod is fchmod(2).
func Fchmod(fd int, mode uint32) error {
	return wrap("fchmod", strconv.Itoa(fd), retry(func() error { return syscall.Fchmod(fd, mode) }))
}

// Fchdir is fchdir(2).
func Fchdir(fd int) error {
	return wrap("fchdir", strconv.Itoa(fd), retry(func() error { return syscall.Fchdir(fd) }))
}

// Chdir is chdir(2).
func Chdir(path string) error { return wrap("chdir", path, syscall.Chdir(path)) }

// Chroot is chroot(2).
func Chroot(path string) error { return wrap("chroot", path, syscall.Chroot(path)) }

// Umask is umask(2).
func Umask(mask int) int { return syscall.Umask(mask) }

// Read is read(2). It may wait.
func Read(fd int, b []byte) (n int, err error) {
	err = retry(func() error { n, err = syscall.Read(fd, b); return err })
	return n, wrap("read", strconv.Itoa(fd), err)
}

// Write is write(2). It may write less than all of b.
func Write(fd int, b []byte) (n int, err error) {
	err = retry(func() error { n, err = syscall.Write(fd, b); return err })
	return n, wrap("write", strconv.Itoa(fd), err)
}

// WriteAll writes all of b.
func WriteAll(fd int, b []byte) error {
	for len(b) > 0 {
		n, err := Write(fd, b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// ReadUpTo reads to the end of the file, but no more than limit bytes.
func ReadUpTo(fd, limit int) ([]byte, error) {
	var b []byte
	chunk := make([]byte, min(limit, 8192))
	for len(b) < limit {
		n, err := Read(fd, chunk[:min(len(chunk), limit-len(b))])
		if err != nil {
			return b, err
		}
		if n == 0 {
			break
		}
		b = append(b, chunk[:n]...)
	}
	return b, nil
}

// MakeDev packs a device number as the kernel's user interface does.
func MakeDev(major, minor uint32) uint64 {
	return uint64(minor&0xff) | uint64(major&0xfff)<<8 | uint64(minor&^0xff)<<12 | uint64(major&^0xfff)<<32
}

// Major is the major number of a packed device number.
func Major(dev uint64) uint32 { return uint32(dev>>8)&0xfff | uint32(dev>>32)&^0xfff }

// Minor is the minor number of a packed device number.
func Minor(dev uint64) uint32 { return uint32(dev)&0xff | uint32(dev>>12)&^0xff }
