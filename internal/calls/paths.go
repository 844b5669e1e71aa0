package calls

import (
	"golang.org/x/sys/unix"

	"tare/internal/step"
)

const (
	dirFD     = uint32(0xffffff9c) // AT_FDCWD
	emptyPath = unix.AT_EMPTY_PATH
)

// Offsets in struct statx and struct statfs, the same on all 64-bit architectures.
const (
	statxUID    = 20
	statxMode   = 28
	statxRdev   = 128 // major, minor
	statxMount  = 144
	statfsFlags = 80
)

const (
	formatMask = unix.S_IFMT
	isDir      = unix.S_IFDIR
	isLink     = unix.S_IFLNK
)

// needRoot opens the present root when no rootfs is open.
func (l *lowering) needRoot() {
	if !l.root {
		l.into(slotRoot, unix.SYS_OPENAT, num(dirFD), l.text("/"), num(unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC))
		l.root = true
	}
}

// find opens a path of the container beneath the root, as internal/rootfs does, and gives the slot and
// the op that may fail because it is missing.
func (l *lowering) find(path string, flags int, noLinks bool) (n, opened int) {
	l.needRoot()
	n = l.slot()
	return n, l.findInto(n, path, flags, noLinks)
}

func (l *lowering) findInto(n int, path string, flags int, noLinks bool) int {
	if path == "" {
		path = "."
	}
	resolve := uint64(unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS)
	if noLinks {
		resolve |= unix.RESOLVE_NO_SYMLINKS
	}
	how := l.words(uint64(flags)|unix.O_CLOEXEC, 0, resolve)
	return l.into(n, unix.SYS_OPENAT2, slot(slotRoot), l.text(path), how, num(24))
}

// parent opens the directory of the last component of path. The next step may use it again.
func (l *lowering) parent(path string) (dir int, base string, ok bool) {
	dirPath, base := split(path)
	if base == "" || base == "." || base == ".." {
		return 0, "", false
	}
	if l.path != dirPath {
		l.dropParent()
		l.dir, _ = l.find(dirPath, unix.O_PATH|unix.O_DIRECTORY, false)
		l.path = dirPath
	}
	return l.dir, base, true
}

func split(path string) (dir, base string) {
	end := len(path)
	for end > 0 && path[end-1] == '/' {
		end--
	}
	start := end
	for start > 0 && path[start-1] != '/' {
		start--
	}
	if start == 0 {
		return "/", path[:end]
	}
	return path[:start], path[start:end]
}

// keepsParent tells whether the directory that is open stays so for s: in a row of nodes and links.
func keepsParent(s step.Step) bool {
	switch s.(type) {
	case *step.Symlink, *step.Device:
		return true
	}
	return false
}

func (l *lowering) dropParent() {
	if l.path != "" {
		l.close(l.dir)
		l.path = ""
	}
}

// statx reads about the file that slot n holds.
func (l *lowering) statx(n arg, into arg) int {
	return l.call(unix.SYS_STATX, n, l.text(""), num(emptyPath|unix.AT_SYMLINK_NOFOLLOW), num(unix.STATX_BASIC_STATS|unix.STATX_MNT_ID), into)
}

// openTree clones the mount tree at path of dir.
func (l *lowering) openTree(n int, dir arg, path string, flags int) {
	if path == "" {
		flags |= emptyPath
	}
	l.into(n, unix.SYS_OPEN_TREE, dir, l.text(path), num(flags|unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC))
}

// moveMount puts the detached mount of slot from on what slot to holds: the step is done with that.
func (l *lowering) moveMount(from, to int) {
	empty := l.text("")
	l.call(unix.SYS_MOVE_MOUNT, slot(from), empty, slot(to), empty, num(unix.MOVE_MOUNT_F_EMPTY_PATH|unix.MOVE_MOUNT_T_EMPTY_PATH))
	l.commit()
}

// cloneOnto mounts a clone of what slot from is on.
func (l *lowering) cloneOnto(from, to int) {
	t := l.slot()
	l.openTree(t, slot(from), "", 0)
	l.moveMount(t, to)
	l.close(t)
}

func (l *lowering) setattr(n int, recursive bool, attr unix.MountAttr) int {
	flags := emptyPath
	if recursive {
		flags |= unix.AT_RECURSIVE
	}
	a := l.words(attr.Attr_set, attr.Attr_clr, attr.Propagation, attr.Userns_fd)
	return l.call(unix.SYS_MOUNT_SETATTR, slot(n), l.text(""), num(flags), a, num(32))
}

// openProc makes a procfs of the lane's own, once.
func (l *lowering) openProc() {
	if l.proc {
		return
	}
	fs := l.slot()
	l.into(fs, unix.SYS_FSOPEN, l.text("proc"), num(unix.FSOPEN_CLOEXEC))
	l.call(unix.SYS_FSCONFIG, slot(fs), num(unix.FSCONFIG_SET_STRING), l.text("source"), l.text("proc"), num(0))
	l.call(unix.SYS_FSCONFIG, slot(fs), num(unix.FSCONFIG_CMD_CREATE), num(0), num(0), num(0))
	l.into(slotProc, unix.SYS_FSMOUNT, slot(fs), num(unix.FSMOUNT_CLOEXEC),
		num(unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV|unix.MOUNT_ATTR_NOEXEC))
	l.close(fs)
	l.proc = true
}

// writeProc writes value to a file of the lane's own procfs.
func (l *lowering) writeProc(path, value string) {
	l.openProc()
	f := l.slot()
	how := l.words(unix.O_WRONLY|unix.O_CLOEXEC, 0, unix.RESOLVE_BENEATH|unix.RESOLVE_NO_XDEV|unix.RESOLVE_NO_MAGICLINKS)
	l.into(f, unix.SYS_OPENAT2, slot(slotProc), l.text(path), how, num(24))
	l.call(unix.SYS_WRITE, slot(f), l.text(value), num(len(value)))
	l.close(f)
}

// label asks the LSM for the label of the next execve. AppArmor's file of its own is there since
// Linux 5.8; without it the step is not plain.
func (l *lowering) label(s *step.ExecLabel) bool {
	switch s.LSM {
	case "apparmor":
		l.writeProc("thread-self/attr/apparmor/exec", "exec "+s.Label)
	case "selinux":
		l.writeProc("thread-self/attr/exec", s.Label)
	default:
		return false
	}
	return true
}

// chdir changes into a directory of the container, and the kernel must have a name for it beneath the root.
func (l *lowering) chdir(s *step.Chdir) {
	var refused []int
	n, opened := l.find(s.Dir, unix.O_PATH|unix.O_DIRECTORY, false)
	entered := l.call(unix.SYS_FCHDIR, slot(n))
	if s.Retry {
		refused = append(refused, l.on(opened, uint16(unix.EPERM), uint16(unix.EACCES)), l.on(entered, uint16(unix.EPERM), uint16(unix.EACCES)))
	}
	cwd := l.room(4096)
	l.call(unix.SYS_GETCWD, cwd, num(4096))
	l.expect(cwd, 0xff, '/')
	l.land(refused...)
	l.close(n)
}
