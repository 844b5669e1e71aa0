package ctl

import (
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// vanished bounds how often MkdirAll starts again when somebody removes the
// parents that it has just made.
const vanished = 256

// MkdirAll makes the cgroup base+path, where path is clean and absolute and
// base (the mount) exists. It returns the directories that it made itself,
// outermost first: exactly those are the caller's to undo. prepare, if not
// nil, is called for each of them right after its mkdir.
//
// Another process may remove an empty parent between two levels; then the
// walk starts again. Directories made before an error are in the result.
func MkdirAll(base, path string, prepare func(dir string) error) (made []string, err error) {
	for range vanished {
		made, err = mkdirLevels(base, path, made, prepare)
		if !Gone(err) || !Exists(base) {
			return made, err
		}
	}
	return made, err
}

// mkdirLevels tries the leaf first, as its parents mostly exist.
func mkdirLevels(base, path string, made []string, prepare func(string) error) ([]string, error) {
	dir := base + path
	err := unix.Mkdir(dir, 0o755)
	if err == unix.ENOENT && strings.LastIndexByte(path, '/') > 0 {
		made, err = mkdirLevels(base, path[:strings.LastIndexByte(path, '/')], made, prepare)
		if err != nil {
			return made, err
		}
		err = unix.Mkdir(dir, 0o755)
	}
	switch err {
	case nil:
		made = addOnce(made, dir)
		if prepare == nil {
			return made, nil
		}
		return made, prepare(dir)
	case unix.EEXIST:
		return made, nil
	}
	return made, fmt.Errorf("mkdir %q: %w", dir, err)
}

func addOnce(list []string, s string) []string {
	for _, have := range list {
		if have == s {
			return list
		}
	}
	return append(list, s)
}

// Children appends the full paths of dir's child cgroups to list. A cgroup
// that is gone has none.
func Children(list []string, dir string) ([]string, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		if Gone(err) {
			return list, nil
		}
		return list, fmt.Errorf("open %q: %w", dir, err)
	}
	defer unix.Close(fd)
	var buf [4096]byte
	for {
		n, err := unix.Getdents(fd, buf[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil && !Gone(err) {
			return list, fmt.Errorf("read directory %q: %w", dir, err)
		}
		if n <= 0 {
			return list, nil
		}
		list = appendDirs(list, dir, buf[:n])
	}
}

// appendDirs picks the directories out of a getdents64 buffer. kernfs always
// fills d_type (offset 18, name from 19; record length at 16).
func appendDirs(list []string, dir string, b []byte) []string {
	for len(b) > 19 {
		reclen := int(b[16]) | int(b[17])<<8
		if reclen < 20 || reclen > len(b) {
			return list
		}
		name, _, _ := strings.Cut(string(b[19:reclen]), "\x00")
		if b[18] == unix.DT_DIR && name != "." && name != ".." {
			list = append(list, dir+"/"+name)
		}
		b = b[reclen:]
	}
	return list
}

// Pids lists the processes of dir and, if recursive, of every cgroup below
// it, in no order. Cgroups that vanish during the walk hold none.
func Pids(dir string, recursive bool) ([]int, error) {
	var pids []int
	var buf []byte
	for todo := []string{dir}; len(todo) > 0; {
		d := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		b, err := Read(d, "cgroup.procs", buf)
		switch {
		case err == nil:
			buf = b
			if pids, err = ParsePids(pids, b); err != nil {
				return nil, fmt.Errorf("read %q: %w", d+"/cgroup.procs", err)
			}
		// EOPNOTSUPP: a threaded cgroup; its threads' processes are listed above it.
		case Gone(err), errno(err) == unix.EOPNOTSUPP:
		default:
			return nil, err
		}
		if recursive {
			if todo, err = Children(todo, d); err != nil {
				return nil, err
			}
		}
	}
	return pids, nil
}
