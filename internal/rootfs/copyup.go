package rootfs

import (
	"syscall"

	"tare/internal/sys"
)

// maxCopyDepth bounds the directories that copyUp holds open at a time.
const maxCopyDepth = 256

// copyUp copies what is in the directory from (O_PATH) into the directory to: files, links, nodes and
// directories, with owner, mode and time. Links are copied, never followed; mounts below from are not
// entered.
func copyUp(from, to int) error {
	var st syscall.Stat_t
	if err := sys.Fstat(from, &st); err != nil {
		return err
	}
	c := copier{dev: uint64(st.Dev)}
	return c.dir(from, to, 0)
}

type copier struct{ dev uint64 }

func (c *copier) dir(from, to, depth int) error {
	if depth > maxCopyDepth {
		return &sys.Error{Op: "tmpcopyup", Errno: syscall.ELOOP, Note: "directories are nested too deep"}
	}
	list, err := sys.OpenAt(from, ".", syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	names, err := sys.ReadNames(list.Int())
	list.Close()
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := c.entry(from, to, n, depth); err != nil {
			if e, ok := err.(*sys.Error); ok && e.Op != "tmpcopyup" {
				err = &sys.Error{Op: "tmpcopyup", Object: n, Errno: e.Errno, Note: e.Note}
			}
			return err
		}
	}
	return nil
}

func (c *copier) entry(from, to int, name string, depth int) error {
	src, err := sys.OpenAt(from, name, sys.O_PATH|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	var st syscall.Stat_t
	if err := sys.Fstat(src.Int(), &st); err != nil {
		return err
	}
	switch mode := uint32(st.Mode); mode & syscall.S_IFMT {
	case syscall.S_IFDIR:
		err = c.subdir(src.Int(), to, name, &st, depth)
	case syscall.S_IFREG:
		err = copyFile(from, to, name, &st)
	case syscall.S_IFLNK:
		var text string
		if text, err = sys.ReadlinkAt(src.Int(), ""); err == nil {
			err = sys.SymlinkAt(text, to, name)
		}
	case syscall.S_IFSOCK: // nobody listens behind a copy
		return nil
	default:
		err = sys.MknodAt(to, name, mode, uint64(st.Rdev))
	}
	if err != nil {
		return err
	}
	return copyMeta(to, name, &st)
}

func (c *copier) subdir(src, to int, name string, st *syscall.Stat_t, depth int) error {
	if err := sys.MkdirAt(to, name, 0o700); err != nil {
		return err
	}
	if uint64(st.Dev) != c.dev {
		return nil
	}
	dst, err := sys.OpenAt(to, name, syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer dst.Close()
	return c.dir(src, dst.Int(), depth+1)
}

// copyFile copies the bytes of a regular file. It is opened again by name, so its identity is compared:
// O_NONBLOCK keeps a FIFO put in its place from stopping us.
func copyFile(from, to int, name string, st *syscall.Stat_t) error {
	src, err := sys.OpenAt(from, name, syscall.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer src.Close()
	var now syscall.Stat_t
	if err := sys.Fstat(src.Int(), &now); err != nil {
		return err
	}
	if now.Dev != st.Dev || now.Ino != st.Ino || now.Mode&syscall.S_IFMT != syscall.S_IFREG {
		return &sys.Error{Op: "open", Errno: syscall.EAGAIN, Note: "it was replaced while it was copied"}
	}
	dst, err := sys.OpenAt(to, name, syscall.O_WRONLY|syscall.O_CREAT|syscall.O_EXCL|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	defer dst.Close()
	b := make([]byte, 64<<10)
	for {
		n, err := sys.Read(src.Int(), b)
		if err != nil || n == 0 {
			return err
		}
		if err := sys.WriteAll(dst.Int(), b[:n]); err != nil {
			return err
		}
	}
}

// copyMeta gives the copy owner, mode and times, in the order in which they do not undo each other.
func copyMeta(to int, name string, st *syscall.Stat_t) error {
	if err := sys.ChownAt(to, name, st.Uid, st.Gid, sys.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if mode := uint32(st.Mode); mode&syscall.S_IFMT != syscall.S_IFLNK {
		if err := sys.ChmodAt(to, name, mode&0o7777); err != nil {
			return err
		}
	}
	return sys.UtimesAt(to, name, st.Atim, st.Mtim)
}
