package rootfs

import (
	"syscall"

	"tare/internal/step"
	"tare/internal/sys"
)

// Symlink carries out step.Symlink. CVE-2026-41579: with an image whose /dev is a link, the links that
// belong into it were made, and what was there removed, on the host; the parent is opened in the root.
func (r *Root) Symlink(s *step.Symlink) error {
	dir, base, err := r.parent(s.Path)
	if err != nil {
		return err
	}
	defer dir.Close()
	for range maxRetries {
		err = sys.SymlinkAt(s.Target, dir.Int(), base)
		if sys.ErrnoOf(err) != syscall.EEXIST || !s.Replace {
			break
		}
		if text, e := sys.ReadlinkAt(dir.Int(), base); e == nil && text == s.Target {
			return nil
		}
		if e := sys.UnlinkAt(dir.Int(), base, 0); e != nil && sys.ErrnoOf(e) != syscall.ENOENT {
			return &sys.Error{Op: "unlink", Object: s.Path, Errno: sys.ErrnoOf(e)}
		}
	}
	if errno := sys.ErrnoOf(err); errno != 0 && (errno != syscall.EEXIST || s.Replace) {
		return &sys.Error{Op: "symlink", Object: s.Path, Errno: errno}
	}
	return nil
}
