package calls

import (
	"os"

	"golang.org/x/sys/unix"

	"tare/internal/step"
)

// lastCap is past every capability number: the kernel says EINVAL at the first that it does not know.
const lastCap = 64

func (l *lowering) boundingCaps(s *step.BoundingCaps) {
	var done []int
	for n := range lastCap {
		if s.Keep&(1<<n) == 0 {
			drop := l.call(unix.SYS_PRCTL, num(unix.PR_CAPBSET_DROP), num(n), num(0), num(0), num(0))
			done = append(done, l.on(drop, uint16(unix.EINVAL)))
		}
	}
	l.land(done...)
}

// user changes to the container's user.
func (l *lowering) user(s *step.User) {
	if s.ChownStdio {
		for fd := range 3 {
			l.chownStdio(fd, s.UID)
		}
	}
	l.call(unix.SYS_PRCTL, num(unix.PR_SET_KEEPCAPS), num(1), num(0), num(0), num(0))
	if s.SetGroups {
		groups := l.halves(s.Groups...)
		set := l.call(unix.SYS_SETGROUPS, num(len(s.Groups)), groups)
		if s.GroupsDenied {
			l.on(set, uint16(unix.EPERM))
		}
	}
	l.call(unix.SYS_SETRESGID, num(s.GID), num(s.GID), num(s.GID))
	l.call(unix.SYS_SETRESUID, num(s.UID), num(s.UID), num(s.UID))
	l.call(unix.SYS_UMASK, num(s.Umask))
}

// chownStdio gives a standard descriptor to the user, unless it is closed or the user's already. The
// container's null device takes the place of the caller's.
func (l *lowering) chownStdio(fd int, uid uint32) {
	closed := l.on(l.statx(num(fd), l.stat), uint16(unix.EBADF))
	other := l.isNull()
	done := l.ownNull(fd)
	l.land(other...)
	same := l.refuse(l.stat.plus(statxUID), 0xffffffff, uint64(uid))
	l.on(l.call(unix.SYS_FCHOWN, num(fd), num(uid), num(uint32(0xffffffff))),
		uint16(unix.EPERM), uint16(unix.EINVAL), uint16(unix.EROFS))
	l.land(closed, same)
	l.land(done...)
}

// isNull goes on when stat is the null device's; else the ops that it gives jump.
func (l *lowering) isNull() []int {
	return []int{
		l.expect(l.stat.plus(statxRdev), ^uint64(0), 3<<32|1),
		l.expect(l.stat.plus(statxMode), formatMask, unix.S_IFCHR),
	}
}

// ownNull puts the container's null device at fd where it has one. Its last op jumps.
func (l *lowering) ownNull(fd int) (done []int) {
	null := l.slot()
	none := l.on(l.into(null, unix.SYS_OPENAT, num(dirFD), l.text("/dev/null"),
		num(unix.O_RDWR|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC), num(0)), anyErrno)
	l.statx(slot(null), l.stat)
	other := l.isNull()
	l.call(unix.SYS_FCNTL, slot(null), num(unix.F_SETFL), num(unix.O_RDWR))
	l.call(unix.SYS_DUP3, slot(null), num(fd), num(0))
	l.land(other...)
	l.close(null)
	l.land(none)
	return []int{l.jump()}
}

// caps sets the sets as they are. A kernel that cannot grant all of them refuses, and the Go lane works out
// what can be granted.
func (l *lowering) caps(s *step.Caps) {
	l.call(unix.SYS_CAPSET, l.halves(unix.LINUX_CAPABILITY_VERSION_3, 0), l.halves(
		uint32(s.Effective), uint32(s.Permitted), uint32(s.Inheritable),
		uint32(s.Effective>>32), uint32(s.Permitted>>32), uint32(s.Inheritable>>32)))
	l.call(unix.SYS_PRCTL, num(unix.PR_CAP_AMBIENT), num(unix.PR_CAP_AMBIENT_CLEAR_ALL), num(0), num(0), num(0))
	// One that is not both permitted and inheritable cannot be raised (capabilities(7)): the Go lane's warning.
	lost := s.Ambient &^ (s.Permitted & s.Inheritable)
	if lost != 0 {
		r := &step.Report{Index: uint32(l.index), Step: step.KindCaps, At: s.Where(), Text: step.LostCaps("ambient", lost)}
		body := r.Encode()
		said := append(step.AppendHeader(nil, step.MsgWarning, len(body)), body...)
		l.add(opSend, l.bytes(said), num(len(said)))
	}
	for n := range lastCap {
		if (s.Ambient&^lost)&(1<<n) != 0 {
			l.call(unix.SYS_PRCTL, num(unix.PR_CAP_AMBIENT), num(unix.PR_CAP_AMBIENT_RAISE), num(n), num(0), num(0))
		}
	}
}

const (
	homeSize = 4096
	homeKey  = "HOME="
)

// findExec looks for the program as execve will, makes its arguments ready, and closes the root.
func (l *lowering) findExec(s *step.FindExec) bool {
	e := l.exec
	if len(e.Args) == 0 || s.Name == "" || !fitsExec(e.Args, e.Env) || !fitsExec([]string{s.Name}, nil) {
		return false
	}
	var found []int
	for _, path := range step.SearchPath(s.Name, s.Path) {
		at := l.text(path)
		misses := []int{
			l.on(l.call(unix.SYS_STATX, num(dirFD), at, num(0), num(unix.STATX_BASIC_STATS), l.stat), anyErrno),
			l.expect(l.stat.plus(statxMode), formatMask, unix.S_IFREG),
			l.on(l.call(unix.SYS_FACCESSAT2, num(dirFD), at, num(unix.X_OK), num(unix.AT_EACCESS)), anyErrno),
		}
		l.set(slotPath, at)
		l.set(slotReport, l.failure(&step.Report{Index: uint32(len(l.steps) - 1), Step: step.KindExec, At: e.Where(), Op: step.OpExecve, Value: path}))
		found = append(found, l.jump())
		l.land(misses...)
	}
	l.add(opLeave)
	l.land(found...)
	if e.Home {
		l.home()
	}
	// Nothing is done in the rootfs after this, and the process may wait for long now: none of these is to be
	// found as /proc/1/fd/N.
	for _, n := range [...]int{slotRoot, slotNull, slotEmpty, slotProc} {
		l.close(n)
	}
	l.root, l.proc = false, false
	return true
}

// fitsExec tells whether execve would take the strings.
func fitsExec(lists ...[]string) bool {
	longest := 32*os.Getpagesize() - 1
	for _, list := range lists {
		for _, s := range list {
			if len(s) > longest || hasNUL(s) {
				return false
			}
		}
	}
	return true
}

func hasNUL(s string) bool {
	for i := range len(s) {
		if s[i] == 0 {
			return true
		}
	}
	return false
}

// home looks the user's home directory up in the container's passwd file.
func (l *lowering) home() {
	l.needRoot()
	fd := l.slot()
	how := l.words(unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0, unix.RESOLVE_IN_ROOT|unix.RESOLVE_NO_MAGICLINKS)
	none := l.on(l.into(fd, unix.SYS_OPENAT2, slot(slotRoot), l.text("/etc/passwd"), how, num(24)), anyErrno)
	l.add(opHome, slot(fd), l.homeText().plus(len(homeKey)), num(homeSize-len(homeKey)))
	l.close(fd)
	l.land(none)
}

// homeText is the memory of HOME=…, which says / until it is known better.
func (l *lowering) homeText() arg {
	if !l.hasHome {
		l.hasHome = true
		b := make([]byte, homeSize)
		copy(b, homeKey+"/")
		l.homeAt = l.bytes(b)
	}
	return l.homeAt
}

// failure is a report that the lane sends itself, errno still to be filled in, with the place of that in front.
func (l *lowering) failure(r *step.Report) arg {
	body := r.Encode()
	b := step.AppendHeader(make([]byte, 8, 8+step.HeaderSize+len(body)), step.MsgFailure, len(body))
	b[0] = byte(step.HeaderSize + r.ErrnoOffset())
	return l.bytes(append(b, body...))
}

// seccomp installs the filter. When little more than execve is left after it, what precedes that is done
// first, as in the Go lane.
func (l *lowering) seccomp(s *step.Seccomp) bool {
	if s.Notify || len(s.Filter)%8 != 0 || len(s.Filter) == 0 || len(s.Filter)/8 > 0xffff {
		return false
	}
	if step.NearExec(l.steps[l.index+1:]) {
		l.getReady()
	}
	l.mayFilter()
	filter := l.bytes(s.Filter)
	prog := l.words(uint64(len(s.Filter)/8), 0) // struct sock_fprog
	l.pointer(int(prog.v)+8, filter)
	l.call(unix.SYS_SECCOMP, num(unix.SECCOMP_SET_MODE_FILTER), num(s.Flags), prog)
	return true
}

// mayFilter makes CAP_SYS_ADMIN effective where it is permitted and not effective.
func (l *lowering) mayFilter() {
	const sysAdmin = 1 << 21
	head := l.halves(unix.LINUX_CAPABILITY_VERSION_3, 0)
	sets := l.room(24)
	l.call(unix.SYS_CAPGET, head, sets)
	may := l.refuse(sets.plus(4), sysAdmin, 0)
	has := l.refuse(sets, sysAdmin, sysAdmin)
	l.add(opOr, sets, num(sysAdmin))
	l.call(unix.SYS_CAPSET, head, sets)
	l.land(may, has)
}

// getReady undoes what execve would pass on and says that only execve is left.
func (l *lowering) getReady() {
	if l.ready {
		return
	}
	l.ready = true
	l.add(opReset)
	l.call(unix.SYS_CLOSE_RANGE, num(3), num(uint32(0xffffffff)), num(unix.CLOSE_RANGE_CLOEXEC))
	goodbye := append(step.AppendHeader(nil, step.MsgArrived, len(step.ArrivedExec)), step.ArrivedExec...)
	l.add(opSend, l.bytes(goodbye), num(len(goodbye)))
}

func (l *lowering) execute() {
	l.getReady()
	e := l.exec
	argv := l.vector(e.Args, false)
	envp := l.vector(e.Env, e.Home)
	l.add(opExec, slot(slotPath), argv, envp)
	l.add(opFail, slot(slotReport))
}

// vector is an array of addresses with its closing NULL. With home HOME is looked up, in place of an empty one.
func (l *lowering) vector(list []string, home bool) arg {
	var at []arg
	for _, s := range list {
		if home && len(s) >= len(homeKey) && s[:len(homeKey)] == homeKey {
			continue
		}
		at = append(at, l.text(s))
	}
	if home {
		at = append(at, l.homeText())
	}
	v := l.words(make([]uint64, len(at)+1)...)
	for i, a := range at {
		l.pointer(int(v.v)+8*i, a)
	}
	return v
}
