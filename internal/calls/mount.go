package calls

import (
	"golang.org/x/sys/unix"

	"tare/internal/rootfs"
	"tare/internal/step"
)

// mount lowers a mount.
func (l *lowering) mount(m *step.Mount) bool {
	switch m.Type {
	case step.MountFS:
		return l.mountFS(m)
	case step.MountBind:
		return l.bind(m)
	case step.MountRemount:
		return l.remount(m)
	}
	return false
}

// target opens the place to mount on and makes it when it is missing: see rootfs.Root.target. src is the
// slot of the tree that comes there, 0 for a file system. missing are the ops that jump to the end of the
// step when the mount is optional.
func (l *lowering) target(m *step.Mount, src int) (n int, missing []int) {
	flags, noLinks := lookup(m)
	l.forget(slotMade)
	n, opened := l.find(m.Target, flags, noLinks)
	l.on(opened, uint16(unix.ENOENT))
	if m.Opts&step.MountOptional != 0 {
		missing = append(missing, opened)
	} else {
		l.create(m, n, src, opened)
	}
	if m.Opts&(step.MountProcGuard|step.MountNoSymlinks|step.MountSourceProc) == 0 {
		l.call(unix.SYS_FSTATFS, slot(n), l.stat)
		l.refuse(l.stat, ^uint64(0), unix.PROC_SUPER_MAGIC)
	}
	return n, missing
}

// create makes the last component of a target when the op opened has not found it. A parent that is missing
// too, or a link that leads nowhere, is left to the Go lane.
func (l *lowering) create(m *step.Mount, n, src, opened int) {
	there := l.jump()
	l.land(opened)
	l.set(slotMade, num(1))
	dirPath, base := split(m.Target)
	if base == "" || base == "." || base == ".." {
		l.add(opLeave)
		l.land(there)
		return
	}
	_, noLinks := lookup(m)
	dir, _ := l.find(dirPath, unix.O_PATH|unix.O_DIRECTORY, noLinks)
	var made []int
	if src != 0 {
		l.statx(slot(src), l.stat)
		isDirectory := l.refuse(l.stat.plus(statxMode), formatMask, isDir)
		f := l.slot()
		l.into(f, unix.SYS_OPENAT, slot(dir), l.text(base), num(unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_WRONLY|unix.O_CLOEXEC), num(0o644))
		l.close(f)
		made = append(made, l.jump())
		l.land(isDirectory)
	}
	l.call(unix.SYS_MKDIRAT, slot(dir), l.text(base), num(0o755))
	l.land(made...)
	l.into(n, unix.SYS_OPENAT, slot(dir), l.text(base), num(unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC))
	l.close(dir)
	l.land(there)
}

func lookup(m *step.Mount) (flags int, noLinks bool) {
	if m.Opts&step.MountNoSymlinks != 0 {
		return unix.O_PATH | unix.O_DIRECTORY, true
	}
	flags = unix.O_PATH
	if m.Opts&step.MountDestNoFollow != 0 {
		flags |= unix.O_NOFOLLOW
	}
	return flags, false
}

func (l *lowering) mountFS(m *step.Mount) bool {
	if m.Opts&step.MountCopyUp != 0 || !rootfs.FitsFSConfig(m, m.Set, m.Data) {
		return false
	}
	target, missing := l.target(m, 0)
	set, data := m.Set, m.Data
	var mode *arg
	if m.FSType == "tmpfs" && !hasMode(data) {
		// It keeps the mode of the directory that it hides, when there was one.
		l.statx(slot(target), l.stat)
		a := l.bytes([]byte("0000\x00"))
		l.add(opOctal, l.stat.plus(statxMode), a)
		mode = &a
	}
	late := m.FSType == "tmpfs" && set&unix.MS_RDONLY != 0
	if late {
		set &^= unix.MS_RDONLY
	}
	t := l.slot()
	l.newFS(t, m.FSType, m.Source, set, data, mode)
	if m.Label != "" {
		dir := l.slot()
		l.into(dir, unix.SYS_OPENAT, slot(t), l.text("."), num(unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC))
		l.call(unix.SYS_FSETXATTR, slot(dir), l.text(rootfs.SELinuxXattr), l.text(m.Label), num(len(m.Label)), num(0))
		l.close(dir)
	}
	if late {
		l.setattr(t, false, unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	}
	l.settle(m, t, target)
	l.land(missing...)
	return true
}

func hasMode(data []string) bool {
	for _, d := range data {
		if len(d) > 5 && d[:5] == "mode=" || d == "mode=" {
			return true
		}
	}
	return false
}

// newFS makes a file system and a detached mount of it; mode is the text for one more option.
func (l *lowering) newFS(t int, fstype, source string, set uint64, data []string, mode *arg) {
	fs := l.slot()
	l.into(fs, unix.SYS_FSOPEN, l.text(fstype), num(unix.FSOPEN_CLOEXEC))
	for _, p := range rootfs.Params(source, set, data) {
		if p.Has {
			l.call(unix.SYS_FSCONFIG, slot(fs), num(unix.FSCONFIG_SET_STRING), l.text(p.Key), l.text(p.Value), num(0))
		} else {
			l.call(unix.SYS_FSCONFIG, slot(fs), num(unix.FSCONFIG_SET_FLAG), l.text(p.Key), num(0), num(0))
		}
	}
	if mode != nil {
		made := l.ifOpen(slotMade)
		l.call(unix.SYS_FSCONFIG, slot(fs), num(unix.FSCONFIG_SET_STRING), l.text("mode"), *mode, num(0))
		l.land(made)
	}
	l.call(unix.SYS_FSCONFIG, slot(fs), num(unix.FSCONFIG_CMD_CREATE), num(0), num(0), num(0))
	l.into(t, unix.SYS_FSMOUNT, slot(fs), num(unix.FSMOUNT_CLOEXEC), num(rootfs.NewAttrs(set)))
	l.close(fs)
}

func (l *lowering) bind(m *step.Mount) bool {
	keep := m.Opts&step.MountKeepFlags != 0
	if keep && m.Clear != 0 {
		return false // whether a locked flag is among them is the Go lane's to say
	}
	var missing []int
	if m.Opts&step.MountCopySymlink != 0 && m.Tree == 0 {
		link := l.slot()
		l.into(link, unix.SYS_OPENAT, num(dirFD), l.text(m.Source), num(unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC))
		l.statx(slot(link), l.stat)
		l.refuse(l.stat.plus(statxMode), formatMask, isLink)
		l.close(link)
	}
	src := l.slot()
	if m.Tree != 0 {
		l.into(src, unix.SYS_FCNTL, slot(l.table(m.Tree)), num(unix.F_DUPFD_CLOEXEC), num(3))
	} else {
		flags := 0
		if m.Opts&step.MountRecursive != 0 {
			flags |= unix.AT_RECURSIVE
		}
		if m.Opts&step.MountSrcNoFollow != 0 {
			flags |= unix.AT_SYMLINK_NOFOLLOW
		}
		l.openTree(src, num(dirFD), m.Source, flags)
		if m.Opts&step.MountOptional != 0 {
			missing = append(missing, l.on(len(l.ops)-1, uint16(unix.ENOENT)))
		}
	}
	if m.Opts&step.MountSrcNoFollow != 0 { // whether the path leads to a mounted link takes another look than settle's
		l.statx(slot(src), l.stat)
		l.refuse(l.stat.plus(statxMode), formatMask, isLink)
	}
	if m.Opts&step.MountSourceProc != 0 {
		l.call(unix.SYS_FSTATFS, slot(src), l.stat)
		l.expect(l.stat, ^uint64(0), unix.PROC_SUPER_MAGIC)
	}
	target, absent := l.target(m, src)
	l.setAttrs(src, m, keep)
	l.settle(m, src, target)
	l.land(missing...)
	l.land(absent...)
	return true
}

// setAttrs applies the options of a bind mount: see setAttrs of internal/rootfs, whose first attempt this is.
func (l *lowering) setAttrs(n int, m *step.Mount, keep bool) {
	const binding = unix.MS_BIND | unix.MS_REC | unix.MS_REMOUNT
	if m.Set&^binding == 0 && m.Clear == 0 {
		return
	}
	attr := rootfs.OnlyAttrs(m.Set, m.Clear)
	if keep || m.Type == step.MountRemount {
		attr = rootfs.AskAttrs(m.Set, m.Clear)
	}
	l.setattr(n, false, unix.MountAttr{Attr_set: attr.Set, Attr_clr: attr.Clr})
}

func (l *lowering) remount(m *step.Mount) bool {
	if m.Opts&step.MountOptional != 0 {
		return false
	}
	target, _ := l.target(m, 0)
	if m.Set&unix.MS_BIND != 0 {
		l.setAttrs(target, m, false)
	} else {
		path := l.room(32)
		l.add(opFDPath, slot(target), path)
		l.call(unix.SYS_MOUNT, num(0), path, num(0), num(m.Set|unix.MS_REMOUNT), l.text(rootfs.Joined(m.Data)))
	}
	l.commit()
	if m.RecSet|m.RecClr != 0 {
		l.setattr(target, true, unix.MountAttr{Attr_set: m.RecSet, Attr_clr: m.RecClr})
	}
	l.propagate(target, m)
	l.close(target)
	return true
}

// settle puts the detached mount of slot t in place: see rootfs.Root.settle and verify.
func (l *lowering) settle(m *step.Mount, t, target int) {
	if m.IDMap != 0 {
		l.idmap(t, m)
	}
	if m.RecSet|m.RecClr != 0 {
		l.setattr(t, true, unix.MountAttr{Attr_set: m.RecSet, Attr_clr: m.RecClr})
	}
	l.moveMount(t, target)
	flags, noLinks := lookup(m)
	now := l.slot()
	l.findInto(now, m.Target, flags&^unix.O_DIRECTORY, noLinks)
	a, b := l.stat, l.room(256)
	l.statx(slot(t), a)
	l.statx(slot(now), b)
	l.add(opSame, a.plus(statxMount), b.plus(statxMount))
	l.close(now)
	l.propagate(t, m)
	l.close(t)
	l.close(target)
}

// idmap sets an id map, whose user namespace is a descriptor from the table: it goes into the argument.
func (l *lowering) idmap(t int, m *step.Mount) {
	attr := l.words(unix.MOUNT_ATTR_IDMAP, 0, 0, 0)
	l.add(opOr, attr.plus(24), slot(l.table(m.IDMap)))
	flags := emptyPath
	if m.IDMapRec {
		flags |= unix.AT_RECURSIVE
	}
	l.call(unix.SYS_MOUNT_SETATTR, slot(t), l.text(""), num(flags), attr, num(32))
}

func (l *lowering) propagate(n int, m *step.Mount) {
	for _, p := range m.Propagation {
		flags := uint64(p)
		l.setattr(n, flags&unix.MS_REC != 0, unix.MountAttr{Propagation: flags &^ unix.MS_REC})
	}
}
