package initstage

import (
	"syscall"

	"tare/internal/rootfs"
	"tare/internal/step"
	"tare/internal/sys"
)

// prepare builds the arguments of execve.
func (l *lane) prepare(path string, e *step.Exec) error {
	env := e.Env
	if e.Home {
		env = withHome(env, l.home())
	}
	if err := checkLengths(e.Args, env); err != nil {
		return err
	}
	image, err := sys.NewImage(path, e.Args, env)
	l.prog = program{name: path, image: image,
		goodbye: append(step.AppendHeader(nil, step.MsgArrived, len(step.ArrivedExec)), step.ArrivedExec...)}
	return err
}

// exec becomes the container's program. From here on nothing is allocated: the process may be in a
// cgroup without room for another page.
func (l *lane) exec(e *step.Exec) error {
	if l.prog.image == nil { // a plan without FindExec
		if len(e.Args) == 0 {
			return &sys.Error{Op: "exec", Note: "args must not be empty"}
		}
		if err := l.prepare(e.Args[0], e); err != nil {
			return err
		}
	}
	l.getReady()
	return execError(l.prog.name, l.prog.image.Exec())
}

// withHome sets HOME in a copy of env, in place of an empty one.
func withHome(env []string, home string) []string {
	const key = "HOME="
	out := make([]string, 0, len(env)+1)
	for _, kv := range env {
		if len(kv) < len(key) || kv[:len(key)] != key {
			out = append(out, kv)
		}
	}
	return append(out, key+home)
}

// getReady undoes what the Go runtime and we did to the process and that execve would pass on, and
// tells the host that only execve is left: an end of the connection from now on is a success, unless
// the process is found dead.
func (l *lane) getReady() {
	if l.ready {
		return
	}
	l.ready = true
	l.cover.save()
	l.root.Close()
	l.root = nil
	l.restoreNofile()
	sys.ResetSignals()
	closeOnExec(uint(firstFD + l.placed))
	sys.Send(l.conn.Int(), l.prog.goodbye)
}

// restoreNofile gives back the soft limit that the Go runtime raised to hard-1 at its start, unless
// the limit has been set since.
func (l *lane) restoreNofile() {
	soft, hard := l.nofile[0], l.nofile[1]
	if hard == 0 || soft >= hard-1 {
		return
	}
	now, err := sys.Prlimit(0, syscall.RLIMIT_NOFILE, nil)
	if err == nil && now.Max == hard && now.Cur == hard-1 {
		sys.Prlimit(0, syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: soft, Max: hard})
	}
}

// closeOnExec marks every descriptor from first on. They are not closed here: the connection must tell
// of an execve that fails, and its end of one that succeeds.
func closeOnExec(first uint) {
	if sys.CloseRange(first, ^uint(0)>>32, sys.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	limit, _ := sys.Prlimit(0, syscall.RLIMIT_NOFILE, nil) // a filter on the host forbids the call
	for fd := uint64(first); fd < limit.Max; fd++ {
		sys.SetCloexec(int(fd), true)
	}
}

// home gives the home directory of the process's uid from the container's /etc/passwd, "/" when there
// is none.
func (l *lane) home() string {
	const limit = 1 << 20
	root, err := rootfs.Here()
	if err != nil {
		return "/"
	}
	defer root.Close()
	text, err := root.ReadFile("/etc/passwd", limit)
	if err != nil {
		return "/"
	}
	return homeOf(text, uint64(syscall.Geteuid()))
}

// checkLengths finds a string that execve would refuse while create can still fail (execve(2), "Limits on
// size of arguments and environment").
func checkLengths(lists ...[]string) error {
	longest := 32*syscall.Getpagesize() - 1
	for _, list := range lists {
		for _, s := range list {
			if len(s) > longest {
				return &sys.Error{Op: "exec", Object: s[:32] + "…", Errno: syscall.E2BIG}
			}
		}
	}
	return nil
}
