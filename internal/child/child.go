// Package child runs a program to its end: input from memory, bounded output to memory, and a bound on
// its time. One poll(2) loop of the caller's does it all: no goroutine copies anything, and nothing
// waits for a grandchild that keeps the output open.
package child

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Errors that say why a program was killed.
var (
	ErrTimeout = errors.New("timeout")
	ErrWatched = errors.New("the container's init has ended meanwhile")
)

// Cmd is a program to run, in a process group of its own.
type Cmd struct {
	Path string   // as for execve(2)
	Args []string // argv, from argv[0]
	Env  []string
	Dir  string // working directory; "" keeps the caller's
	// Stdin is all that the program can read.
	Stdin []byte
	// Stdout and Stderr are borrowed; where they are nil the output's end is in Output.
	Stdout, Stderr *os.File
	// Timeout kills the program's process group when it is over; 0 is none.
	Timeout time.Duration
	// Watch is a pidfd: when its process ends, the program is killed. 0 is none.
	Watch int
}

// Output is the end of what the program has written, at most maxOutput bytes of each.
type Output struct{ Stdout, Stderr []byte }

const maxOutput = 4096

// ExitError says that a program ended otherwise than by exiting with 0.
type ExitError struct{ Status syscall.WaitStatus }

func (e *ExitError) Error() string {
	if e.Status.Signaled() {
		return "signal: " + e.Status.Signal().String()
	}
	return fmt.Sprintf("exit status %d", e.Status.ExitStatus())
}

// Run starts the program and returns when it has ended and was reaped. The error is an errno of its
// start, an *ExitError, ErrTimeout, ErrWatched or the cause of ctx's end; after the last three the
// program was killed.
func Run(ctx context.Context, c *Cmd) (Output, error) {
	r := &run{cmd: c, pidfd: -1, stdin: -1, wake: -1, kids: make([]int, 0, 3)}
	for i := range r.outs {
		r.outs[i].fd = -1
	}
	defer r.closeAll()
	if err := ctx.Err(); err != nil {
		return Output{}, context.Cause(ctx)
	}
	if err := r.start(); err != nil {
		return Output{}, err
	}
	stop, err := r.wakeOn(ctx)
	if err != nil {
		r.kill()
		return Output{}, errors.Join(err, r.reap())
	}
	defer stop()
	why := r.loop(ctx)
	if why != nil {
		r.kill()
	}
	err = r.reap()
	r.drain()
	if why != nil {
		err = why
	}
	return Output{Stdout: r.outs[0].tail, Stderr: r.outs[1].tail}, err
}

// run is a program under way; a descriptor of -1 is closed. Every descriptor is close-on-exec.
type run struct {
	cmd     *Cmd
	pid     int
	pidfd   int
	stdin   int // the writing end
	pending []byte
	outs    [2]output
	wake    int   // eventfd that tells of the context's end
	kids    []int // the program's ends, closed once it runs
}

type output struct {
	fd   int // the reading end
	tail []byte
}

func (r *run) start() error {
	files, err := r.files()
	if err == nil {
		attr := &syscall.ProcAttr{
			Dir: r.cmd.Dir, Env: r.cmd.Env, Files: files,
			Sys: &syscall.SysProcAttr{Setpgid: true, PidFD: &r.pidfd},
		}
		r.pid, err = syscall.ForkExec(r.cmd.Path, r.cmd.Args, attr)
	}
	for _, fd := range r.kids {
		unix.Close(fd)
	}
	r.kids = nil
	if err != nil {
		return err
	}
	if r.pidfd < 0 {
		// Kernels that tare supports have CLONE_PIDFD; seccomp profiles may take it away.
		r.pidfd, err = unix.PidfdOpen(r.pid, 0)
	}
	if err != nil {
		r.kill()
		return errors.Join(fmt.Errorf("pidfd_open: %w", err), r.reap())
	}
	return nil
}

// files makes the program's descriptors 0, 1 and 2.
func (r *run) files() ([]uintptr, error) {
	p, err := pipe()
	if err != nil {
		return nil, err
	}
	r.kids, r.stdin, r.pending = append(r.kids, p[0]), p[1], r.cmd.Stdin
	if err := unix.SetNonblock(r.stdin, true); err != nil {
		return nil, err
	}
	files := []uintptr{uintptr(p[0])}
	for i, f := range []*os.File{r.cmd.Stdout, r.cmd.Stderr} {
		if f != nil {
			files = append(files, f.Fd())
			continue
		}
		if p, err = pipe(); err != nil {
			return nil, err
		}
		r.kids, r.outs[i].fd = append(r.kids, p[1]), p[0]
		if err := unix.SetNonblock(p[0], true); err != nil {
			return nil, err
		}
		files = append(files, uintptr(p[1]))
	}
	return files, nil
}

func pipe() (p [2]int, err error) {
	if err = unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return p, fmt.Errorf("pipe2: %w", err)
	}
	return p, nil
}

// wakeOn arranges that the end of ctx shows on r.wake. stop ends that.
func (r *run) wakeOn(ctx context.Context) (stop func(), err error) {
	if ctx.Done() == nil {
		return func() {}, nil
	}
	r.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("eventfd: %w", err)
	}
	done := make(chan struct{})
	disarm := context.AfterFunc(ctx, func() {
		defer close(done)
		unix.Write(r.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	})
	return func() {
		if !disarm() {
			<-done // before its descriptor is closed
		}
	}, nil
}

// loop feeds and empties the pipes until the program ends (nil) or must be killed (why).
func (r *run) loop(ctx context.Context) error {
	var deadline time.Time
	if r.cmd.Timeout > 0 {
		deadline = time.Now().Add(r.cmd.Timeout)
	}
	for {
		wait := -1
		if !deadline.IsZero() {
			left := time.Until(deadline)
			if left <= 0 {
				return ErrTimeout
			}
			wait = int(min((left+time.Millisecond-1)/time.Millisecond, 1<<30))
		}
		r.feed()
		fds := []unix.PollFd{
			{Fd: int32(r.pidfd), Events: unix.POLLIN},
			{Fd: int32(r.wake), Events: unix.POLLIN},
			{Fd: watchFD(r.cmd.Watch), Events: unix.POLLIN},
			{Fd: int32(r.stdin), Events: unix.POLLOUT},
			{Fd: int32(r.outs[0].fd), Events: unix.POLLIN},
			{Fd: int32(r.outs[1].fd), Events: unix.POLLIN},
		}
		if _, err := unix.Poll(fds, wait); err != nil && err != unix.EINTR {
			return fmt.Errorf("poll: %w", err)
		}
		r.drain()
		switch {
		case fds[0].Revents != 0:
			return nil
		case fds[1].Revents != 0:
			return context.Cause(ctx)
		case fds[2].Revents != 0:
			return ErrWatched
		}
	}
}

// watchFD: poll ignores negative descriptors.
func watchFD(fd int) int32 {
	if fd <= 0 {
		return -1
	}
	return int32(fd)
}

// feed writes what the pipe takes. A program that does not read its input is none the worse.
func (r *run) feed() {
	for r.stdin >= 0 {
		if len(r.pending) == 0 {
			closeFD(&r.stdin)
			return
		}
		n, err := unix.Write(r.stdin, r.pending)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			return
		case err != nil:
			closeFD(&r.stdin)
		default:
			r.pending = r.pending[n:]
		}
	}
}

// drain reads what is there and keeps the end of it.
func (r *run) drain() {
	var buf [4096]byte
	for i := range r.outs {
		o := &r.outs[i]
		for o.fd >= 0 {
			n, err := unix.Read(o.fd, buf[:])
			if err == unix.EINTR {
				continue
			}
			if err == unix.EAGAIN {
				break
			}
			if err != nil || n == 0 {
				closeFD(&o.fd)
				break
			}
			o.tail = append(o.tail, buf[:n]...)
			if over := len(o.tail) - maxOutput; over > 0 {
				o.tail = append(o.tail[:0], o.tail[over:]...)
			}
		}
	}
}

// kill ends the program and what it has started, as far as that stayed in its process group.
func (r *run) kill() {
	unix.Kill(-r.pid, unix.SIGKILL)
	unix.Kill(r.pid, unix.SIGKILL)
}

func (r *run) reap() error {
	var st syscall.WaitStatus
	for {
		_, err := syscall.Wait4(r.pid, &st, 0, nil)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("wait4: %w", err)
		}
		if st.Exited() && st.ExitStatus() == 0 {
			return nil
		}
		return &ExitError{Status: st}
	}
}

func (r *run) closeAll() {
	for _, fd := range []*int{&r.pidfd, &r.stdin, &r.wake, &r.outs[0].fd, &r.outs[1].fd} {
		closeFD(fd)
	}
}

func closeFD(fd *int) {
	if *fd >= 0 {
		unix.Close(*fd)
		*fd = -1
	}
}
