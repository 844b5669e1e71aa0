package rootfs

import (
	"syscall"

	"tare/internal/step"
	"tare/internal/sys"
)

// Device carries out step.Device. The caller's umask is 0.
func (r *Root) Device(d *step.Device) error {
	dir, base, err := r.parent(d.Path)
	if err != nil {
		return err
	}
	defer dir.Close()
	if !d.Bind {
		err := makeNode(dir.Int(), base, d)
		if err == nil || sys.ErrnoOf(err) != syscall.EPERM || d.Source == "" {
			return err
		}
	}
	return bindNode(dir.Int(), base, d)
}

// makeNode makes the node, or takes one that is just the same. The node's owner and mode are set only
// after its type and number were read from the descriptor: a link or file that someone puts in its
// place must not be given away instead.
func makeNode(dir int, base string, d *step.Device) error {
	err := sys.MknodAt(dir, base, d.Type|d.Mode, sys.MakeDev(d.Major, d.Minor))
	existed := sys.ErrnoOf(err) == syscall.EEXIST
	if err != nil && !existed {
		return &sys.Error{Op: "mknod", Object: d.Path, Errno: sys.ErrnoOf(err)}
	}
	fd, err := sys.OpenAt(dir, base, sys.O_PATH|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return sys.On(err, d.Path)
	}
	defer fd.Close()
	var st syscall.Stat_t
	if err := sys.Fstat(fd.Int(), &st); err != nil {
		return err
	}
	if !isNode(&st, d) {
		return &sys.Error{Op: "mknod", Object: d.Path, Errno: syscall.EEXIST, Note: "it is not this device"}
	}
	if st.Uid != d.UID || st.Gid != d.GID {
		if err := sys.ChownAt(fd.Int(), "", d.UID, d.GID, sys.AT_EMPTY_PATH); err != nil {
			return &sys.Error{Op: "chown", Object: d.Path, Errno: sys.ErrnoOf(err)}
		}
	}
	if st.Mode&0o7777 != d.Mode {
		if err := sys.ChmodAt(sys.AT_FDCWD, fdPath(fd), d.Mode); err != nil {
			return &sys.Error{Op: "chmod", Object: d.Path, Errno: sys.ErrnoOf(err)}
		}
	}
	return nil
}

func isNode(st *syscall.Stat_t, d *step.Device) bool {
	if uint32(st.Mode)&syscall.S_IFMT != d.Type {
		return false
	}
	return d.Type == syscall.S_IFIFO || uint64(st.Rdev) == sys.MakeDev(d.Major, d.Minor)
}

// bindNode mounts the host's node. Its owner and mode are the host's and stay.
func bindNode(dir int, base string, d *step.Device) error {
	src, err := sys.OpenTree(sys.AT_FDCWD, d.Source, sys.OPEN_TREE_CLONE)
	if err != nil {
		return err
	}
	defer src.Close()
	var st syscall.Stat_t
	if err := sys.Fstat(src.Int(), &st); err != nil {
		return err
	}
	if !isNode(&st, d) {
		return &sys.Error{Op: "bind", Object: d.Source, Errno: syscall.ENODEV, Note: "the host's node is another device"}
	}
	target, err := filePoint(dir, base)
	if err != nil {
		return sys.On(err, d.Path)
	}
	defer target.Close()
	return sys.On(sys.MoveMount(src.Int(), target.Int()), d.Path)
}

// filePoint opens the file base in dir to mount on, made when it is missing, and never through a link.
func filePoint(dir int, base string) (*sys.FD, error) {
	made, err := sys.OpenAt(dir, base, syscall.O_CREAT|syscall.O_EXCL|syscall.O_NOFOLLOW|syscall.O_WRONLY, 0o644)
	made.Close()
	if err != nil && sys.ErrnoOf(err) != syscall.EEXIST && sys.ErrnoOf(err) != syscall.EROFS {
		return nil, err
	}
	fd, err := sys.OpenAt(dir, base, sys.O_PATH|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	var st syscall.Stat_t
	if err = sys.Fstat(fd.Int(), &st); err == nil && st.Mode&syscall.S_IFMT == syscall.S_IFLNK {
		err = &sys.Error{Op: "open", Object: base, Errno: syscall.ELOOP}
	}
	if err != nil {
		fd.Close()
		return nil, err
	}
	return fd, nil
}
