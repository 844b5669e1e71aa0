package rootfs

import (
	"syscall"

	"tare/internal/step"
	"tare/internal/sys"
)

// bind mounts a clone of a tree of the host.
func (r *Root) bind(m *step.Mount, treeFD, idmap int) error {
	if m.Opts&step.MountCopySymlink != 0 && treeFD < 0 {
		if done, err := r.copySymlink(m); done || err != nil {
			return err
		}
	}
	src, err := source(m, treeFD)
	if err != nil {
		return err
	}
	defer src.Close()
	var st syscall.Stat_t
	if err := sys.Fstat(src.Int(), &st); err != nil {
		return err
	}
	target, _, err := r.target(m, !isDir(&st))
	if err != nil {
		return err
	}
	defer target.Close()
	var at syscall.Stat_t
	if err := sys.Fstat(target.Int(), &at); err != nil {
		return err
	}
	// mount(2) says ENOTDIR to both, which engines look for; move_mount(2) says EINVAL.
	switch dir, onto := isDir(&st), isDir(&at); {
	case dir && !onto:
		return &sys.Error{Op: "mount a directory on", Object: m.Target, Errno: syscall.ENOTDIR}
	case !dir && onto:
		return &sys.Error{Op: "mount a file on a directory", Object: m.Target, Errno: syscall.ENOTDIR}
	}
	if err := setAttrs(src.Int(), m.Set, m.Clear, m.Opts&step.MountKeepFlags != 0); err != nil {
		return err
	}
	return r.settle(m, tree{fd: src}, target, idmap)
}

func isDir(st *syscall.Stat_t) bool { return st.Mode&syscall.S_IFMT == syscall.S_IFDIR }

// source gives the detached tree of a bind mount, owned.
func source(m *step.Mount, treeFD int) (*sys.FD, error) {
	var fd *sys.FD
	var err error
	if treeFD >= 0 {
		fd, err = sys.DupFD(treeFD, 3)
	} else {
		flags := uint(sys.OPEN_TREE_CLONE)
		if m.Opts&step.MountRecursive != 0 {
			flags |= sys.AT_RECURSIVE
		}
		if m.Opts&step.MountSrcNoFollow != 0 {
			flags |= sys.AT_SYMLINK_NOFOLLOW
		}
		fd, err = sys.OpenTree(sys.AT_FDCWD, m.Source, flags)
	}
	if err != nil {
		if sys.ErrnoOf(err) == syscall.EINVAL {
			err = noted(err, "the source is unbindable, or has mounts below it that a user namespace may not uncover: use rbind")
		}
		return nil, err
	}
	if m.Opts&step.MountSourceProc != 0 {
		if magic, err := sys.FSType(fd.Int()); err != nil || magic != sys.PROC_SUPER_MAGIC {
			fd.Close()
			// CVE-2019-16884: see guardProc.
			return nil, &sys.Error{Op: "mount", Object: m.Source, Errno: syscall.EPERM, Note: "only a procfs may be mounted on /proc"}
		}
	}
	return fd, nil
}

// copySymlink makes the source again when it is a symbolic link; done is false when it is none.
func (r *Root) copySymlink(m *step.Mount) (done bool, err error) {
	fd, err := sys.OpenAt(sys.AT_FDCWD, m.Source, sys.O_PATH|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return false, err
	}
	defer fd.Close()
	var st syscall.Stat_t
	if err := sys.Fstat(fd.Int(), &st); err != nil || st.Mode&syscall.S_IFMT != syscall.S_IFLNK {
		return false, err
	}
	text, err := sys.ReadlinkAt(fd.Int(), "")
	if err != nil {
		return false, err
	}
	return true, r.Symlink(&step.Symlink{Path: m.Target, Target: text, Replace: true})
}

// remount changes a mount that is there. With bind only the mount's own attributes change, else the
// file system's options too.
func (r *Root) remount(m *step.Mount) error {
	target, _, err := r.target(m, false)
	if err != nil {
		return err
	}
	defer target.Close()
	if m.Set&syscall.MS_BIND != 0 {
		err = setAttrs(target.Int(), m.Set|syscall.MS_REMOUNT, m.Clear, false)
	} else {
		err = sys.Mount("", fdPath(target), "", m.Set|syscall.MS_REMOUNT, Joined(m.Data))
		if err != nil {
			err = &sys.Error{Op: "remount", Object: m.Target, Errno: sys.ErrnoOf(err)}
		}
	}
	if err == nil && m.RecSet|m.RecClr != 0 {
		err = sys.MountSetattr(target.Int(), true, sys.MountAttr{Set: m.RecSet, Clr: m.RecClr})
	}
	if err == nil {
		err = propagate(target.Int(), m.Propagation)
	}
	return err
}
