package rootfs

import (
	"strconv"
	"syscall"

	"tare/internal/step"
	"tare/internal/sys"
)

// maxParam is the longest string that fsconfig(2) takes; mount(2) takes a page of options.
const maxParam = 255

// create makes the mount of a new file system, detached where the kernel can.
func (r *Root) create(m *step.Mount, set uint64, data []string, target *sys.FD) (tree, error) {
	if FitsFSConfig(m, set, data) {
		fd, err := newDetached(m.FSType, m.Source, set, data)
		if !oldKernel(err) {
			return tree{fd: fd}, err
		}
	}
	if err := sys.Mount(m.Source, fdPath(target), m.FSType, set&^syscall.MS_REMOUNT, Joined(data)); err != nil {
		return tree{}, &sys.Error{Op: "mount", Object: m.Target, Errno: sys.ErrnoOf(err)}
	}
	fd, err := find(r.fd.Int(), m.Target, lookup{noLinks: m.Opts&step.MountNoSymlinks != 0})
	if err != nil {
		return tree{}, err
	}
	if on, err := sameMount(fd.Int(), target.Int()); err != nil || on {
		fd.Close()
		return tree{}, &sys.Error{Op: "mount", Object: m.Target, Note: "the target was replaced while it was mounted on"}
	}
	return tree{fd: fd, attached: true}, nil
}

// FitsFSConfig tells whether the new interface can express the mount: it has no parameter for
// MS_SILENT and MS_I_VERSION, and its strings are short.
func FitsFSConfig(m *step.Mount, set uint64, data []string) bool {
	if set&(syscall.MS_SILENT|syscall.MS_I_VERSION) != 0 || len(m.Source) > maxParam {
		return false
	}
	for _, d := range data {
		if len(d) > maxParam {
			return false
		}
	}
	return true
}

// newDetached makes a file system by fsopen(2) and a detached mount of it.
func newDetached(fstype, source string, set uint64, data []string) (*sys.FD, error) {
	fs, err := sys.FSOpen(fstype)
	if err != nil {
		if sys.ErrnoOf(err) == syscall.ENODEV {
			err = noted(err, "the kernel does not know this file system")
		}
		return nil, err
	}
	defer fs.Close()
	if err := configure(fs.Int(), source, set, data); err != nil {
		return nil, err
	}
	if err := sys.FSConfig(fs.Int(), sys.FSCONFIG_CMD_CREATE, "", ""); err != nil {
		return nil, explained(fs.Int(), sys.On(err, fstype))
	}
	fd, err := sys.FSMount(fs.Int(), NewAttrs(set))
	return fd, sys.On(err, fstype)
}

// configure sets the source, the superblock's flags and the file system's own options.
func configure(fs int, source string, set uint64, data []string) error {
	for _, p := range Params(source, set, data) {
		if err := setParam(fs, p.Key, p.Value, p.Has); err != nil {
			return err
		}
	}
	return nil
}

// Param is an argument of fsconfig(2): a string when Has, else a flag.
type Param struct {
	Key, Value string
	Has        bool
}

// Params gives what configures a new file system: its source, the flags of its superblock among the
// MS_* of set, its own options.
func Params(source string, set uint64, data []string) []Param {
	list := make([]Param, 0, len(data)+2)
	if source != "" {
		list = append(list, Param{"source", source, true})
	}
	for _, p := range [...]struct {
		ms  uint64
		key string
	}{
		{syscall.MS_RDONLY, "ro"}, {syscall.MS_SYNCHRONOUS, "sync"}, {syscall.MS_DIRSYNC, "dirsync"},
		{syscall.MS_MANDLOCK, "mand"}, {sys.MS_LAZYTIME, "lazytime"},
	} {
		if set&p.ms != 0 {
			list = append(list, Param{Key: p.key})
		}
	}
	for _, d := range data {
		key, value, has := cut(d)
		list = append(list, Param{key, unquoted(key, value), has})
	}
	return list
}

func setParam(fs int, key, value string, has bool) error {
	cmd := uint(sys.FSCONFIG_SET_FLAG)
	if has {
		cmd = sys.FSCONFIG_SET_STRING
	}
	err := sys.FSConfig(fs, cmd, key, value)
	if err == nil {
		return nil
	}
	if has {
		key += "=" + value
	}
	return explained(fs, &sys.Error{Op: "mount option", Object: key, Errno: sys.ErrnoOf(err)})
}

// explained adds the first message that the kernel left on the file system's descriptor.
func explained(fs int, err error) error {
	var b [256]byte
	n, e := sys.Read(fs, b[:])
	if e != nil || n < 3 {
		return err
	}
	msg := b[2:n] // "e fstype: text"
	for len(msg) > 0 && (msg[len(msg)-1] == '\n' || msg[len(msg)-1] == 0) {
		msg = msg[:len(msg)-1]
	}
	return noted(err, string(msg))
}

// cut splits a mount option at its first "=".
func cut(s string) (key, value string, has bool) {
	for i := 0; i < len(s); i++ {
		if s[i] == '=' {
			return s[:i], s[i+1:], true
		}
	}
	return s, "", false
}

// unquoted removes the quotes round an LSM label: they only shield its commas in mount(2)'s joined
// string.
func unquoted(key, value string) string {
	switch key {
	case "context", "fscontext", "defcontext", "rootcontext":
		if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
			return value[1 : n-1]
		}
	}
	return value
}

// Joined is the data of mount(2).
func Joined(data []string) string {
	s := ""
	for i, d := range data {
		if i > 0 {
			s += ","
		}
		key, value, has := cut(d)
		if bare := unquoted(key, value); has && bare == value && isContext(key) {
			d = key + `="` + value + `"`
		}
		s += d
	}
	return s
}

func isContext(key string) bool {
	switch key {
	case "context", "fscontext", "defcontext", "rootcontext":
		return true
	}
	return false
}

// fdPath names a descriptor for the old calls, which take paths only. It is used while /proc is the
// host's own: before the root changes.
func fdPath(fd *sys.FD) string { return "/proc/self/fd/" + strconv.Itoa(fd.Int()) }
