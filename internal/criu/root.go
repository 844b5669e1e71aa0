package criu

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"tare/internal/child"
)

// LockRoot makes the root of a restored process read-only if it is not: some versions of criu, 4.1 for one, give
// it the flags of the mount that they were handed, and not those that it had. The process may not run yet.
func LockRoot(pid int) error {
	root := fmt.Sprintf("/proc/%d/root", pid)
	var st unix.Statfs_t
	if err := unix.Statfs(root, &st); err != nil {
		return fmt.Errorf("statfs %q: %w", root, err)
	}
	if st.Flags&unix.ST_RDONLY != 0 {
		return nil
	}
	ns, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	if err != nil {
		return err
	}
	defer ns.Close()
	child.OnOwnThread(func() {
		// setns(2) makes the namespace's root the thread's own.
		if err = unix.Unshare(unix.CLONE_FS); err != nil {
			err = os.NewSyscallError("unshare CLONE_FS", err)
		} else if err = unix.Setns(int(ns.Fd()), unix.CLONE_NEWNS); err != nil {
			err = fmt.Errorf("setns %q: %w", ns.Name(), err)
		} else if err = unix.MountSetattr(unix.AT_FDCWD, "/", 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}); err != nil {
			err = os.NewSyscallError("mount_setattr \"/\"", err)
		}
	})
	return err
}
