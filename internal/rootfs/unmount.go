package rootfs

import (
	"syscall"

	"tare/internal/step"
	"tare/internal/sys"
)

const umountNoFollow = 8 // UMOUNT_NOFOLLOW

// Unmount carries out step.Unmount. The mount is named by descriptor and working directory, never
// through /proc, which in a running container is what its owner has made of it.
func (r *Root) Unmount(u *step.Unmount) error {
	err := r.unmount(u.Target)
	if sys.ErrnoOf(err) == syscall.EINVAL {
		err = &sys.Error{Op: "umount2", Errno: syscall.EINVAL, Note: "it is no mount point, or a locked one"}
	}
	return sys.On(err, u.Target)
}

func (r *Root) unmount(unsafePath string) error {
	fd, err := find(r.fd.Int(), unsafePath, lookup{})
	if err != nil {
		return err
	}
	defer fd.Close()
	// A link may lead to the root itself, which MNT_DETACH would take away.
	if root, err := sameMount(fd.Int(), r.fd.Int()); err != nil {
		return err
	} else if root {
		return &sys.Error{Op: "umount2", Errno: syscall.EINVAL}
	}
	var st syscall.Stat_t
	if err := sys.Fstat(fd.Int(), &st); err != nil {
		return err
	}
	defer sys.Chdir("/")
	if st.Mode&syscall.S_IFMT != syscall.S_IFDIR {
		return r.unmountFile(unsafePath, fd)
	}
	if err := sys.Fchdir(fd.Int()); err != nil {
		return err
	}
	return sys.Unmount(".", syscall.MNT_DETACH)
}

// unmountFile names the mount by its parent directory, which a file does not offer. The last component
// must then be the mount point, and not a link to it.
func (r *Root) unmountFile(unsafePath string, fd *sys.FD) error {
	end := len(unsafePath)
	for end > 0 && unsafePath[end-1] != '/' {
		end--
	}
	dir, err := find(r.fd.Int(), unsafePath[:end], lookup{dir: true})
	if err != nil {
		return err
	}
	defer dir.Close()
	base := unsafePath[end:]
	there, err := sys.OpenAt(dir.Int(), base, sys.O_PATH|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer there.Close()
	if same, err := sameMount(there.Int(), fd.Int()); err != nil {
		return err
	} else if !same {
		return &sys.Error{Op: "umount2", Errno: syscall.ELOOP, Note: "a symbolic link leads to it: name the file itself"}
	}
	if err := sys.Fchdir(dir.Int()); err != nil {
		return err
	}
	return sys.Unmount(base, syscall.MNT_DETACH|umountNoFollow)
}
