package rootfs

import (
	"syscall"

	"tare/internal/step"
	"tare/internal/sys"
)

// MaskPath carries out step.MaskPath.
func (r *Root) MaskPath(m *step.MaskPath) error {
	target, err := find(r.fd.Int(), m.Path, lookup{})
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer target.Close()
	var st syscall.Stat_t
	if err := sys.Fstat(target.Int(), &st); err != nil {
		return err
	}
	if st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		err = r.maskDir(target.Int(), m.Label)
	} else {
		err = r.maskFile(target.Int())
	}
	return sys.On(err, m.Path)
}

// missing tells whether a path does not exist, also because a parent of it is no directory.
func missing(err error) bool {
	errno := sys.ErrnoOf(err)
	return errno == syscall.ENOENT || errno == syscall.ENOTDIR
}

// maskDir hides a directory under an empty tmpfs. All masks of a container are mounts of one
// superblock: making one costs more than mounting it. The first mount goes in place itself, since
// older kernels clone attached mounts only.
func (r *Root) maskDir(target int, label string) error {
	if r.empty.Valid() {
		return cloneOnto(r.empty.Int(), target)
	}
	data := []string{"nr_blocks=1", "nr_inodes=1"}
	if label != "" {
		data = append(data, `context="`+label+`"`)
	}
	fd, err := newDetached("tmpfs", "tmpfs", syscall.MS_RDONLY, data)
	if err != nil {
		return err
	}
	if err := sys.MoveMount(fd.Int(), target); err != nil {
		fd.Close()
		return err
	}
	r.empty = fd
	return nil
}

// maskFile hides a file under the container's /dev/null. CVE-2025-31133: an image with a link as its
// /dev/null turned the mask into a writable bind mount of any file; what is mounted is the descriptor
// whose device number was read.
func (r *Root) maskFile(target int) error {
	if !r.null.Valid() {
		fd, err := find(r.fd.Int(), "/dev/null", lookup{})
		if err != nil {
			return err
		}
		if err := CheckNull(fd.Int()); err != nil {
			fd.Close()
			return sys.On(err, "/dev/null")
		}
		r.null = fd
	}
	return cloneOnto(r.null.Int(), target)
}

// CheckNull proves that fd is open on the null device.
func CheckNull(fd int) error {
	var st syscall.Stat_t
	if err := sys.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFCHR || uint64(st.Rdev) != sys.MakeDev(1, 3) {
		return &sys.Error{Op: "open", Errno: syscall.ENODEV, Note: "it is not the null device"}
	}
	return nil
}

// cloneOnto mounts a clone of what fd is on.
func cloneOnto(fd, target int) error {
	t, err := sys.OpenTree(fd, "", sys.OPEN_TREE_CLONE|sys.AT_EMPTY_PATH)
	if err != nil {
		return err
	}
	defer t.Close()
	return sys.MoveMount(t.Int(), target)
}

// ReadonlyPath carries out step.ReadonlyPath: the tree is mounted on itself, and that mount becomes
// read-only; its other attributes stay, and so do mounts below it.
func (r *Root) ReadonlyPath(s *step.ReadonlyPath) error {
	target, err := find(r.fd.Int(), s.Path, lookup{})
	if missing(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer target.Close()
	t, err := sys.OpenTree(target.Int(), "", sys.OPEN_TREE_CLONE|sys.AT_EMPTY_PATH|sys.AT_RECURSIVE)
	if err != nil {
		return sys.On(err, s.Path)
	}
	defer t.Close()
	if err := sys.MountSetattr(t.Int(), false, sys.MountAttr{Set: sys.MOUNT_ATTR_RDONLY}); err != nil {
		return sys.On(err, s.Path)
	}
	return sys.On(sys.MoveMount(t.Int(), target.Int()), s.Path)
}

// ReadonlyRoot carries out step.ReadonlyRoot. Adding an attribute never needs to touch locked ones.
func (r *Root) ReadonlyRoot() error {
	return sys.On(sys.MountSetattr(r.fd.Int(), false, sys.MountAttr{Set: sys.MOUNT_ATTR_RDONLY}), "/")
}
