package calls

import (
	"golang.org/x/sys/unix"

	"tare/internal/step"
)

// lowering is the state while a list is lowered.
type lowering struct {
	program
	steps []step.Step
	index int

	root  bool   // slotRoot is open
	path  string // of the directory that parent has open, "" for none
	dir   int    // its slot
	proc  bool   // slotProc is open
	stat  arg    // scratch for statx(2) and statfs(2)
	exec  *step.Exec
	ready bool // the calls that precede execve are made

	hasHome bool
	homeAt  arg
}

// Lower gives the program for an init's list, nil when the list does not fit, or a program would be too
// large: then all of it is the Go lane's. table is the
// number of descriptors that go with the list. With debug the lane reports each step.
func Lower(steps []step.Step, table int, debug bool) *Program {
	l := &lowering{steps: steps}
	if !Fits(steps, table) {
		return nil
	}
	l.exec = steps[len(steps)-1].(*step.Exec)
	l.ops = make([]op, 0, 28*len(steps))
	l.data = make([]byte, 0, 192*len(steps)+homeSize)
	l.stat = l.room(256)
	barrier, before := -1, 0 // where the ops of the last barrier begin, and the steps before it
	done := len(steps)
	for i, s := range steps {
		l.index = i
		if s.Kind() == step.KindBarrier {
			barrier, before = len(l.ops), i
		}
		l.add(opStep, num(i), num(int(s.Kind())))
		l.free = slotFree
		if !keepsParent(s) {
			l.dropParent()
		}
		if l.path != "" {
			l.free = l.dir + 1
		}
		if !l.step(s) {
			// Go takes over while the host still waits: behind the barrier the process may be in a
			// cgroup that has no room for it.
			done = i
			if barrier >= 0 {
				l.ops, done = l.ops[:barrier+1], before
			}
			l.add(opLeave)
			break
		}
	}
	if l.tooBig || len(l.ops) > maxOps {
		return nil
	}
	return l.finish(done, debug)
}

// Fits tells whether the lane can do what stands outside the steps: it gives the descriptors that the
// container inherits no places.
func Fits(steps []step.Step, table int) bool {
	for _, s := range steps {
		if p, ok := s.(*step.PlaceFDs); ok && len(p.FDs) > 0 {
			return false
		}
	}
	return table <= MaxTable && len(steps) > 0 && steps[len(steps)-1].Kind() == step.KindExec
}

// step lowers s; false means that it is not plain.
func (l *lowering) step(s step.Step) bool {
	switch s := s.(type) {
	case *step.Barrier:
		return l.barrier(s)
	case *step.Fallback:
		return len(s.First) == 1 && l.step(s.First[0])
	case *step.Unshare:
		l.call(unix.SYS_UNSHARE, num(s.Flags))
	case *step.Loopback:
		l.loopback()
	case *step.Hostname:
		l.call(unix.SYS_SETHOSTNAME, l.text(s.Name), num(len(s.Name)))
	case *step.Domainname:
		l.call(unix.SYS_SETDOMAINNAME, l.text(s.Name), num(len(s.Name)))
	case *step.Setsid:
		l.call(unix.SYS_SETSID)
	case *step.Keyring:
		l.keyring(s)
	case *step.SetPropagation:
		l.call(unix.SYS_MOUNT, num(0), l.text(s.Path), num(0), num(s.Flags), num(0))
	case *step.OpenRootfs:
		if s.Ephemeral {
			return false
		}
		l.openRootfs(s)
	case *step.Affinity:
		l.affinity(s)
	case *step.IOPriority:
		l.call(unix.SYS_IOPRIO_SET, num(1), num(0), num(s.Value)) // IOPRIO_WHO_PROCESS
	case *step.Personality:
		l.call(unix.SYS_PERSONALITY, num(s.Persona))
	case *step.NoNewPrivs:
		l.call(unix.SYS_PRCTL, num(unix.PR_SET_NO_NEW_PRIVS), num(1), num(0), num(0), num(0))
	case *step.BoundingCaps:
		l.boundingCaps(s)
	case *step.User:
		l.user(s)
	case *step.Caps:
		l.caps(s)
	case *step.FindExec:
		return l.findExec(s)
	case *step.Seccomp:
		return l.seccomp(s)
	case *step.WaitStart:
		l.add(opWait, slot(l.table(s.Listener)))
	case *step.PlaceFDs: // fits has seen that it is empty
	case *step.Exec:
		l.execute()
	default:
		return l.inRoot(s)
	}
	return true
}

// inRoot lowers what works on the rootfs, or the present root.
func (l *lowering) inRoot(s step.Step) bool {
	switch s := s.(type) {
	case *step.Mount:
		return l.mount(s)
	case *step.Symlink:
		return l.symlink(s)
	case *step.Device:
		return l.device(s)
	case *step.MaskPath:
		return l.maskPath(s)
	case *step.ReadonlyPath:
		l.readonlyPath(s)
	case *step.ReadonlyRoot:
		l.needRoot()
		l.setattr(slotRoot, false, unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	case *step.PivotRoot:
		l.pivotRoot()
	case *step.Sysctl:
		l.writeProc("sys/"+s.Key, s.Value)
	case *step.ExecLabel:
		return l.label(s)
	case *step.Chdir:
		l.chdir(s)
	default:
		return false
	}
	return true
}

func (l *lowering) table(n step.FD) int { return slotTable + int(n) - 1 }

// barrier says "arrived" and waits for go.
func (l *lowering) barrier(b *step.Barrier) bool {
	if len(b.Name) > 100 {
		return false
	}
	said := append(step.AppendHeader(nil, step.MsgArrived, len(b.Name)), b.Name...)
	heard := append(step.AppendHeader(nil, step.MsgGo, len(b.Name)), b.Name...)
	l.add(opBarrier, l.bytes(said), l.bytes(heard), num(len(said)))
	return true
}

// loopback sets the flag of lo, which a new network namespace has with no other flag that can be set.
func (l *lowering) loopback() {
	var r [40]byte // struct ifreq
	copy(r[:], "lo")
	r[16] = unix.IFF_UP | unix.IFF_RUNNING
	s := l.slot()
	l.into(s, unix.SYS_SOCKET, num(unix.AF_INET), num(unix.SOCK_DGRAM|unix.SOCK_CLOEXEC), num(0))
	l.call(unix.SYS_IOCTL, slot(s), num(unix.SIOCSIFFLAGS), l.bytes(r[:]))
	l.close(s)
}

// keyring joins a session keyring. Its permissions must be those of a keyring that root has made, or
// what a lane has made of them: search is added. A label that is left for the next key execve takes back.
func (l *lowering) keyring(k *step.Keyring) {
	const (
		prefix, suffix = "keyring;0;0;3f1", "0000;"
		fresh          = 0x3f130000
		search         = 0x08080000
	)
	const key = slotKey
	if k.Label != "" {
		l.writeProc("thread-self/attr/keycreate", k.Label)
	}
	join := l.into(key, unix.SYS_KEYCTL, num(unix.KEYCTL_JOIN_SESSION_KEYRING), l.text(k.Name))
	if k.Label != "" {
		l.writeProc("thread-self/attr/keycreate", "")
	}
	absent := l.on(join, uint16(unix.ENOSYS))
	text := l.room(128)
	l.call(unix.SYS_KEYCTL, num(unix.KEYCTL_DESCRIBE), slot(key), text, num(128))
	l.same(text, prefix)
	l.same(text.plus(len(prefix)+1), suffix)
	has := l.refuse(text.plus(len(prefix)), 0xff, 'b')
	l.expect(text.plus(len(prefix)), 0xff, '3')
	l.call(unix.SYS_KEYCTL, num(unix.KEYCTL_SETPERM), slot(key), num(fresh|search))
	l.land(absent, has)
}

// same leaves the step unless the memory at at begins with want.
func (l *lowering) same(at arg, want string) {
	for i := 0; i < len(want); i += 8 {
		var v, mask uint64
		for j := i; j < min(i+8, len(want)); j++ {
			v |= uint64(want[j]) << (8 * (j - i))
			mask |= 0xff << (8 * (j - i))
		}
		l.expect(at.plus(i), mask, v)
	}
}

func (l *lowering) affinity(s *step.Affinity) {
	mask := s.Mask
	if len(mask) == 0 {
		mask = make([]byte, 1024)
		for i := range mask {
			mask[i] = 0xff
		}
	}
	l.call(unix.SYS_SCHED_SETAFFINITY, num(0), num(len(mask)), l.bytes(mask))
}
