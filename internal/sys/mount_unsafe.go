package sys

import (
	"syscall"
	"unsafe"
)

// OpenTree is open_tree(2). The descriptor is close-on-exec.
func OpenTree(dir int, path string, flags uint) (*FD, error) {
	p, nul := cstring(path)
	if nul {
		return nil, fail("open_tree", path, syscall.EINVAL)
	}
	n, errno := slow(SYS_OPEN_TREE, uintptr(dir), uintptr(unsafe.Pointer(p)), uintptr(flags|OPEN_TREE_CLOEXEC), 0, 0, 0)
	return opened(n, errno, "open_tree", path)
}

// MoveMount is move_mount(2) of what the descriptor from is on, onto what to is on.
func MoveMount(from, to int) error {
	empty, _ := cstring("")
	_, errno := slow(SYS_MOVE_MOUNT, uintptr(from), uintptr(unsafe.Pointer(empty)), uintptr(to), uintptr(unsafe.Pointer(empty)),
		MOVE_MOUNT_F_EMPTY_PATH|MOVE_MOUNT_T_EMPTY_PATH, 0)
	return fail("move_mount", "", errno)
}

// FSOpen is fsopen(2).
func FSOpen(fstype string) (*FD, error) {
	p, nul := cstring(fstype)
	if nul {
		return nil, fail("fsopen", fstype, syscall.EINVAL)
	}
	n, errno := slow(SYS_FSOPEN, uintptr(unsafe.Pointer(p)), FSOPEN_CLOEXEC, 0, 0, 0, 0)
	return opened(n, errno, "fsopen", fstype)
}

// FSConfig is fsconfig(2) with FSCONFIG_SET_FLAG (value ""), FSCONFIG_SET_STRING or a command (both "").
func FSConfig(fs int, cmd uint, key, value string) error {
	k, nul1 := optional(key)
	v, nul2 := optional(value)
	if cmd == FSCONFIG_SET_STRING {
		v, nul2 = cstring(value)
	}
	if nul1 || nul2 {
		return fail("fsconfig", key, syscall.EINVAL)
	}
	_, errno := slow(SYS_FSCONFIG, uintptr(fs), uintptr(cmd), uintptr(unsafe.Pointer(k)), uintptr(unsafe.Pointer(v)), 0, 0)
	return fail("fsconfig", key, errno)
}

// FSMount is fsmount(2): attrs are MOUNT_ATTR_*.
func FSMount(fs int, attrs uint64) (*FD, error) {
	n, errno := slow(SYS_FSMOUNT, uintptr(fs), FSMOUNT_CLOEXEC, uintptr(attrs), 0, 0, 0)
	return opened(n, errno, "fsmount", "")
}

// MountAttr is struct mount_attr.
type MountAttr struct {
	Set, Clr    uint64 // MOUNT_ATTR_*
	Propagation uint64 // one of MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE, or 0
	UserNS      uint64 // descriptor, with MOUNT_ATTR_IDMAP
}

// MountSetattr is mount_setattr(2) of the mount whose root fd is on; recursive: of the tree below too.
func MountSetattr(fd int, recursive bool, attr MountAttr) error {
	flags := uintptr(AT_EMPTY_PATH)
	if recursive {
		flags |= AT_RECURSIVE
	}
	empty, _ := cstring("")
	_, errno := slow(SYS_MOUNT_SETATTR, uintptr(fd), uintptr(unsafe.Pointer(empty)), flags,
		uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	return fail("mount_setattr", "", errno)
}

// Mount is mount(2).
func Mount(source, target, fstype string, flags uint64, data string) error {
	s, nul1 := optional(source)
	t, nul2 := cstring(target)
	f, nul3 := optional(fstype)
	d, nul4 := optional(data)
	if nul1 || nul2 || nul3 || nul4 {
		return fail("mount", target, syscall.EINVAL)
	}
	_, errno := slow(syscall.SYS_MOUNT, uintptr(unsafe.Pointer(s)), uintptr(unsafe.Pointer(t)),
		uintptr(unsafe.Pointer(f)), uintptr(flags), uintptr(unsafe.Pointer(d)), 0)
	return fail("mount", target, errno)
}

// Unmount is umount2(2).
func Unmount(target string, flags int) error {
	t, nul := cstring(target)
	if nul {
		return fail("umount2", target, syscall.EINVAL)
	}
	_, errno := slow(syscall.SYS_UMOUNT2, uintptr(unsafe.Pointer(t)), uintptr(flags), 0, 0, 0, 0)
	return fail("umount2", target, errno)
}

// PivotRoot is pivot_root(2).
func PivotRoot(newRoot, putOld string) error {
	n, nul1 := cstring(newRoot)
	o, nul2 := cstring(putOld)
	if nul1 || nul2 {
		return fail("pivot_root", newRoot, syscall.EINVAL)
	}
	_, errno := slow(syscall.SYS_PIVOT_ROOT, uintptr(unsafe.Pointer(n)), uintptr(unsafe.Pointer(o)), 0, 0, 0, 0)
	return fail("pivot_root", newRoot, errno)
}
