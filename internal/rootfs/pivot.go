package rootfs

import (
	"syscall"

	"tare/internal/sys"
)

// PivotRoot carries out step.PivotRoot. The old root is stacked on the new one for a moment, so no
// directory of the rootfs has to hold it.
func (r *Root) PivotRoot() error {
	old, err := sys.OpenAt(sys.AT_FDCWD, "/", sys.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer old.Close()
	if err := sys.Fchdir(r.fd.Int()); err != nil {
		return err
	}
	if err := sys.PivotRoot(".", "."); err != nil {
		return err
	}
	// While it is shared, the unmount below would unmount it on the host too.
	if err := sys.MountSetattr(old.Int(), true, sys.MountAttr{Propagation: syscall.MS_SLAVE}); err != nil {
		return sys.On(err, "old root")
	}
	if err := sys.Fchdir(old.Int()); err != nil {
		return err
	}
	if err := sys.Unmount(".", syscall.MNT_DETACH); err != nil {
		return sys.On(err, "old root")
	}
	return sys.Chdir("/")
}
