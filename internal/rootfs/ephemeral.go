package rootfs

import (
	"syscall"

	"tare/internal/sys"
)

// cover mounts over the rootfs, which at is open on and tree is a detached clone of, an overlay whose upper
// layer is a tmpfs: what the container changes goes with its last process. Layers are named relative to the
// tmpfs, so that no procfs is needed and mountinfo tells nothing of the host. Mounts below the rootfs do not
// show through an overlay.
func cover(at, tree *sys.FD, userXattr bool) (*sys.FD, error) {
	store, err := newDetached("tmpfs", "tmpfs", syscall.MS_NOSUID|syscall.MS_NODEV, []string{"mode=700"})
	if err != nil {
		return nil, err
	}
	defer store.Close()
	// An overlay takes its layers from mounts of this namespace only.
	if err := sys.MoveMount(store.Int(), at.Int()); err != nil {
		return nil, err
	}
	if err := layers(store, tree); err != nil {
		return nil, err
	}
	if userXattr {
		if err := keepsUserXattrs(store); err != nil {
			return nil, err
		}
	}
	if err := sys.Fchdir(store.Int()); err != nil {
		return nil, err
	}
	defer sys.Chdir("/")
	data := []string{"lowerdir=lower", "upperdir=upper", "workdir=work"}
	if userXattr {
		data = append(data, "userxattr")
	}
	flags, err := refusals(tree)
	if err != nil {
		return nil, err
	}
	top, err := newDetached("overlay", "overlay", flags, data)
	if err != nil {
		return nil, err
	}
	if err := sys.MoveMount(top.Int(), store.Int()); err != nil {
		top.Close()
		return nil, err
	}
	return top, nil
}

// keepsUserXattrs makes sure that an overlay on store can mark what it hides: without that it is mounted all
// the same, and the first directory that is removed is an I/O error.
func keepsUserXattrs(store *sys.FD) error {
	work, err := sys.OpenAt(store.Int(), "work", syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer work.Close()
	return noted(sys.FSetXattr(work.Int(), "user.tare", "1"), "a tmpfs keeps no such attributes before Linux 6.6: no ephemeral root in a user namespace")
}

// refusals are the flags of the mount that fd is on by which it refuses set-user-id programs, devices and
// programs. An overlay does not take them from its layers.
func refusals(fd *sys.FD) (ms uint64, err error) {
	var st syscall.Statfs_t
	if err := sys.Fstatfs(fd.Int(), &st); err != nil {
		return 0, err
	}
	for _, p := range [...]struct {
		st int64
		ms uint64
	}{{sys.ST_NOSUID, syscall.MS_NOSUID}, {sys.ST_NODEV, syscall.MS_NODEV}, {sys.ST_NOEXEC, syscall.MS_NOEXEC}} {
		if int64(st.Flags)&p.st != 0 {
			ms |= p.ms
		}
	}
	return ms, nil
}

// layers makes the directories of an overlay in store and mounts tree as the lower one. The upper one gives the
// overlay's root its owner and mode.
func layers(store, tree *sys.FD) error {
	for _, dir := range [...]string{"lower", "upper", "work"} {
		if err := sys.MkdirAt(store.Int(), dir, 0o700); err != nil {
			return err
		}
	}
	var st syscall.Stat_t
	if err := sys.Fstat(tree.Int(), &st); err != nil {
		return err
	}
	// An owner without an id in this user namespace cannot be given.
	_ = sys.ChownAt(store.Int(), "upper", st.Uid, st.Gid, sys.AT_SYMLINK_NOFOLLOW)
	if err := sys.ChmodAt(store.Int(), "upper", st.Mode&0o7777); err != nil {
		return err
	}
	lower, err := sys.OpenAt(store.Int(), "lower", sys.O_PATH|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer lower.Close()
	return sys.MoveMount(tree.Int(), lower.Int())
}
