package rootfs

import (
	"syscall"

	"tare/internal/step"
	"tare/internal/sys"
)

const ptmxIno = 2 // of every devpts

// Console carries out step.Console but for descriptors 0-2 and the controlling terminal: it gives the
// two ends of the pty.
func (r *Root) Console(c *step.Console) (master, peer *sys.FD, err error) {
	if master, err = r.openPTMX(); err != nil {
		return nil, nil, err
	}
	if err = sys.UnlockPTY(master.Int()); err == nil {
		peer, err = sys.OpenPTYPeer(master.Int())
	}
	if err == nil && c.Rows != 0 && c.Cols != 0 {
		err = sys.SetWinsize(peer.Int(), sys.Winsize{Rows: uint16(c.Rows), Cols: uint16(c.Cols)})
	}
	if err == nil {
		err = sys.Fchown(peer.Int(), int(c.UID), -1)
		if errno := sys.ErrnoOf(err); errno == syscall.EPERM || errno == syscall.EINVAL {
			err = nil
		}
	}
	if err == nil && c.BindConsole {
		err = sys.On(r.bindConsole(peer.Int()), "/dev/console")
	}
	if err != nil {
		master.Close()
		peer.Close()
		return nil, nil, sys.On(err, "/dev/pts/ptmx")
	}
	return master, peer, nil
}

// openPTMX opens the multiplexer of the container's devpts. CVE-2025-52565: links at /dev/pts/N or
// /dev/ptmx sent the console's mount elsewhere. So: the directory must be a devpts, and ptmx its own
// inode 2, reached over no link and no mount. The peer then comes from the master's descriptor.
func (r *Root) openPTMX() (*sys.FD, error) {
	dir, err := find(r.fd.Int(), "/dev/pts", lookup{dir: true})
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if err := isDevpts(dir.Int(), 0); err != nil {
		return nil, err
	}
	node, err := sys.OpenAt(dir.Int(), "ptmx", sys.O_PATH|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	err = isDevpts(node.Int(), ptmxIno)
	node.Close()
	if err != nil {
		return nil, err
	}
	master, err := sys.OpenAt(dir.Int(), "ptmx", syscall.O_RDWR|syscall.O_NOCTTY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := isDevpts(master.Int(), ptmxIno); err != nil {
		master.Close()
		return nil, err
	}
	return master, nil
}

// isDevpts checks the file system, and the inode number unless ino is 0.
func isDevpts(fd int, ino uint64) error {
	magic, err := sys.FSType(fd)
	if err != nil {
		return err
	}
	var st syscall.Stat_t
	if err := sys.Fstat(fd, &st); err != nil {
		return err
	}
	if magic != sys.DEVPTS_SUPER_MAGIC || ino != 0 && st.Ino != ino {
		return &sys.Error{Op: "open", Object: "/dev/pts/ptmx", Errno: syscall.EPERM, Note: "it is not a devpts multiplexer"}
	}
	return nil
}

// bindConsole mounts the peer on /dev/console, which may not be a link (CVE-2026-88264), also when the
// rootfs is read-only and it cannot be made.
func (r *Root) bindConsole(peer int) error {
	dir, base, err := r.parent("/dev/console")
	if err != nil {
		return err
	}
	defer dir.Close()
	target, err := filePoint(dir.Int(), base)
	if err != nil {
		return err
	}
	defer target.Close()
	return cloneOnto(peer, target.Int())
}
