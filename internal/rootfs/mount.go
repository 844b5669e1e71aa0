package rootfs

import (
	"syscall"

	"tare/internal/step"
	"tare/internal/sys"
)

// tree is a mount on its way into the container.
type tree struct {
	fd       *sys.FD
	attached bool // it is in place already (mount(2) knows no detached mounts)
}

// Mount carries out step.Mount. treeFD and idmap are the borrowed descriptors that it names, -1 for none.
func (r *Root) Mount(m *step.Mount, treeFD, idmap int) error {
	err := r.mount(m, treeFD, idmap)
	if m.Opts&step.MountOptional != 0 && sys.ErrnoOf(err) == syscall.ENOENT {
		return nil
	}
	return sys.On(err, m.Target)
}

func (r *Root) mount(m *step.Mount, treeFD, idmap int) error {
	switch m.Type {
	case step.MountRemount:
		return r.remount(m)
	case step.MountBind:
		return r.bind(m, treeFD, idmap)
	case step.MountFS:
		return r.newFS(m, idmap)
	}
	return &sys.Error{Op: "mount", Object: m.Target, Errno: syscall.EINVAL, Note: "unknown type of mount"}
}

// target opens the place to mount on, and creates it when it is missing: existed tells.
func (r *Root) target(m *step.Mount, file bool) (fd *sys.FD, existed bool, err error) {
	l := lookup{noFollow: m.Opts&step.MountDestNoFollow != 0}
	if m.Opts&step.MountNoSymlinks != 0 {
		// CVE-2019-19921, CVE-2023-27561: an image whose /proc (or a parent of it) is a link sends the
		// container's procfs elsewhere and leaves the runtime with an attacker's directory as /proc.
		l = lookup{noLinks: true, dir: true}
	}
	fd, err = find(r.fd.Int(), m.Target, l)
	existed = err == nil
	if sys.ErrnoOf(err) == syscall.ENOENT && m.Opts&step.MountOptional == 0 {
		fd, err = reach(r.fd.Int(), m.Target, l, file)
	}
	if err == nil {
		err = guardProc(fd.Int(), m)
	}
	if err != nil {
		fd.Close()
		if e := sys.ErrnoOf(err); l.noLinks && (e == syscall.ELOOP || e == syscall.ENOTDIR) {
			err = &sys.Error{Op: "mount", Object: m.Target, Errno: e, Note: "must be a real directory, with no symbolic link on the way"}
		}
		return nil, false, err
	}
	return fd, existed, nil
}

// guardProc refuses a target that turns out to lie in a procfs although the plan knows nothing of it.
// CVE-2019-16884: a volume over /proc/self/attr or all of /proc makes label writes go nowhere; the
// plan has checked the path, but a link in the image may lead another path there.
func guardProc(fd int, m *step.Mount) error {
	if m.Opts&(step.MountProcGuard|step.MountNoSymlinks|step.MountSourceProc) != 0 {
		return nil
	}
	magic, err := sys.FSType(fd)
	if err == nil && magic == sys.PROC_SUPER_MAGIC {
		err = &sys.Error{Op: "mount", Object: m.Target, Errno: syscall.EPERM, Note: "leads into a procfs"}
	}
	return err
}

// newFS mounts a new instance of a file system. The order: what it hides is copied while the mount is
// detached and writable, then it becomes read-only, then it goes in place.
func (r *Root) newFS(m *step.Mount, idmap int) error {
	target, existed, err := r.target(m, false)
	if err != nil {
		return err
	}
	defer target.Close()
	data := m.Data
	if m.FSType == "tmpfs" && existed {
		if data, err = keepMode(target.Int(), data); err != nil {
			return err
		}
	}
	set := m.Set
	late := m.FSType == "tmpfs" && set&syscall.MS_RDONLY != 0
	if late {
		set &^= syscall.MS_RDONLY
	}
	t, err := r.create(m, set, data, target)
	if err != nil {
		return err
	}
	defer func() { t.fd.Close() }()
	if m.Opts&step.MountCopyUp != 0 {
		if err := copyUp(target.Int(), t.fd.Int()); err != nil {
			return err
		}
	}
	if m.Label != "" {
		if err := labelFile(t.fd.Int(), m.Label); err != nil {
			return err
		}
	}
	if late {
		if err := sys.MountSetattr(t.fd.Int(), false, sys.MountAttr{Set: sys.MOUNT_ATTR_RDONLY}); err != nil {
			return err
		}
	}
	return r.settle(m, t, target, idmap)
}

// settle does what all new mounts have in common: id map, recursive attributes, the move into place,
// propagation. An id map can only be set while the mount is detached.
func (r *Root) settle(m *step.Mount, t tree, target *sys.FD, idmap int) error {
	if idmap >= 0 {
		attr := sys.MountAttr{Set: sys.MOUNT_ATTR_IDMAP, UserNS: uint64(idmap)}
		if err := sys.MountSetattr(t.fd.Int(), m.IDMapRec, attr); err != nil {
			return noted(err, "id map: the file system may not support it")
		}
	}
	if m.RecSet|m.RecClr != 0 {
		if err := sys.MountSetattr(t.fd.Int(), true, sys.MountAttr{Set: m.RecSet, Clr: m.RecClr}); err != nil {
			return err
		}
	}
	if !t.attached {
		if err := sys.MoveMount(t.fd.Int(), target.Int()); err != nil {
			return err
		}
	}
	if err := r.verify(m, t.fd.Int()); err != nil {
		return err
	}
	return propagate(t.fd.Int(), m.Propagation)
}

// verify proves that the path of the target leads to the mount just made. CVE-2021-30465: who can
// rename directories of the rootfs meanwhile moves the target away after it was opened; the mount then
// sits elsewhere, say an unmasked procfs in a volume, while the path shows what the attacker put there.
func (r *Root) verify(m *step.Mount, fd int) error {
	var st syscall.Stat_t
	if err := sys.Fstat(fd, &st); err != nil {
		return err
	}
	l := lookup{noLinks: m.Opts&step.MountNoSymlinks != 0}
	l.noFollow = m.Opts&step.MountDestNoFollow != 0 || st.Mode&syscall.S_IFMT == syscall.S_IFLNK // a link was mounted
	now, err := find(r.fd.Int(), m.Target, l)
	if err != nil {
		return err
	}
	defer now.Close()
	same, err := sameMount(now.Int(), fd)
	if err == nil && !same {
		err = &sys.Error{Op: "mount", Object: m.Target, Note: "the target was replaced while it was mounted on"}
	}
	return err
}

func sameMount(a, b int) (bool, error) {
	x, err := mountID(a)
	if err != nil {
		return false, err
	}
	y, err := mountID(b)
	return x == y, err
}

func mountID(fd int) (uint64, error) {
	var st sys.Statx
	if err := sys.StatX(fd, "", sys.AT_EMPTY_PATH|sys.AT_SYMLINK_NOFOLLOW, sys.STATX_MNT_ID, &st); err != nil {
		return 0, err
	}
	return st.MntID, nil
}

// keepMode adds the mode of the directory that a tmpfs will hide, unless a mode was asked for: /dev/shm
// and /tmp keep their sticky bit.
func keepMode(target int, data []string) ([]string, error) {
	for _, d := range data {
		if hasPrefix(d, "mode=") {
			return data, nil
		}
	}
	var st syscall.Stat_t
	if err := sys.Fstat(target, &st); err != nil {
		return nil, err
	}
	return append(data[:len(data):len(data)], "mode="+octal(st.Mode&0o7777)), nil
}

func octal(v uint32) string {
	return string([]byte{'0' + byte(v>>9&7), '0' + byte(v>>6&7), '0' + byte(v>>3&7), '0' + byte(v&7)})
}

func hasPrefix(s, prefix string) bool { return len(s) >= len(prefix) && s[:len(prefix)] == prefix }

// noted adds a note to err when it has none.
func noted(err error, note string) error {
	if e, ok := err.(*sys.Error); ok && e.Note == "" {
		e.Note = note
	}
	return err
}
