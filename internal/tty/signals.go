package tty

// #cgo CFLAGS: -Os -Wall -Werror
// #include "catch.h"
import "C"

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"

	"tare/internal/sys"

	"golang.org/x/sys/unix"
)

// Signals receives the signals that the runtime gets, while a container's process is in the foreground or a
// command must not be cut off in the middle. There is one at a time in a process.
type Signals struct {
	read, write *os.File
	interrupt   func(os.Signal)
	reap        atomic.Bool
	done        chan struct{}

	mu      sync.Mutex
	waiting []syscall.Signal // for a target
	target  *target
}

// target is where signals go once there is a process.
type target struct {
	pid     int
	console *Console
	send    func(sig int)
}

// notForwarded: what says something about the runtime itself. SIGTTIN and SIGTTOU stop a background
// process that touches its terminal, as they should; caught, they would come again for ever.
func notForwarded(s syscall.Signal) bool {
	switch s {
	case unix.SIGKILL, unix.SIGSTOP, unix.SIGURG, unix.SIGTTIN, unix.SIGTTOU:
		return true
	}
	return s == 32 || s == 33 // the C library's own
}

// endAsked tells the signals that ask for the end.
func endAsked(s syscall.Signal) bool {
	return s == unix.SIGINT || s == unix.SIGTERM || s == unix.SIGHUP || s == unix.SIGQUIT
}

// Catch begins to receive all signals that can be passed on. Until Forward they wait, and those that ask for
// the end go to interrupt as well. Stop ends it.
func Catch(interrupt func(os.Signal)) (*Signals, error) {
	return catch(interrupt, func(s syscall.Signal) bool { return !notForwarded(s) })
}

// Interruptible gives a context that ends with a signal that asks for the end, so that what was begun is
// taken back or brought to its end. stop gives the signals their effect back.
func Interruptible(ctx context.Context) (_ context.Context, stop context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	s, err := catch(func(sig os.Signal) { cancel(fmt.Errorf("interrupted by signal: %v", sig)) }, endAsked)
	if err != nil {
		return ctx, func() { cancel(nil) } // then the signal simply ends the process
	}
	return ctx, func() { s.Stop(); cancel(nil) }
}

func catch(interrupt func(os.Signal), which func(syscall.Signal) bool) (*Signals, error) {
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	s := &Signals{interrupt: interrupt, done: make(chan struct{}),
		read: os.NewFile(uintptr(p[0]), "signals"), write: os.NewFile(uintptr(p[1]), "signals")}
	var want [65]C.uchar
	for n := syscall.Signal(1); n <= 64; n++ {
		if which(n) {
			want[n] = 1
		}
	}
	C.tare_catch(C.int(p[1]), &want[0])
	go s.run()
	return s, nil
}

// run reads the bytes that the handler writes.
func (s *Signals) run() {
	defer close(s.done)
	buf := make([]byte, 64)
	for {
		n, err := s.read.Read(buf)
		if err != nil {
			return
		}
		for _, sig := range buf[:n] {
			s.take(syscall.Signal(sig))
		}
	}
}

func (s *Signals) take(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.target != nil {
		s.deliver(sig)
		return
	}
	// One that interrupts too late, when the process is there already, is passed on after all.
	s.waiting = append(s.waiting, sig)
	if endAsked(sig) {
		s.interrupt(sig)
	}
}

// Forward begins to pass signals on with send: SIGWINCH to the console when there is one, SIGCHLD to
// nobody. When that comes, children are reaped other than pid: with a subreaper the orphans of the
// container become the runtime's own.
func (s *Signals) Forward(pid int, console *Console, send func(sig int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.target = &target{pid, console, send}
	for _, sig := range s.waiting {
		s.deliver(sig)
	}
	s.waiting = nil
}

// Reap says that no child but the process is waited for by anybody any more: from now on SIGCHLD has the
// others reaped.
func (s *Signals) Reap() { s.reap.Store(true) }

// Discard has signals no effect any more: the process has ended, and what is left to do must be done.
func (s *Signals) Discard() { s.Forward(0, nil, func(int) {}) }

// Stop ends it: signals have their default effect again.
func (s *Signals) Stop() {
	C.tare_release()
	s.read.Close()
	<-s.done
	s.write.Close()
}

func (s *Signals) deliver(sig syscall.Signal) {
	switch t := s.target; {
	case sig == unix.SIGCHLD:
		if s.reap.Load() && t.pid > 0 {
			reapOthers(t.pid)
		}
	case sig == unix.SIGWINCH && t.console != nil:
		t.console.Resize() // a terminal that has gone says so on its own
	default:
		t.send(int(sig))
	}
}

// SetSubreaper makes the runtime the parent of the container's orphans (PR_SET_CHILD_SUBREAPER).
func SetSubreaper() error {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl PR_SET_CHILD_SUBREAPER", err)
	}
	return nil
}

// reapOthers reaps children that have ended, but not pid: its status is for whoever waits for it.
func reapOthers(pid int) {
	for {
		child := sys.PeekChild()
		if child == 0 || child == pid {
			return
		}
		unix.Wait4(child, nil, unix.WNOHANG, nil)
	}
}
