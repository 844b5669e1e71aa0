package libcontainer

import (
	"context"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"tare/internal/facts"
	"tare/internal/launch"
	"tare/internal/plan"
	"tare/internal/step"
)

// fdTable opens what a plan hands to the init, and closes what it has opened.
type fdTable struct {
	ctx      context.Context
	exe      *os.File
	files    []*os.File // borrowed: IO.ExtraFiles
	listener int        // borrowed
	fds      []int
	opened   []int
	userns   map[string]int // by the text of its maps
}

func (t *fdTable) close() {
	for _, fd := range t.opened {
		unix.Close(fd)
	}
	t.opened = nil
}

// open fills fds in the order of the plan's table.
func (t *fdTable) open(sources []plan.FDSource) error {
	for _, s := range sources {
		fd, err := t.openOne(&s)
		if err != nil && s.At != "" {
			return fmt.Errorf("%s: %w", s.At, err)
		}
		if err != nil {
			return err
		}
		t.fds = append(t.fds, fd)
	}
	return nil
}

func (t *fdTable) openOne(s *plan.FDSource) (int, error) {
	switch s.Kind {
	case plan.FDListener:
		return t.listener, nil
	case plan.FDFile:
		if s.Index >= len(t.files) {
			return -1, fmt.Errorf("descriptor %d is missing", s.Index+3)
		}
		return int(t.files[s.Index].Fd()), nil
	case plan.FDTree:
		return t.openTree(s)
	case plan.FDNewFS:
		return t.newFS(s)
	case plan.FDUserNS:
		return t.openUserNS(s.IDMap)
	case plan.FDAppend:
		fd, err := unix.Open(s.Path, unix.O_WRONLY|unix.O_APPEND|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return -1, &os.PathError{Op: "open", Path: s.Path, Err: err}
		}
		return t.own(fd), nil
	}
	return -1, fmt.Errorf("descriptor of unknown kind %q", s.Kind)
}

func (t *fdTable) own(fd int) int {
	t.opened = append(t.opened, fd)
	return fd
}

// openTree clones the mount tree at a path of the host, mapped when that is asked for: both need the
// privilege of the host's user namespace, which the init may not have.
func (t *fdTable) openTree(s *plan.FDSource) (int, error) {
	flags := uint(unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC)
	if s.Recursive {
		flags |= unix.AT_RECURSIVE
	}
	if s.NoFollow {
		flags |= unix.AT_SYMLINK_NOFOLLOW
	}
	fd, err := unix.OpenTree(unix.AT_FDCWD, s.Path, flags)
	if err != nil {
		return -1, &os.PathError{Op: "open_tree", Path: s.Path, Err: err}
	}
	t.own(fd)
	return fd, t.mapIDs(fd, s)
}

// newFS makes a file system with the host's privilege.
func (t *fdTable) newFS(s *plan.FDSource) (int, error) {
	fs, err := unix.Fsopen(s.FSType, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, &os.PathError{Op: "fsopen", Path: s.FSType, Err: err}
	}
	defer unix.Close(fs)
	for _, param := range append([]string{"source=" + s.Path}, s.Data...) {
		if key, value, has := strings.Cut(param, "="); has {
			err = unix.FsconfigSetString(fs, key, value)
		} else {
			err = unix.FsconfigSetFlag(fs, key)
		}
		if err != nil {
			return -1, fmt.Errorf("mount option %q: %w", param, err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, &os.PathError{Op: "fsconfig", Path: s.FSType, Err: err}
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, 0)
	if err != nil {
		return -1, &os.PathError{Op: "fsmount", Path: s.FSType, Err: err}
	}
	t.own(fd)
	return fd, t.mapIDs(fd, s)
}

// mapIDs gives a detached mount the id map that s may have.
func (t *fdTable) mapIDs(fd int, s *plan.FDSource) error {
	if s.IDMap == nil {
		return nil
	}
	ns, err := t.openUserNS(s.IDMap)
	if err != nil {
		return err
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(ns)}
	at := uint(unix.AT_EMPTY_PATH)
	if s.IDMap.Recursive {
		at |= unix.AT_RECURSIVE
	}
	if err := unix.MountSetattr(fd, "", at, &attr); err != nil {
		if err == unix.EINVAL {
			return fmt.Errorf("idmap of %q: %w (the file system may not support idmapped mounts)", s.Path, err)
		}
		return fmt.Errorf("idmap of %q: %w", s.Path, err)
	}
	return nil
}

// openUserNS opens a user namespace with the given maps: one that exists, or that of a short-lived
// process made for it. Equal maps share one.
func (t *fdTable) openUserNS(m *plan.IDMap) (int, error) {
	key := fmt.Sprint(m.Path, m.UID, m.GID)
	if fd, ok := t.userns[key]; ok {
		return fd, nil
	}
	path := m.Path
	if path == "" {
		child, err := launch.Start(t.ctx, &step.Spawn{Clone: unix.CLONE_NEWUSER, MapHow: step.MapParent, UIDMap: m.UID, GIDMap: m.GID},
			launch.Options{Exe: t.exe})
		if err != nil {
			return -1, fmt.Errorf("make a user namespace for the id maps: %w", err)
		}
		defer child.Kill()
		path = fmt.Sprintf("/proc/%d/ns/user", child.Pid)
	}
	f, err := facts.OpenNamespace(path, unix.CLONE_NEWUSER)
	if err != nil {
		return -1, err
	}
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return -1, os.NewSyscallError("fcntl", err)
	}
	if t.userns == nil {
		t.userns = make(map[string]int)
	}
	t.userns[key] = t.own(fd)
	return fd, nil
}

// openJoins opens the namespaces that the door enters. The caller closes them.
func openJoins(joins []step.Join) ([]*os.File, error) {
	var files []*os.File
	for _, j := range joins {
		f, err := facts.OpenNamespace(j.Path, j.Types)
		if err != nil {
			closeFiles(files)
			return nil, fmt.Errorf("linux.namespaces: %w", err)
		}
		files = append(files, f)
	}
	return files, nil
}

func closeFiles(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}
