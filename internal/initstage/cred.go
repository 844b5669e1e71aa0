package initstage

import (
	"strconv"
	"syscall"

	"tare/internal/rootfs"
	"tare/internal/step"
	"tare/internal/sys"
)

// boundingCaps drops what is not kept. The kernel says EINVAL at the first number that it does not know.
func boundingCaps(s *step.BoundingCaps) error {
	for n := uintptr(0); n < 64; n++ {
		if s.Keep&(1<<n) != 0 {
			continue
		}
		_, err := sys.Prctl("PR_CAPBSET_DROP", sys.PR_CAPBSET_DROP, n, 0)
		switch sys.ErrnoOf(err) {
		case 0:
			continue
		case syscall.EINVAL:
			return nil
		}
		if has, e := sys.Prctl("PR_CAPBSET_READ", sys.PR_CAPBSET_READ, n, 0); e == nil && has == 0 {
			continue // no right to drop, and nothing to
		}
		return sys.On(err, step.CapName(uint(n)))
	}
	return nil
}

// user changes to the container's user. The order: files are given away while the right is there;
// groups before the uid that takes the right to change them; umask at last, for the mode of nothing
// that we make ourselves.
func user(s *step.User) error {
	if s.ChownStdio {
		if err := chownStdio(s.UID); err != nil {
			return err
		}
	}
	if _, err := sys.Prctl("PR_SET_KEEPCAPS", sys.PR_SET_KEEPCAPS, 1, 0); err != nil {
		return err
	}
	if s.SetGroups {
		err := sys.Setgroups(s.Groups)
		if err != nil && !(s.GroupsDenied && sys.ErrnoOf(err) == syscall.EPERM) {
			return unmapped(err, "setgroups", "additional gid", "")
		}
	}
	if err := sys.Setresgid(s.GID); err != nil {
		return unmapped(err, "setgid", "gid", strconv.FormatUint(uint64(s.GID), 10))
	}
	if err := sys.Setresuid(s.UID); err != nil {
		return unmapped(err, "setuid", "uid", strconv.FormatUint(uint64(s.UID), 10))
	}
	sys.Umask(int(s.Umask))
	return nil
}

// unmapped says in words what EINVAL means for these calls.
func unmapped(err error, call, what, id string) error {
	if sys.ErrnoOf(err) != syscall.EINVAL {
		return err
	}
	if id != "" {
		id = " " + id
	}
	return &sys.Error{Errno: syscall.EINVAL, Note: "cannot " + call + " to unmapped " + what + id + " in user namespace"}
}

// chownStdio gives the standard descriptors to the user, so that it can open /dev/stdout again. Never
// the null device (CVE-2026-88265: the host's would change hands): the descriptor itself tells what it
// is, and the container's takes its place. The group stays: it may be unmapped.
func chownStdio(uid uint32) error {
	for fd := range 3 {
		var st syscall.Stat_t
		if err := sys.Fstat(fd, &st); err != nil {
			continue // closed
		}
		if st.Mode&syscall.S_IFMT == syscall.S_IFCHR && rootfs.CheckNull(fd) == nil {
			ownNull(fd)
			continue
		}
		if st.Uid == uid {
			continue
		}
		err := sys.Fchown(fd, int(uid), -1)
		switch sys.ErrnoOf(err) {
		case 0, syscall.EPERM, syscall.EINVAL, syscall.EROFS:
		default:
			return err
		}
	}
	return nil
}

// ownNull puts the container's null device in the place of the caller's: a descriptor that leads to a mount
// of the host cannot be checkpointed. Where the container has none, or something else under the name, the
// caller's stays.
func ownNull(fd int) {
	null, err := sys.OpenAt(sys.AT_FDCWD, "/dev/null", syscall.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer null.Close()
	if rootfs.CheckNull(null.Int()) == nil && sys.SetNonblock(null.Int(), false) == nil {
		sys.Dup3(null.Int(), fd, 0)
	}
}

// caps sets the final capability sets. What the kernel cannot grant is a warning, as the specification
// has it for capabilities.
func (l *lane) caps(s *step.Caps) error {
	now, err := sys.Capget()
	if err != nil {
		return err
	}
	bounds := uint64(0)
	for n := uintptr(0); n < 64; n++ {
		if has, err := sys.Prctl("PR_CAPBSET_READ", sys.PR_CAPBSET_READ, n, 0); err != nil {
			break
		} else if has == 1 {
			bounds |= 1 << n
		}
	}
	permitted := s.Permitted & now.Permitted
	want := sys.CapSets{Permitted: permitted, Effective: s.Effective & permitted,
		Inheritable: s.Inheritable & (now.Inheritable | bounds&now.Permitted)}
	l.warnCaps(s, "permitted", s.Permitted&^want.Permitted)
	l.warnCaps(s, "effective", s.Effective&^want.Effective&s.Permitted&^(s.Permitted&^permitted))
	l.warnCaps(s, "inheritable", s.Inheritable&^want.Inheritable)
	if err := sys.Capset(want); err != nil {
		return err
	}
	if _, err := sys.Prctl("PR_CAP_AMBIENT_CLEAR_ALL", sys.PR_CAP_AMBIENT, sys.PR_CAP_AMBIENT_CLEAR_ALL, 0); err != nil {
		return err
	}
	refused := uint64(0)
	for n := uintptr(0); n < 64; n++ {
		if s.Ambient&(1<<n) == 0 {
			continue
		}
		if _, err := sys.Prctl("PR_CAP_AMBIENT_RAISE", sys.PR_CAP_AMBIENT, sys.PR_CAP_AMBIENT_RAISE, n); err != nil {
			refused |= 1 << n
		}
	}
	l.warnCaps(s, "ambient", refused)
	return nil
}

// warnCaps tells which capabilities of a set were not granted.
func (l *lane) warnCaps(s step.Step, set string, lost uint64) {
	if lost == 0 {
		return
	}
	l.warn(s, step.LostCaps(set, lost))
}

// seccomp installs the filter. When little more than execve is left after it, what else precedes
// that is done first: the fewer calls the filter sees, the less a profile must allow for the runtime's sake.
func (l *lane) seccomp(s *step.Seccomp) error {
	flags := s.Flags
	if s.Notify {
		flags |= sys.SECCOMP_FILTER_FLAG_NEW_LISTENER
		if flags&sys.SECCOMP_FILTER_FLAG_TSYNC != 0 {
			flags |= sys.SECCOMP_FILTER_FLAG_TSYNC_ESRCH
		}
	}
	if step.NearExec(l.req.Steps[l.index+1:]) {
		l.getReady()
	}
	if err := mayFilter(); err != nil {
		return err
	}
	listener, err := sys.SetSeccomp(s.Filter, flags)
	if err != nil {
		return err
	}
	if s.Notify {
		err = l.sendFD(step.RoleSeccomp, listener.Int())
		listener.Close()
	}
	return err
}

// mayFilter makes CAP_SYS_ADMIN effective for a process that the plan has let keep it for this: without
// no_new_privs the kernel asks for it. The Caps step that follows takes it away.
func mayFilter() error {
	const sysAdmin = 1 << 21
	now, err := sys.Capget()
	if err != nil || now.Permitted&sysAdmin == 0 || now.Effective&sysAdmin != 0 {
		return err
	}
	now.Effective |= sysAdmin
	return sys.Capset(now)
}
