package rootfs

import (
	"syscall"

	"tare/internal/sys"
)

// atimeFlags are the MS_* flags that choose how access times are kept.
const atimeFlags = syscall.MS_NOATIME | syscall.MS_RELATIME | syscall.MS_STRICTATIME

// allAttrs are the attributes that a bind mount's options decide.
const allAttrs = sys.MOUNT_ATTR_RDONLY | sys.MOUNT_ATTR_NOSUID | sys.MOUNT_ATTR_NODEV | sys.MOUNT_ATTR_NOEXEC |
	sys.MOUNT_ATTR_NOSYMFOLLOW

// attrsOf gives the mount attributes of MS_* flags, without the access time mode.
func attrsOf(ms uint64) (attrs uint64) {
	for _, p := range [...][2]uint64{
		{syscall.MS_RDONLY, sys.MOUNT_ATTR_RDONLY},
		{syscall.MS_NOSUID, sys.MOUNT_ATTR_NOSUID},
		{syscall.MS_NODEV, sys.MOUNT_ATTR_NODEV},
		{syscall.MS_NOEXEC, sys.MOUNT_ATTR_NOEXEC},
		{syscall.MS_NODIRATIME, sys.MOUNT_ATTR_NODIRATIME},
		{sys.MS_NOSYMFOLLOW, sys.MOUNT_ATTR_NOSYMFOLLOW},
	} {
		if ms&p[0] != 0 {
			attrs |= p[1]
		}
	}
	return attrs
}

// atimeOf gives the access time mode that MS_* flags ask for; relatime is the kernel's default. Of several
// the same one wins as in mount(2).
func atimeOf(ms uint64) uint64 {
	switch {
	case ms&syscall.MS_STRICTATIME != 0:
		return sys.MOUNT_ATTR_STRICTATIME
	case ms&syscall.MS_NOATIME != 0:
		return sys.MOUNT_ATTR_NOATIME
	}
	return sys.MOUNT_ATTR_RELATIME
}

// NewAttrs gives the attributes of a new mount with MS_* flags.
func NewAttrs(ms uint64) uint64 { return attrsOf(ms) | atimeOf(ms) }

// AskAttrs gives what set and clear ask for and leaves the rest of a mount as it is.
func AskAttrs(set, clear uint64) sys.MountAttr {
	a := sys.MountAttr{Set: attrsOf(set), Clr: attrsOf(clear)}
	switch {
	case set&atimeFlags != 0:
		a.Set |= atimeOf(set)
		a.Clr |= sys.MOUNT_ATTR__ATIME
	case clear&atimeFlags != 0: // norelatime, nostrictatime, atime: back to the default
		a.Clr |= sys.MOUNT_ATTR__ATIME
	}
	return a
}

// OnlyAttrs gives a mount just the attributes that set names, as mount(8) does for a bind with
// options; access times stay unless something is said about them.
func OnlyAttrs(set, clear uint64) sys.MountAttr {
	a := AskAttrs(set, clear)
	a.Clr |= allAttrs
	if (set|clear)&(atimeFlags|syscall.MS_NODIRATIME) != 0 {
		a.Clr |= sys.MOUNT_ATTR_NODIRATIME
	}
	a.Clr &^= a.Set &^ sys.MOUNT_ATTR__ATIME
	return a
}

// setAttrs applies the options of a bind mount to its top mount. In a user namespace the source's own
// attributes are locked: then those are kept, unless the container asked to clear one. keep treats a tree
// that the host has cloned for a user namespace alike, where the kernel has locked nothing yet.
func setAttrs(fd int, set, clear uint64, keep bool) error {
	const binding = syscall.MS_BIND | syscall.MS_REC | syscall.MS_REMOUNT
	if set&^binding == 0 && clear == 0 {
		return nil
	}
	attr := AskAttrs(set, clear)
	if keep {
		if names, err := locked(fd, clear); err != nil || names != "" {
			return lockedError(names, err)
		}
	} else if set&syscall.MS_REMOUNT == 0 {
		attr = OnlyAttrs(set, clear)
	}
	err := sys.MountSetattr(fd, false, attr)
	if sys.ErrnoOf(err) != syscall.EPERM {
		return err
	}
	if err = sys.MountSetattr(fd, false, AskAttrs(set, clear)); sys.ErrnoOf(err) != syscall.EPERM {
		return err
	}
	names, err := locked(fd, clear)
	if names == "" && (set|clear)&(atimeFlags|syscall.MS_NODIRATIME) != 0 {
		names = ": access time flags must match the source's"
	}
	return lockedError(names, err)
}

func lockedError(names string, err error) error {
	if err != nil {
		return err
	}
	return &sys.Error{Op: "mount_setattr", Errno: syscall.EPERM, Note: "cannot clear locked flags" + names}
}

// locked names the flags of a mount that clear asks to clear.
func locked(fd int, clear uint64) (names string, err error) {
	var st syscall.Statfs_t
	if err := sys.Fstatfs(fd, &st); err != nil {
		return "", err
	}
	for _, p := range [...]struct {
		ms   uint64
		st   int64
		name string
	}{
		{syscall.MS_RDONLY, sys.ST_RDONLY, "ro"},
		{syscall.MS_NOSUID, sys.ST_NOSUID, "nosuid"},
		{syscall.MS_NODEV, sys.ST_NODEV, "nodev"},
		{syscall.MS_NOEXEC, sys.ST_NOEXEC, "noexec"},
		{sys.MS_NOSYMFOLLOW, sys.ST_NOSYMFOLLOW, "nosymfollow"},
	} {
		if clear&p.ms != 0 && int64(st.Flags)&p.st != 0 {
			names += " " + p.name
		}
	}
	return names, nil
}

// propagate sets each propagation of list on the mount in turn. mount_setattr takes one at a time.
func propagate(fd int, list []uint32) error {
	for _, p := range list {
		flags := uint64(p)
		attr := sys.MountAttr{Propagation: flags &^ syscall.MS_REC}
		if err := sys.MountSetattr(fd, flags&syscall.MS_REC != 0, attr); err != nil {
			return err
		}
	}
	return nil
}
