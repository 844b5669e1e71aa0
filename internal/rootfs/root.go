// Package rootfs carries out the steps of a plan that build the container's file system: mounts,
// devices, links, masks, the change of root. It is linked into the init stage and imports no more than
// that may.
//
// The rootfs is hostile ground: an image is full of links, and a volume that another container writes
// to changes while we walk it. So no path of the container is ever joined to a host path. A path is
// resolved by the kernel beneath the descriptor of the rootfs (RESOLVE_IN_ROOT), what comes out is a
// descriptor, and everything after happens to that descriptor.
package rootfs

import (
	"syscall"

	"tare/internal/step"
	"tare/internal/sys"
)

// Root is the container's rootfs while it is being built. It is used by one goroutine, whose thread is
// in the container's mount namespace.
type Root struct {
	fd    *sys.FD // root directory of the rootfs's own mount
	proc  *Proc
	empty *sys.FD // the read-only tmpfs that masks directories, once attached somewhere
	null  *sys.FD // the container's verified /dev/null
}

// maxParents bounds the climb to the mount that the rootfs lies on; PATH_MAX allows no more directories.
const maxParents = 2048

// Open makes the rootfs a mount of its own, as step.OpenRootfs says. tree is a borrowed detached clone
// of it, -1 for none. The caller closes the Root.
func Open(s *step.OpenRootfs, tree int) (*Root, error) {
	at, err := sys.OpenAt(sys.AT_FDCWD, s.Path, sys.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	if err := parentPropagation(at, s.Parent); err != nil {
		return nil, sys.On(err, s.Path)
	}
	r := new(Root)
	if tree >= 0 {
		r.fd, err = sys.DupFD(tree, 3)
	} else {
		r.fd, err = sys.OpenTree(sys.AT_FDCWD, s.Path, sys.OPEN_TREE_CLONE|sys.AT_RECURSIVE)
	}
	if err == nil && s.Ephemeral {
		lower := r.fd
		r.fd, err = cover(at, lower, s.UserXattr)
		lower.Close()
	} else if err == nil {
		err = sys.MoveMount(r.fd.Int(), at.Int())
	}
	if err != nil {
		r.Close()
		return nil, sys.On(err, s.Path)
	}
	return r, nil
}

// Adopt gives the Root whose descriptors are open already; null and empty may be nil.
func Adopt(fd, null, empty *sys.FD) *Root { return &Root{fd: fd, null: null, empty: empty} }

// parentPropagation sets the propagation of the mount that at lies on: a mount made on a shared one
// would appear on the host too, and pivot_root(2) refuses it.
func parentPropagation(at *sys.FD, flags uint64) error {
	if flags == 0 {
		return nil
	}
	attr := sys.MountAttr{Propagation: flags &^ syscall.MS_REC}
	dir, err := at.Dup(3)
	if err != nil {
		return err
	}
	for range maxParents { // mount_setattr takes nothing but the root of a mount
		err = sys.MountSetattr(dir.Int(), flags&syscall.MS_REC != 0, attr)
		if sys.ErrnoOf(err) != syscall.EINVAL {
			break
		}
		up, e := sys.OpenAt(dir.Int(), "..", sys.O_PATH|syscall.O_DIRECTORY, 0)
		if e != nil {
			err = e
			break
		}
		dir.Close()
		dir = up
	}
	dir.Close()
	return err
}

// SetPropagation carries out step.SetPropagation.
func SetPropagation(s *step.SetPropagation) error {
	return sys.Mount("", s.Path, "", s.Flags, "")
}

// Enter changes the working directory into the rootfs.
func (r *Root) Enter() error { return sys.On(sys.Fchdir(r.fd.Int()), "rootfs") }

// Close gives all descriptors back. Mounts stay.
func (r *Root) Close() {
	if r == nil {
		return
	}
	r.fd.Close()
	r.empty.Close()
	r.null.Close()
	r.proc.Close()
}

// oldKernel tells whether err means that the call is unknown or filtered out; whoever gets EPERM tries
// the older call, which gives the true answer.
func oldKernel(err error) bool {
	switch sys.ErrnoOf(err) {
	case syscall.ENOSYS, syscall.EPERM:
		return true
	}
	return false
}
