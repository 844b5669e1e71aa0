package initstage

import (
	"strconv"
	"syscall"

	"tare/internal/step"
	"tare/internal/sys"
)

// maxHookOutput is how much of what a hook printed goes into its error: the end of it.
const maxHookOutput = 8 << 10

// hook runs one hook and waits for it.
func (l *lane) hook(h *step.Hook) error {
	restore, err := l.enterHookDir(h)
	if err != nil {
		return err
	}
	ours := sys.Umask(l.umask)
	run, err := l.startHook(h)
	sys.Umask(ours)
	if e := restore(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	defer run.close()
	gone := l.conn.Int()
	if l.started {
		gone = -1 // a start client that goes away is no reason to stop
	}
	deadline := int64(-1)
	if h.TimeoutMS > 0 {
		deadline = sys.ClockNanos(sys.CLOCK_MONOTONIC) + int64(min(h.TimeoutMS, 1<<40))*1e6
	}
	err = run.wait(h, gone, deadline)
	reap()
	return err
}

// enterHookDir makes the rootfs the working directory for a hook that names none, and gives the way back.
func (l *lane) enterHookDir(h *step.Hook) (restore func() error, err error) {
	if h.Dir != "" || l.root == nil {
		return func() error { return nil }, nil
	}
	here, err := sys.OpenAt(sys.AT_FDCWD, ".", sys.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	return func() error {
		defer here.Close()
		return sys.Fchdir(here.Int())
	}, l.root.Enter()
}

// running is a hook at work.
type running struct {
	pid    int
	pidfd  *sys.FD
	stdin  *sys.FD // what is still to be written goes here; closed when it has been
	output *sys.FD
	state  []byte
	said   []byte
}

// startHook forks and execs the hook in a process group of its own. Nothing of ours is inherited but
// the pipes, and the files for its output: every descriptor of the lane is close-on-exec.
func (l *lane) startHook(h *step.Hook) (*running, error) {
	stdout, err := l.fd(h.Stdout)
	if err != nil {
		return nil, err
	}
	stderr, err := l.fd(h.Stderr)
	if err != nil {
		return nil, err
	}
	in, stdin, err := sys.Pipe(0)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	output, out, err := sys.Pipe(0)
	if err != nil {
		stdin.Close()
		return nil, err
	}
	defer out.Close()
	if stdout < 0 {
		stdout = out.Int()
	}
	if stderr < 0 {
		stderr = out.Int()
	}
	pidfd := -1
	pid, err := syscall.ForkExec(h.Path, hookArgs(h), &syscall.ProcAttr{
		Dir: h.Dir, Env: hookEnv(h),
		Files: []uintptr{uintptr(in.Int()), uintptr(stdout), uintptr(stderr)},
		Sys:   &syscall.SysProcAttr{Setpgid: true, PidFD: &pidfd},
	})
	r := &running{pid: pid, pidfd: sys.Own(pidfd), stdin: stdin, output: output}
	if err != nil {
		r.close()
		errno, _ := err.(syscall.Errno)
		return nil, &sys.Error{Op: "hook", Object: h.Path, Errno: errno}
	}
	r.state = append(r.state, h.StateHead...)
	r.state = strconv.AppendInt(r.state, int64(syscall.Getpid()), 10)
	r.state = append(r.state, h.StateTail...)
	return r, nil
}

func hookArgs(h *step.Hook) []string {
	if len(h.Args) == 0 {
		return []string{h.Path}
	}
	return h.Args
}

// hookEnv is never nil: that would mean our own environment.
func hookEnv(h *step.Hook) []string { return append([]string{}, h.Env...) }

// wait serves the hook's pipes until it ends, until deadline (monotonic nanoseconds, negative: none) or
// until the other end of the socket gone closes. A grandchild that keeps the pipes open is not waited
// for.
func (r *running) wait(h *step.Hook, gone int, deadline int64) error {
	for _, f := range [...]*sys.FD{r.stdin, r.output} {
		if err := sys.SetNonblock(f.Int(), true); err != nil {
			r.kill()
			return err
		}
	}
	for {
		fds := [...]sys.PollFD{
			{FD: int32(r.pidfd.Int()), Events: sys.POLLIN},
			{FD: int32(r.output.Int()), Events: sys.POLLIN},
			{FD: int32(r.stdin.Int()), Events: sys.POLLOUT},
			{FD: int32(gone)},
		}
		left := int64(-1)
		if deadline >= 0 {
			left = max(0, deadline-sys.ClockNanos(sys.CLOCK_MONOTONIC))
		}
		n, err := sys.Poll(fds[:], left)
		if err != nil {
			r.kill()
			return err
		}
		if fds[1].Revents != 0 {
			r.listen()
		}
		if fds[2].Revents != 0 {
			r.feed()
		}
		switch {
		case fds[0].Revents != 0:
			return r.verdict(h)
		case fds[3].Revents != 0:
			r.kill()
			return errHostGone
		case n == 0 && deadline >= 0 && sys.ClockNanos(sys.CLOCK_MONOTONIC) >= deadline:
			r.kill()
			return &sys.Error{Op: "hook", Object: h.Path,
				Note: "hook ran past specified timeout of " + seconds(h.TimeoutMS) + r.quote()}
		}
	}
}

// feed writes more of the state. A hook that does not read it (EPIPE) is no error.
func (r *running) feed() {
	n, err := sys.Write(r.stdin.Int(), r.state)
	switch sys.ErrnoOf(err) {
	case 0:
		r.state = r.state[n:]
	case syscall.EAGAIN:
		return
	default:
		r.state = nil
	}
	if len(r.state) == 0 {
		r.stdin.Close()
	}
}

// listen takes what the hook has printed and keeps its end.
func (r *running) listen() {
	var b [4096]byte
	for {
		n, err := sys.Read(r.output.Int(), b[:])
		if sys.ErrnoOf(err) == syscall.EAGAIN {
			return
		}
		if err != nil || n == 0 {
			r.output.Close()
			return
		}
		r.said = append(r.said, b[:n]...)
		if over := len(r.said) - maxHookOutput; over > 0 {
			r.said = append(r.said[:0], r.said[over:]...)
		}
	}
}

// verdict reaps the hook and reads its end.
func (r *running) verdict(h *step.Hook) error {
	if r.output.Valid() {
		r.listen()
	}
	_, ws, err := sys.Wait4(r.pid, 0)
	if err != nil {
		return err
	}
	if ws.Exited() && ws.ExitStatus() == 0 {
		return nil
	}
	text := "exit status " + strconv.Itoa(ws.ExitStatus())
	if ws.Signaled() {
		text = "killed by signal " + strconv.Itoa(int(ws.Signal())) + " (" + ws.Signal().String() + ")"
	}
	return &sys.Error{Op: "hook", Object: h.Path, Note: text + r.quote()}
}

// quote is what the hook said, for its error, which stays one line.
func (r *running) quote() string {
	said := r.said
	for len(said) > 0 && said[len(said)-1] == '\n' {
		said = said[:len(said)-1]
	}
	if len(said) == 0 {
		return ""
	}
	return ", output: " + strconv.Quote(string(said))
}

// kill ends the hook and its process group, and reaps it.
func (r *running) kill() {
	sys.Kill(-r.pid, syscall.SIGKILL)
	sys.PidfdSendSignal(r.pidfd.Int(), syscall.SIGKILL) // it may have left the group
	sys.Wait4(r.pid, 0)
}

func (r *running) close() {
	r.pidfd.Close()
	r.stdin.Close()
	r.output.Close()
}

// reap takes what a hook left behind: in a new pid namespace its orphans are ours, and would be zombies
// under the container's program.
func reap() {
	for {
		if pid, _, err := sys.Wait4(-1, syscall.WNOHANG); err != nil || pid <= 0 {
			return
		}
	}
}

// seconds writes milliseconds as seconds with one decimal at least: 1.0s, 0.25s.
func seconds(ms uint64) string {
	frac := ms % 1000
	s := strconv.FormatUint(ms/1000, 10) + "."
	digits := []byte{'0' + byte(frac/100), '0' + byte(frac/10%10), '0' + byte(frac%10)}
	n := len(digits)
	for n > 1 && digits[n-1] == '0' {
		n--
	}
	return s + string(digits[:n]) + "s"
}
