package initstage

import (
	"syscall"

	"tare/internal/step"
	"tare/internal/sys"
)

const xOK = 1 // access(2)

// program is what execve will run, made ready before the process enters a cgroup in which every new
// page counts.
type program struct {
	name    string // as found: for messages
	image   *sys.Image
	goodbye []byte // the message that execve comes next
}

// findExec resolves the program with the final identity and working directory, as execve will. The
// texts are those that engines tell exit statuses 126 and 127 by.
func (l *lane) findExec(s *step.FindExec) error {
	path, err := lookPath(s.Name, s.Path)
	if err != nil {
		return err
	}
	exec, ok := l.req.Steps[len(l.req.Steps)-1].(*step.Exec)
	if !ok {
		return &sys.Error{Op: "find-executable", Object: s.Name, Note: "the plan does not end with exec"}
	}
	err = l.prepare(path, exec)
	// Nothing is done in the rootfs after this; a descriptor less to be found as /proc/self/fd/N.
	l.root.Close()
	l.root = nil
	return err
}

func lookPath(name, path string) (string, error) {
	list := step.SearchPath(name, path)
	for _, candidate := range list {
		errno := executable(candidate)
		if errno == 0 {
			return candidate, nil
		}
		if candidate == name { // it was given as a path
			return "", execError(name, errno)
		}
	}
	return "", &sys.Error{Errno: syscall.ENOENT, Note: `exec: "` + name + `": executable file not found in $PATH`}
}

// executable asks whether execve would take path.
func executable(path string) syscall.Errno {
	var st syscall.Stat_t
	if err := sys.StatAt(sys.AT_FDCWD, path, &st, 0); err != nil {
		return sys.ErrnoOf(err)
	}
	switch uint32(st.Mode) & syscall.S_IFMT {
	case syscall.S_IFREG:
	case syscall.S_IFDIR:
		return syscall.EISDIR
	default:
		return syscall.EACCES
	}
	return sys.ErrnoOf(sys.AccessAt(sys.AT_FDCWD, path, xOK, sys.AT_EACCESS))
}

// execError is the sentence for an execve that fails.
func execError(path string, errno syscall.Errno) error {
	text := step.ExecText(path, errno, errno == syscall.ENOENT && sys.AccessAt(sys.AT_FDCWD, path, 0, sys.AT_EACCESS) == nil)
	if errno == syscall.EISDIR {
		errno = syscall.EACCES
	}
	return &sys.Error{Errno: errno, Note: text}
}
