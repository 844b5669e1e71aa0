package sys

import (
	"syscall"
	"unsafe"
)

// OpenHow is struct open_how of openat2(2).
type OpenHow struct {
	Flags   uint64
	Mode    uint64
	Resolve uint64
}

// OpenAt2 is openat2(2). O_CLOEXEC is added.
func OpenAt2(dir int, path string, how OpenHow) (*FD, error) {
	p, nul := cstring(path)
	if nul {
		return nil, fail("openat2", path, syscall.EINVAL)
	}
	how.Flags |= O_CLOEXEC
	n, errno := slow(SYS_OPENAT2, uintptr(dir), uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(&how)),
		unsafe.Sizeof(how), 0, 0)
	return opened(n, errno, "openat2", path)
}

// FSetXattr is fsetxattr(2) without flags.
func FSetXattr(fd int, name, value string) error {
	n, nul := cstring(name)
	v, nul2 := cstring(value)
	if nul || nul2 {
		return fail("fsetxattr", value, syscall.EINVAL)
	}
	_, errno := slow(syscall.SYS_FSETXATTR, uintptr(fd), uintptr(unsafe.Pointer(n)), uintptr(unsafe.Pointer(v)), uintptr(len(value)), 0, 0)
	return fail("fsetxattr "+name, value, errno)
}

// OpenAt is openat(2). O_CLOEXEC is added.
func OpenAt(dir int, path string, flags int, mode uint32) (*FD, error) {
	p, nul := cstring(path)
	if nul {
		return nil, fail("open", path, syscall.EINVAL)
	}
	n, errno := slow(syscall.SYS_OPENAT, uintptr(dir), uintptr(unsafe.Pointer(p)), uintptr(flags|O_CLOEXEC|syscall.O_LARGEFILE),
		uintptr(mode), 0, 0)
	return opened(n, errno, "open", path)
}

// atPath is a call whose first arguments are a directory and a path.
func atPath(trap uintptr, op string, dir int, path string, a, b, c uintptr) error {
	p, nul := cstring(path)
	if nul {
		return fail(op, path, syscall.EINVAL)
	}
	_, errno := quick(trap, uintptr(dir), uintptr(unsafe.Pointer(p)), a, b, c, 0)
	return fail(op, path, errno)
}

// MkdirAt is mkdirat(2).
func MkdirAt(dir int, path string, mode uint32) error {
	return atPath(syscall.SYS_MKDIRAT, "mkdir", dir, path, uintptr(mode), 0, 0)
}

// MknodAt is mknodat(2). mode has the file type; dev is what MakeDev gives.
func MknodAt(dir int, path string, mode uint32, dev uint64) error {
	return atPath(syscall.SYS_MKNODAT, "mknod", dir, path, uintptr(mode), uintptr(dev), 0)
}

// UnlinkAt is unlinkat(2).
func UnlinkAt(dir int, path string, flags int) error {
	return atPath(syscall.SYS_UNLINKAT, "unlink", dir, path, uintptr(flags), 0, 0)
}

// ChownAt is fchownat(2). An id of ^0 stays as it is.
func ChownAt(dir int, path string, uid, gid uint32, flags int) error {
	return atPath(syscall.SYS_FCHOWNAT, "chown", dir, path, uintptr(uid), uintptr(gid), uintptr(flags))
}

// ChmodAt is fchmodat(2), which has no flags and follows links.
func ChmodAt(dir int, path string, mode uint32) error {
	return atPath(syscall.SYS_FCHMODAT, "chmod", dir, path, uintptr(mode), 0, 0)
}

// AccessAt is faccessat2(2); a kernel or filter without it is asked by faccessat(2), which knows no
// flags and takes the real ids.
func AccessAt(dir int, path string, mode uint32, flags int) error {
	err := atPath(SYS_FACCESSAT2, "access", dir, path, uintptr(mode), uintptr(flags), 0)
	if ErrnoOf(err) == syscall.ENOSYS {
		err = atPath(syscall.SYS_FACCESSAT, "access", dir, path, uintptr(mode), 0, 0)
	}
	return err
}

// SymlinkAt is symlinkat(2).
func SymlinkAt(target string, dir int, path string) error {
	t, nul1 := cstring(target)
	p, nul2 := cstring(path)
	if nul1 || nul2 {
		return fail("symlink", path, syscall.EINVAL)
	}
	_, errno := quick(syscall.SYS_SYMLINKAT, uintptr(unsafe.Pointer(t)), uintptr(dir), uintptr(unsafe.Pointer(p)), 0, 0, 0)
	return fail("symlink", path, errno)
}

// ReadlinkAt is readlinkat(2). An empty path reads the link that dir is open on (O_PATH|O_NOFOLLOW).
func ReadlinkAt(dir int, path string) (string, error) {
	p, nul := cstring(path)
	if nul {
		return "", fail("readlink", path, syscall.EINVAL)
	}
	for size := 256; ; size *= 4 {
		b := make([]byte, size)
		n, errno := quick(syscall.SYS_READLINKAT, uintptr(dir), uintptr(unsafe.Pointer(p)), uintptr(addr(b)), uintptr(size), 0, 0)
		if errno != 0 {
			return "", fail("readlink", path, errno)
		}
		if int(n) < size {
			return string(b[:n]), nil
		}
	}
}

// StatAt is fstatat(2).
func StatAt(dir int, path string, st *syscall.Stat_t, flags int) error {
	return atPath(SYS_FSTATAT, "stat", dir, path, uintptr(unsafe.Pointer(st)), uintptr(flags), 0)
}

// Statx is the part of struct statx that tare reads, in its place.
type Statx struct {
	Mask       uint32
	Blksize    uint32
	Attributes uint64
	Nlink      uint32
	UID, GID   uint32
	Mode       uint16
	_          uint16
	Ino        uint64
	_          [11]uint64 // size to mtime
	Rdev       [2]uint32  // major, minor
	Dev        [2]uint32
	MntID      uint64
	_          [13]uint64
}

// StatX is statx(2).
func StatX(dir int, path string, flags int, mask uint32, st *Statx) error {
	return atPath(SYS_STATX, "statx", dir, path, uintptr(flags), uintptr(mask), uintptr(unsafe.Pointer(st)))
}

// UtimesAt is utimensat(2) of the descriptor dir (path "") or of path beneath it, links not followed.
func UtimesAt(dir int, path string, atime, mtime syscall.Timespec) error {
	ts := [2]syscall.Timespec{atime, mtime}
	p, nul := cstring(path)
	if nul {
		return fail("utimensat", path, syscall.EINVAL)
	}
	_, errno := quick(syscall.SYS_UTIMENSAT, uintptr(dir), uintptr(unsafe.Pointer(p)), uintptr(unsafe.Pointer(&ts)),
		AT_SYMLINK_NOFOLLOW, 0, 0)
	return fail("utimensat", path, errno)
}

// Getcwd is the kernel's getcwd(2) as it is: a directory outside the root has a name that does not
// begin with a slash.
func Getcwd() (string, error) {
	b := make([]byte, 4097)
	n, errno := quick(syscall.SYS_GETCWD, uintptr(addr(b)), uintptr(len(b)), 0, 0, 0, 0)
	if errno != 0 {
		return "", fail("getcwd", "", errno)
	}
	return string(b[:n-1]), nil
}
