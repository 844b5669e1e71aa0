package initstage

import (
	"strconv"
	"syscall"

	"tare/internal/step"
	"tare/internal/sys"
)

// loopback brings lo up. A network namespace always has one, so its absence is an error; a kernel
// without IPv4 takes the request on any other socket.
func loopback() error {
	s, err := sys.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if sys.ErrnoOf(err) == syscall.EAFNOSUPPORT {
		s, err = sys.Socket(syscall.AF_UNIX, syscall.SOCK_DGRAM, 0)
	}
	if err != nil {
		return err
	}
	defer s.Close()
	return sys.LinkUp(s.Int(), "lo")
}

// setsid makes a session; EPERM means that the process leads one already.
func setsid() error {
	err := sys.Setsid()
	if sys.ErrnoOf(err) == syscall.EPERM {
		if sid, _, errno := syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0); errno == 0 && int(sid) == syscall.Getpid() {
			return nil
		}
	}
	return err
}

// keyring joins a new session keyring: else the container would find the keys of the caller's. It is
// per thread, and execve keeps the main thread's. Search is granted to possessor and owner: without it
// request_key(2) finds nothing in the keyring.
func (l *lane) keyring(k *step.Keyring) error {
	const search = 0x08080000 // KEY_POS_SEARCH | KEY_USR_SEARCH
	if k.Label != "" {
		if err := l.needRoot(); err != nil {
			return err
		}
		if err := l.root.Label("selinux", "keycreate", k.Label); err != nil {
			return err
		}
	}
	key, err := sys.JoinSessionKeyring(k.Name)
	if k.Label != "" {
		if err := l.root.Label("selinux", "keycreate", ""); err != nil {
			return err
		}
	}
	if sys.ErrnoOf(err) == syscall.ENOSYS {
		return nil
	}
	if err != nil {
		return err
	}
	text, err := sys.DescribeKey(key)
	if err != nil {
		return err
	}
	perm, ok := keyPerm(text)
	if !ok {
		return &sys.Error{Op: "keyctl describe", Object: text, Note: "it has no permissions"}
	}
	return sys.SetKeyPerm(key, perm|search)
}

// keyPerm reads the fourth field, hexadecimal, of "type;uid;gid;perm;description".
func keyPerm(text string) (uint32, bool) {
	field, start := 0, 0
	for i := 0; i < len(text); i++ {
		if text[i] != ';' {
			continue
		}
		if field == 3 {
			n, err := strconv.ParseUint(text[start:i], 16, 32)
			return uint32(n), err == nil
		}
		field, start = field+1, i+1
	}
	return 0, false
}
