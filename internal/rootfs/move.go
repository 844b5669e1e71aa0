package rootfs

import (
	"syscall"

	"tare/internal/sys"
)

// MoveRoot carries out step.MoveRoot, for places where pivot_root(2) does not work (the initial ramfs).
// The host's tree stays below the moved root and a process with capabilities can find its way there, so
// every procfs and sysfs of the host goes first: they would show an unmasked view.
func (r *Root) MoveRoot(path string) error {
	if err := r.hideHost(path); err != nil {
		return err
	}
	root, err := sys.OpenAt(sys.AT_FDCWD, "/", sys.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := sys.Fchdir(r.fd.Int()); err != nil {
		return err
	}
	if err := sys.MoveMount(r.fd.Int(), root.Int()); err != nil {
		return sys.On(err, "/")
	}
	if err := sys.Chroot("."); err != nil {
		return err
	}
	return sys.Chdir("/")
}

// hideHost unmounts each procfs and sysfs outside the rootfs at path; one that cannot be unmounted (a
// locked mount) disappears under an empty tmpfs.
func (r *Root) hideHost(path string) error {
	proc, err := OpenProc()
	if err != nil {
		return err
	}
	defer proc.Close()
	fd, err := proc.Open("thread-self/mountinfo", syscall.O_RDONLY)
	if err != nil {
		return err
	}
	defer fd.Close()
	text, err := sys.ReadUpTo(fd.Int(), 16<<20)
	if err != nil {
		return err
	}
	for _, point := range hostViews(text, path) {
		if err := hide(point); err != nil {
			return err
		}
	}
	return nil
}

func hide(point string) error {
	fd, err := sys.OpenAt(sys.AT_FDCWD, point, sys.O_PATH|syscall.O_NOFOLLOW, 0)
	if missing(err) {
		return nil // an earlier unmount took it along
	}
	if err != nil {
		return err
	}
	defer fd.Close()
	// It must not vanish on the host.
	err = sys.MountSetattr(fd.Int(), true, sys.MountAttr{Propagation: syscall.MS_SLAVE})
	if errno := sys.ErrnoOf(err); errno != 0 && errno != syscall.EINVAL { // EINVAL: no mount point any more
		return sys.On(err, point)
	}
	err = sys.Unmount(point, syscall.MNT_DETACH)
	if errno := sys.ErrnoOf(err); errno != syscall.EINVAL && errno != syscall.EPERM {
		return err
	}
	cover, err := newDetached("tmpfs", "tmpfs", syscall.MS_RDONLY, nil)
	if err != nil {
		return err
	}
	defer cover.Close()
	return sys.On(sys.MoveMount(cover.Int(), fd.Int()), point)
}

// hostViews picks from mountinfo the mount points of procfs and sysfs outside path, the last mounted
// first.
func hostViews(mountinfo []byte, path string) (points []string) {
	for len(mountinfo) > 0 {
		var line []byte
		line, mountinfo = upTo(mountinfo, '\n')
		var point, fstype []byte
		for i := 0; len(line) > 0; i++ {
			var field []byte
			field, line = upTo(line, ' ')
			if i == 4 {
				point = field
			}
			if i > 5 && string(field) == "-" { // the optional fields end here
				fstype, _ = upTo(line, ' ')
				break
			}
		}
		p := unescape(point)
		if t := string(fstype); t != "proc" && t != "sysfs" || p == path || hasPrefix(p, path+"/") {
			continue
		}
		points = append([]string{p}, points...)
	}
	return points
}

func upTo(b []byte, sep byte) (head, tail []byte) {
	for i, c := range b {
		if c == sep {
			return b[:i], b[i+1:]
		}
	}
	return b, nil
}

// unescape undoes mountinfo's \ooo for blanks and backslashes.
func unescape(b []byte) string {
	var out []byte
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' && i+3 < len(b) {
			out = append(out, (b[i+1]-'0')<<6|(b[i+2]-'0')<<3|(b[i+3]-'0'))
			i += 3
			continue
		}
		out = append(out, b[i])
	}
	return string(out)
}
