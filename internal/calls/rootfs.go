package calls

import (
	"strings"

	"golang.org/x/sys/unix"

	"tare/internal/step"
)

// openRootfs: see rootfs.Open. mount_setattr takes only the root of a mount, so the mount that the rootfs
// lies on is looked for upwards, at most as many directories as its path has.
func (l *lowering) openRootfs(s *step.OpenRootfs) {
	at := l.slot()
	l.into(at, unix.SYS_OPENAT, num(dirFD), l.text(s.Path), num(unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC))
	if s.Parent != 0 {
		l.parentPropagation(at, s)
	}
	if s.Tree != 0 {
		l.into(slotRoot, unix.SYS_FCNTL, slot(l.table(s.Tree)), num(unix.F_DUPFD_CLOEXEC), num(3))
	} else {
		l.openTree(slotRoot, num(dirFD), s.Path, unix.AT_RECURSIVE)
	}
	l.root = true
	l.moveMount(slotRoot, at)
	l.close(at)
}

func (l *lowering) parentPropagation(at int, s *step.OpenRootfs) {
	attr := unix.MountAttr{Propagation: s.Parent &^ unix.MS_REC}
	dir := at
	var done []int
	for range strings.Count(s.Path, "/") {
		l.on(l.setattr(dir, s.Parent&unix.MS_REC != 0, attr), uint16(unix.EINVAL))
		l.ops[len(l.ops)-1].jump = 1
		done = append(done, l.jump())
		up := l.slot()
		l.into(up, unix.SYS_OPENAT, slot(dir), l.text(".."), num(unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC))
		dir = up
	}
	l.setattr(dir, s.Parent&unix.MS_REC != 0, attr)
	l.land(done...)
	for n := at + 1; n <= dir; n++ {
		l.close(n)
	}
}

func (l *lowering) pivotRoot() {
	l.needRoot()
	old, dot := l.slot(), l.text(".")
	l.into(old, unix.SYS_OPENAT, num(dirFD), l.text("/"), num(unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC))
	l.call(unix.SYS_FCHDIR, slot(slotRoot))
	l.call(unix.SYS_PIVOT_ROOT, dot, dot)
	l.commit()
	l.setattr(old, true, unix.MountAttr{Propagation: unix.MS_SLAVE})
	l.call(unix.SYS_FCHDIR, slot(old))
	l.call(unix.SYS_UMOUNT2, dot, num(unix.MNT_DETACH))
	l.call(unix.SYS_CHDIR, l.text("/"))
	l.close(old)
	l.dropTable()
}

// dropTable closes what the host sent and no later step uses: see the Go lane's dropFDs.
func (l *lowering) dropTable() {
	keep, top := make(map[step.FD]bool), step.FD(0)
	for i, s := range l.steps {
		for _, n := range tableOf(s) {
			top = max(top, n)
			keep[n] = keep[n] || i > l.index
		}
	}
	for n := step.FD(1); n <= top; n++ {
		if !keep[n] {
			l.close(l.table(n))
		}
	}
}

// tableOf are the descriptors of the host's that s uses.
func tableOf(s step.Step) []step.FD {
	switch s := s.(type) {
	case *step.WaitStart:
		return []step.FD{s.Listener}
	case *step.Mount:
		return []step.FD{s.Tree, s.IDMap}
	case *step.OpenRootfs:
		return []step.FD{s.Tree}
	}
	return nil
}

// symlink makes a link; an existing one stays as it is, or gives way in the Go lane.
func (l *lowering) symlink(s *step.Symlink) bool {
	dir, base, ok := l.parent(s.Path)
	if !ok {
		return false
	}
	made := l.call(unix.SYS_SYMLINKAT, l.text(s.Target), slot(dir), l.text(base))
	if !s.Replace {
		l.on(made, uint16(unix.EEXIST))
	}
	return true
}

// device makes a node. It must turn out as asked for: the kernel gives it the lane's ids, or its
// directory's group.
func (l *lowering) device(d *step.Device) bool {
	dir, base, ok := l.parent(d.Path)
	if !ok {
		return false
	}
	if d.Bind {
		l.bindDevice(d, dir, base)
		return true
	}
	l.call(unix.SYS_MKNODAT, slot(dir), l.text(base), num(d.Type|d.Mode), num(unix.Mkdev(d.Major, d.Minor)))
	l.call(unix.SYS_STATX, slot(dir), l.text(base), num(unix.AT_SYMLINK_NOFOLLOW), num(unix.STATX_BASIC_STATS), l.stat)
	l.expect(l.stat.plus(statxMode), 0xffff, uint64(d.Type|d.Mode))
	l.expect(l.stat.plus(statxUID), ^uint64(0), uint64(d.GID)<<32|uint64(d.UID))
	l.expectNumber(d)
	return true
}

func (l *lowering) expectNumber(d *step.Device) {
	if d.Type != unix.S_IFIFO {
		l.expect(l.stat.plus(statxRdev), ^uint64(0), uint64(d.Minor)<<32|uint64(d.Major))
	}
}

// bindDevice mounts the host's node on a file, which is made when it is missing and is never a link.
func (l *lowering) bindDevice(d *step.Device, dir int, base string) {
	src, made, target := l.slot(), l.slot(), l.slot()
	l.openTree(src, num(dirFD), d.Source, 0)
	l.statx(slot(src), l.stat)
	l.expect(l.stat.plus(statxMode), formatMask, uint64(d.Type))
	l.expectNumber(d)
	there := l.into(made, unix.SYS_OPENAT, slot(dir), l.text(base),
		num(unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_WRONLY|unix.O_CLOEXEC), num(0o644))
	l.on(there, uint16(unix.EEXIST), uint16(unix.EROFS))
	l.close(made)
	l.land(there)
	l.into(target, unix.SYS_OPENAT, slot(dir), l.text(base), num(unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC))
	l.statx(slot(target), l.stat)
	l.refuse(l.stat.plus(statxMode), formatMask, isLink)
	l.moveMount(src, target)
	l.close(src)
	l.close(target)
}

// maskPath: see rootfs.MaskPath. Which of the masks are there shows only when the lane runs.
func (l *lowering) maskPath(m *step.MaskPath) bool {
	if m.Label != "" {
		return false
	}
	target, opened := l.find(m.Path, unix.O_PATH, false)
	l.on(opened, uint16(unix.ENOENT), uint16(unix.ENOTDIR))
	l.statx(slot(target), l.stat)
	file := l.expect(l.stat.plus(statxMode), formatMask, isDir)

	again := l.ifOpen(slotEmpty)
	fresh := l.slot()
	l.newFS(fresh, "tmpfs", "tmpfs", unix.MS_RDONLY, []string{"nr_blocks=1", "nr_inodes=1"}, nil)
	l.moveMount(fresh, target)
	l.set(slotEmpty, slot(fresh))
	l.forget(fresh)
	first := l.jump()
	l.land(again)
	l.cloneOnto(slotEmpty, target)
	dir := l.jump()

	l.land(file)
	known := l.ifOpen(slotNull)
	null, _ := l.find("/dev/null", unix.O_PATH, false)
	l.statx(slot(null), l.stat)
	l.expect(l.stat.plus(statxMode), formatMask, unix.S_IFCHR)
	l.expect(l.stat.plus(statxRdev), ^uint64(0), 3<<32|1)
	l.set(slotNull, slot(null))
	l.forget(null)
	l.land(known)
	l.cloneOnto(slotNull, target)
	l.land(opened, first, dir)
	l.close(target)
	return true
}

func (l *lowering) readonlyPath(s *step.ReadonlyPath) {
	target, opened := l.find(s.Path, unix.O_PATH, false)
	l.on(opened, uint16(unix.ENOENT), uint16(unix.ENOTDIR))
	t := l.slot()
	l.openTree(t, slot(target), "", unix.AT_RECURSIVE)
	l.setattr(t, false, unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	l.moveMount(t, target)
	l.close(t)
	l.close(target)
	l.land(opened)
}
