package rootfs

import (
	"syscall"

	"tare/internal/sys"
)

const (
	maxRetries = 128 // of an openat2 that raced with a rename
	maxLinks   = 40  // the kernel's own limit
)

// lookup says how a path is to be resolved.
type lookup struct {
	noFollow bool // the last component is not followed
	noLinks  bool // no component may be a link
	dir      bool // the result must be a directory
}

func (l lookup) flags() int {
	flags := sys.O_PATH
	if l.noFollow {
		flags |= syscall.O_NOFOLLOW
	}
	if l.dir {
		flags |= syscall.O_DIRECTORY
	}
	return flags
}

// find opens unsafePath beneath the directory root (O_PATH): absolute links and .. stay inside, magic
// links are refused. An ENOENT says that it does not exist.
func find(root int, unsafePath string, l lookup) (*sys.FD, error) {
	fd, err := openIn(root, unsafePath, l.flags(), l.noLinks)
	if oldKernel(err) {
		w := walker{lookup: l}
		return w.walk(root, unsafePath)
	}
	return fd, err
}

// openIn is openat2 with RESOLVE_IN_ROOT. EAGAIN means that a rename or mount somewhere raced with a
// "..": the kernel could not prove that the walk stayed inside (CVE-2021-30465 needs just such a race).
func openIn(root int, unsafePath string, flags int, noLinks bool) (*sys.FD, error) {
	how := sys.OpenHow{Flags: uint64(flags), Resolve: sys.RESOLVE_IN_ROOT | sys.RESOLVE_NO_MAGICLINKS}
	if noLinks {
		how.Resolve |= sys.RESOLVE_NO_SYMLINKS
	}
	var err error
	for range maxRetries {
		var fd *sys.FD
		if fd, err = sys.OpenAt2(root, name(unsafePath), how); sys.ErrnoOf(err) != syscall.EAGAIN {
			return fd, err
		}
	}
	return nil, err
}

func name(path string) string {
	if path == "" {
		return "."
	}
	return path
}

// walker resolves a path component by component in user space, for two purposes: to create what is
// missing on the way, and for kernels whose openat2 is filtered out. It keeps the descriptors of all
// directories from the root down, so that .. is a step back on its own stack: a directory that is
// moved out of the rootfs meanwhile (CVE-2021-30465) cannot lead it outside. mkdirat on the descriptor
// of the parent closes the other race, of a directory swapped for a link between check and creation
// (CVE-2024-45310).
type walker struct {
	lookup
	create bool // make missing directories, mode 0755
	file   bool // with create: make a missing last component a file, mode 0644

	stack []*sys.FD // owned, without the root itself
	root  int
	links int
}

func (w *walker) walk(root int, unsafePath string) (*sys.FD, error) {
	w.root = root
	defer func() { w.pop(0) }()
	todo := split(nil, unsafePath)
	for len(todo) > 0 {
		comp := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if comp == ".." {
			w.pop(max(0, len(w.stack)-1))
			continue
		}
		more, err := w.step(comp, len(todo) == 0)
		if err != nil {
			if e, ok := err.(*sys.Error); ok {
				e.Object = unsafePath
			}
			return nil, err
		}
		todo = append(todo, more...)
	}
	return w.result(unsafePath)
}

// result takes the last descriptor off the stack.
func (w *walker) result(unsafePath string) (*sys.FD, error) {
	if len(w.stack) == 0 {
		return sys.DupFD(w.root, 3)
	}
	fd := w.stack[len(w.stack)-1]
	if w.dir {
		var st syscall.Stat_t
		if err := sys.Fstat(fd.Int(), &st); err != nil {
			return nil, err
		}
		if st.Mode&syscall.S_IFMT != syscall.S_IFDIR {
			return nil, &sys.Error{Op: "open", Object: unsafePath, Errno: syscall.ENOTDIR}
		}
	}
	w.stack = w.stack[:len(w.stack)-1]
	return fd, nil
}

// step enters one component. When that is a link to be followed, more is what it stands for, last
// component first.
func (w *walker) step(comp string, last bool) (more []string, err error) {
	fd, err := w.enter(comp, last)
	if err != nil {
		return nil, err
	}
	var st syscall.Stat_t
	if err := sys.Fstat(fd.Int(), &st); err != nil {
		fd.Close()
		return nil, err
	}
	if st.Mode&syscall.S_IFMT != syscall.S_IFLNK || last && w.noFollow && !w.noLinks {
		w.stack = append(w.stack, fd)
		return nil, nil
	}
	defer fd.Close()
	if w.links++; w.noLinks || w.links > maxLinks {
		return nil, &sys.Error{Op: "open", Errno: syscall.ELOOP}
	}
	target, err := sys.ReadlinkAt(fd.Int(), "")
	if err != nil {
		return nil, err
	}
	if target == "" { // some magic links have no text
		return nil, &sys.Error{Op: "open", Errno: syscall.ELOOP}
	}
	if target[0] == '/' {
		w.pop(0)
	}
	return split(nil, target), nil
}

// enter opens comp, O_PATH and not followed, and creates it when it is missing and that was asked for.
func (w *walker) enter(comp string, last bool) (*sys.FD, error) {
	dir := w.root
	if len(w.stack) > 0 {
		dir = w.stack[len(w.stack)-1].Int()
	}
	var err error
	for range maxRetries {
		var fd *sys.FD
		fd, err = sys.OpenAt(dir, comp, sys.O_PATH|syscall.O_NOFOLLOW, 0)
		if err == nil || !w.create || sys.ErrnoOf(err) != syscall.ENOENT {
			return fd, err
		}
		if last && w.file {
			fd, err = sys.OpenAt(dir, comp, syscall.O_CREAT|syscall.O_EXCL|syscall.O_NOFOLLOW|syscall.O_WRONLY, 0o644)
			fd.Close()
		} else {
			err = sys.MkdirAt(dir, comp, 0o755)
		}
		if err != nil && sys.ErrnoOf(err) != syscall.EEXIST {
			return nil, err
		}
	}
	return nil, err
}

// pop closes all but the first n directories of the stack.
func (w *walker) pop(n int) {
	for len(w.stack) > n {
		w.stack[len(w.stack)-1].Close()
		w.stack = w.stack[:len(w.stack)-1]
	}
}

// split appends the components of path to list, the last one first. Empty ones and "." are left out.
func split(list []string, path string) []string {
	end := len(path)
	for i := len(path) - 1; i >= -1; i-- {
		if i >= 0 && path[i] != '/' {
			continue
		}
		if comp := path[i+1 : end]; comp != "" && comp != "." {
			list = append(list, comp)
		}
		end = i
	}
	return list
}
