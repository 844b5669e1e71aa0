package rootfs

import (
	"syscall"

	"tare/internal/sys"
)

// MkdirAll makes the directory unsafePath and its parents (mode 0755) beneath the directory root and
// opens it (O_PATH). Links on the way are followed inside root, also dangling ones.
func MkdirAll(root int, unsafePath string) (*sys.FD, error) {
	return reach(root, unsafePath, lookup{dir: true}, false)
}

// reach finds unsafePath beneath root, or creates it: a directory, or with file an empty file.
func reach(root int, unsafePath string, l lookup, file bool) (*sys.FD, error) {
	fd, err := find(root, unsafePath, l)
	if sys.ErrnoOf(err) != syscall.ENOENT {
		return fd, err
	}
	w := walker{lookup: l, create: true, file: file}
	return w.walk(root, unsafePath)
}

// parent reaches the directory that holds the last component of unsafePath and gives that component's
// name. A path without one (/, ..) is EINVAL.
func (r *Root) parent(unsafePath string) (*sys.FD, string, error) {
	end := len(unsafePath)
	for end > 0 && unsafePath[end-1] == '/' {
		end--
	}
	start := end
	for start > 0 && unsafePath[start-1] != '/' {
		start--
	}
	base := unsafePath[start:end]
	if base == "" || base == "." || base == ".." {
		return nil, "", &sys.Error{Op: "open", Object: unsafePath, Errno: syscall.EINVAL}
	}
	dir, err := MkdirAll(r.fd.Int(), unsafePath[:start])
	return dir, base, err
}

// MkfileAll is MkdirAll for an empty file (mode 0644) in a directory; one that exists is left as it is.
func MkfileAll(root int, unsafePath string) (*sys.FD, error) {
	return reach(root, unsafePath, lookup{}, true)
}
