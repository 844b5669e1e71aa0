package rootfs

import (
	"syscall"

	"tare/internal/sys"
)

// Here gives a Root for the caller's present root directory: for a process that joined a container.
func Here() (*Root, error) {
	fd, err := sys.OpenAt(sys.AT_FDCWD, "/", sys.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return &Root{fd: fd}, nil
}

// Chdir changes into unsafePath of the rootfs, which must be the caller's root by now; with create a
// missing one is made. CVE-2024-21626: with a descriptor of a host directory left open,
// /proc/self/fd/N as working directory put the container on the host. No magic link is followed here,
// and the kernel must have a name for the result that begins at our root.
func (r *Root) Chdir(unsafePath string, create bool) error {
	dir, err := find(r.fd.Int(), unsafePath, lookup{dir: true})
	if create && sys.ErrnoOf(err) == syscall.ENOENT {
		dir, err = MkdirAll(r.fd.Int(), unsafePath)
	}
	if err == nil {
		err = sys.Fchdir(dir.Int())
		dir.Close()
	}
	if err != nil {
		return &sys.Error{Op: "chdir", Object: unsafePath, Errno: sys.ErrnoOf(err)}
	}
	cwd, err := sys.Getcwd()
	if err == nil && (cwd == "" || cwd[0] != '/') {
		err = &sys.Error{Op: "chdir", Object: unsafePath, Errno: syscall.EPERM, Note: "the working directory lies outside the container's root"}
	}
	return err
}

// ReadFile reads at most limit bytes of the regular file unsafePath. O_NONBLOCK: a FIFO there must not
// make us wait.
func (r *Root) ReadFile(unsafePath string, limit int) ([]byte, error) {
	fd, err := openIn(r.fd.Int(), unsafePath, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, false)
	if oldKernel(err) {
		fd, err = r.openSlowly(unsafePath)
	}
	if err != nil {
		return nil, err
	}
	defer fd.Close()
	var st syscall.Stat_t
	if err := sys.Fstat(fd.Int(), &st); err != nil {
		return nil, err
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return nil, &sys.Error{Op: "read", Object: unsafePath, Note: "it is not a regular file"}
	}
	return sys.ReadUpTo(fd.Int(), limit)
}

// openSlowly is openIn without openat2.
func (r *Root) openSlowly(unsafePath string) (*sys.FD, error) {
	w := walker{}
	at, err := w.walk(r.fd.Int(), unsafePath)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	var st syscall.Stat_t
	if err := sys.Fstat(at.Int(), &st); err != nil {
		return nil, err
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return nil, &sys.Error{Op: "read", Object: unsafePath, Note: "it is not a regular file"}
	}
	return sys.OpenAt(sys.AT_FDCWD, fdPath(at), syscall.O_RDONLY|syscall.O_NONBLOCK, 0)
}
