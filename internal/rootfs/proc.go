package rootfs

import (
	"syscall"

	"tare/internal/sys"
)

// Proc is a procfs that the container cannot have prepared. CVE-2025-52881: writes of labels and
// sysctls were redirected to other files of a procfs (sysrq-trigger, core_pattern) by mounts and links
// in the container's /proc.
type Proc struct{ fd *sys.FD }

const procRootIno = 1

// OpenProc makes a private, detached procfs for the caller's pid namespace. Where that is not allowed
// it takes what is at /proc, after a check that it is the root of a procfs; Open then refuses to cross
// any mount on it.
func OpenProc() (*Proc, error) {
	fd, err := newDetached("proc", "proc", syscall.MS_NOSUID|syscall.MS_NODEV|syscall.MS_NOEXEC, nil)
	if err != nil {
		if fd, err = sys.OpenAt(sys.AT_FDCWD, "/proc", sys.O_PATH|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0); err != nil {
			return nil, err
		}
	}
	if err := checkProc(fd.Int()); err != nil {
		fd.Close()
		return nil, err
	}
	return &Proc{fd: fd}, nil
}

func checkProc(fd int) error {
	magic, err := sys.FSType(fd)
	if err != nil {
		return err
	}
	var st syscall.Stat_t
	if err := sys.Fstat(fd, &st); err != nil {
		return err
	}
	if magic != sys.PROC_SUPER_MAGIC || st.Ino != procRootIno {
		return &sys.Error{Op: "open", Object: "/proc", Errno: syscall.EPERM, Note: "it is not a procfs"}
	}
	return nil
}

// Open opens a file of the procfs, path relative to its root. Nothing mounted on the way is entered,
// and no magic link.
func (p *Proc) Open(path string, flags int) (*sys.FD, error) {
	how := sys.OpenHow{Flags: uint64(flags),
		Resolve: sys.RESOLVE_BENEATH | sys.RESOLVE_NO_XDEV | sys.RESOLVE_NO_MAGICLINKS}
	fd, err := sys.OpenAt2(p.fd.Int(), path, how)
	if !oldKernel(err) {
		return fd, err
	}
	w := walker{}
	at, e := w.walk(p.fd.Int(), path)
	if e != nil {
		return nil, e
	}
	defer at.Close()
	if same, e := sameMount(at.Int(), p.fd.Int()); e != nil || !same {
		return nil, &sys.Error{Op: "open", Object: path, Errno: syscall.EXDEV}
	}
	return sys.OpenAt(sys.AT_FDCWD, fdPath(at), flags, 0)
}

// Write writes value to a file of the procfs in one write(2).
func (p *Proc) Write(path, value string) error {
	fd, err := p.Open(path, syscall.O_WRONLY)
	if err != nil {
		return err
	}
	defer fd.Close()
	_, err = sys.Write(fd.Int(), []byte(value))
	if err != nil {
		return &sys.Error{Op: "write", Object: path, Errno: sys.ErrnoOf(err)}
	}
	return nil
}

// Close gives the procfs back.
func (p *Proc) Close() {
	if p != nil {
		p.fd.Close()
	}
}
