// Package criu speaks with CRIU, the program that writes a tree of processes to files and makes it anew
// from them: it starts `criu swrk` with one end of a socket and sends it a request (criu(8); the messages
// are those of go-criu's rpc package).
package criu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"

	"tare/internal/child"
)

// ErrMissing says that there is no criu in $PATH.
var ErrMissing = errors.New("criu: executable file not found in $PATH (checkpoint and restore need CRIU)")

// Find gives the path of the criu program.
func Find() (string, error) {
	path, err := exec.LookPath("criu")
	if err != nil {
		return "", ErrMissing
	}
	return path, nil
}

// Options are how a criu is started.
type Options struct {
	Path string // of the program
	// Stdio are its descriptors 0, 1 and 2; nil is /dev/null, but for 2: what criu says there is kept for
	// Process.Said.
	Stdio [3]*os.File
	// Files become its descriptors FirstFile, FirstFile+1, …
	Files []*os.File
	// Root is made a mount of its own in a mount namespace that criu then has for itself; "" is for the
	// caller's namespace.
	Root string
	// Inside is called on a thread that is in criu's mount namespace already: what is opened there criu
	// can mount on. nil is fine.
	Inside func() error
	// SameGroup leaves criu in the caller's process group: it restores processes into it.
	SameGroup bool
}

// FirstFile is the number, in criu, of the first of Options.Files.
const FirstFile = socketNumber + 1

const socketNumber = 3

// Process is a criu that waits for a request.
type Process struct {
	pid, pidfd int
	socket     int // ours
	said       *os.File
}

// Pid is criu's.
func (p *Process) Pid() int { return p.pid }

// Start starts a criu. The caller calls Close.
func Start(o *Options) (*Process, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	defer unix.Close(pair[1])
	p := &Process{pid: 0, pidfd: -1, socket: pair[0]}
	if err := p.start(o, pair[1]); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Process) start(o *Options, theirs int) error {
	fd, err := unix.MemfdCreate("criu stderr", unix.MFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("memfd_create", err)
	}
	p.said = os.NewFile(uintptr(fd), "criu stderr")
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	files := make([]uintptr, 0, FirstFile+len(o.Files))
	for i, f := range o.Stdio {
		switch {
		case f != nil:
			files = append(files, f.Fd())
		case i == 0:
			files = append(files, null.Fd())
		default:
			files = append(files, p.said.Fd())
		}
	}
	files = append(files, uintptr(theirs))
	for _, f := range o.Files {
		files = append(files, f.Fd())
	}
	attr := &syscall.ProcAttr{Env: os.Environ(), Files: files, Sys: &syscall.SysProcAttr{Setpgid: !o.SameGroup, PidFD: &p.pidfd}}
	if o.Root == "" {
		return p.fork(o, attr)
	}
	child.OnOwnThread(func() {
		err = ownRoot(o.Root)
		if err == nil && o.Inside != nil {
			err = o.Inside()
		}
		if err == nil {
			err = p.fork(o, attr)
		}
	})
	return err
}

func (p *Process) fork(o *Options, attr *syscall.ProcAttr) error {
	var err error
	p.pid, err = syscall.ForkExec(o.Path, []string{"criu", "swrk", strconv.Itoa(socketNumber)}, attr)
	if err != nil {
		return &os.PathError{Op: "exec", Path: o.Path, Err: err}
	}
	if p.pidfd < 0 {
		p.pidfd, err = unix.PidfdOpen(p.pid, 0)
	}
	return err
}

// ownRoot moves the calling thread into a mount namespace of its own, in which root is a mount: criu takes
// nothing else for a root, and the host need not see it.
func ownRoot(root string) error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return os.NewSyscallError("unshare CLONE_NEWNS", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_SLAVE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("mount propagation of \"/\": %w", err)
	}
	if err := unix.Mount(root, root, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind mount %q: %w", root, err)
	}
	if err := unix.Mount("", root, "", unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mount propagation of %q: %w", root, err)
	}
	return nil
}

// giveUpTime bounds how long a criu that was hung up on may take to put its processes right.
const giveUpTime = 10 * time.Second

// Close hangs up and waits for criu to end; one that does not is killed. It may be called again.
func (p *Process) Close() {
	if p.socket < 0 {
		return
	}
	unix.Close(p.socket)
	p.socket = -1
	if p.pid > 0 {
		if !p.awaitEnd(giveUpTime) {
			unix.PidfdSendSignal(p.pidfd, unix.SIGKILL, nil, 0)
		}
		unix.Close(p.pidfd)
		reap(p.pid)
	}
	if p.said != nil {
		p.said.Close()
	}
}

func (p *Process) awaitEnd(most time.Duration) bool {
	deadline := time.Now().Add(most)
	fds := []unix.PollFd{{Fd: int32(p.pidfd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, int(max(0, time.Until(deadline)/time.Millisecond)))
		if err != unix.EINTR {
			return n > 0
		}
	}
}

// howEnded tells how a criu that has hung up has ended, "" when it exited by itself or has not yet.
func (p *Process) howEnded() string {
	if !p.awaitEnd(time.Second) {
		return ""
	}
	var info unix.Siginfo
	if err := unix.Waitid(unix.P_PIDFD, p.pidfd, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil); err != nil {
		return ""
	}
	const killed, dumped = 2, 3 // CLD_KILLED, CLD_DUMPED
	if info.Code == killed || info.Code == dumped {
		return "it was killed"
	}
	return ""
}

func reap(pid int) {
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
			return
		}
	}
}

// Said is the end of what criu has written to its standard error.
func (p *Process) Said() string {
	st, err := p.said.Stat()
	if err != nil {
		return ""
	}
	b := make([]byte, min(st.Size(), 4096))
	n, _ := p.said.ReadAt(b, st.Size()-int64(len(b)))
	return string(b[:n])
}

// Event is a point that criu has arrived at, and where it waits for the answer.
type Event struct {
	Name string
	Pid  int      // of the root of the tree, where the event has one
	File *os.File // with orphan-pts-master: the master of the terminal. Whoever handles the event owns it
}

// Do sends a request and handles events until the answer comes. A handler's error makes criu give up, and
// is what Do returns. So does the end of ctx.
func (p *Process) Do(ctx context.Context, req *rpc.CriuReq, handle func(*Event) error) (*rpc.CriuResp, error) {
	hungUp := make(chan struct{})
	disarm := context.AfterFunc(ctx, func() {
		unix.Shutdown(p.socket, unix.SHUT_RDWR)
		close(hungUp)
	})
	defer func() {
		if !disarm() {
			<-hungUp // the descriptor is the caller's again
		}
	}()
	resp, err := p.converse(req, handle)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return resp, err
}

func (p *Process) converse(req *rpc.CriuReq, handle func(*Event) error) (*rpc.CriuResp, error) {
	if err := p.send(req); err != nil {
		return nil, err
	}
	var handled error // a handler's, until criu has given up over it
	for {
		resp, file, err := p.receive()
		if err != nil {
			return nil, errors.Join(handled, err)
		}
		if resp.GetType() != rpc.CriuReqType_NOTIFY {
			closeFile(file)
			if handled != nil {
				return nil, handled
			}
			return resp, failure(resp, req.GetType())
		}
		n := resp.GetNotify()
		if handled == nil && handle != nil {
			handled = handle(&Event{Name: n.GetScript(), Pid: int(n.GetPid()), File: file})
		} else {
			closeFile(file)
		}
		if err := p.send(&rpc.CriuReq{Type: ptr(rpc.CriuReqType_NOTIFY), NotifySuccess: ptr(handled == nil)}); err != nil {
			return nil, errors.Join(handled, err)
		}
	}
}

func closeFile(f *os.File) {
	if f != nil {
		f.Close()
	}
}

// Error is criu's answer that it could not.
type Error struct {
	Errno syscall.Errno // 0 when criu names none
	Msg   string        // the first error of its log, which need not be the reason
}

func (e *Error) Error() string {
	if e.Errno != 0 {
		return "criu: " + e.Errno.Error()
	}
	return "criu has failed"
}

func (e *Error) Unwrap() error {
	if e.Errno == 0 {
		return nil
	}
	return e.Errno
}

func failure(resp *rpc.CriuResp, asked rpc.CriuReqType) error {
	if !resp.GetSuccess() {
		return &Error{Errno: syscall.Errno(resp.GetCrErrno()), Msg: strings.TrimSpace(resp.GetCrErrmsg())}
	}
	if resp.GetType() != asked {
		return fmt.Errorf("criu answers %v to %v", resp.GetType(), asked)
	}
	return nil
}

func ptr[T any](v T) *T { return &v }
