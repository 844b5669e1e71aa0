package rootfs

import (
	"syscall"

	"tare/internal/sys"
)

// privateProc gives the Root's own procfs, made at its first use.
func (r *Root) privateProc() (*Proc, error) {
	if r.proc == nil {
		p, err := OpenProc()
		if err != nil {
			return nil, err
		}
		r.proc = p
	}
	return r.proc, nil
}

// Sysctl writes value to proc/sys/key.
func (r *Root) Sysctl(key, value string) error {
	p, err := r.privateProc()
	if err != nil {
		return err
	}
	return sys.On(p.Write("sys/"+key, value), key)
}

// Label writes value to the LSM attribute of the calling thread. AppArmor has files of its own since
// Linux 5.8; older names are shared.
func (r *Root) Label(lsm, attr, value string) error {
	p, err := r.privateProc()
	if err != nil {
		return err
	}
	// The caller's thread is the process's main one and number 1 in the new pid namespace of a container,
	// but not with a joined or shared one.
	file, text, note := "thread-self/attr/"+attr, value, ""
	if lsm == "apparmor" {
		note = ` (profile "` + value + `" must be loaded)` // else the kernel says ENOENT, as for an absent file
		text = attr + " " + value
		err = p.Write("thread-self/attr/apparmor/"+attr, text)
		if sys.ErrnoOf(err) != syscall.ENOENT {
			return labelError("/proc/thread-self/attr/apparmor/"+attr, value, err, note)
		}
	}
	return labelError("/proc/"+file, value, p.Write(file, text), note)
}

// labelFile gives the directory dir an SELinux label. The attribute cannot be set through an O_PATH descriptor.
func labelFile(dir int, label string) error {
	fd, err := sys.OpenAt(dir, ".", syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer fd.Close()
	return sys.FSetXattr(fd.Int(), SELinuxXattr, label)
}

// SELinuxXattr is the extended attribute that holds a file's SELinux label.
const SELinuxXattr = "security.selinux"

// labelError quotes the file in backquotes, by which engines know an error of a security label.
func labelError(file, value string, err error, note string) error {
	if err == nil {
		return nil
	}
	errno := sys.ErrnoOf(err)
	if errno != syscall.ENOENT {
		note = ""
	}
	return &sys.Error{Errno: errno, Note: `write "` + value + "\" to `" + file + "`: " + errno.Error() + note}
}
