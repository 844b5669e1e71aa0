package tty

// #cgo CFLAGS: -Os -Wall -Werror
// #include "catch.h"
import "C"

import (
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"tare/internal/sys"

	"golang.org/x/sys/unix"
)

// Signals receives the signals that the runtime gets while a container's process is in the foreground.
type Signals struct {
	c      chan os.Signal
	pipe   [2]*os.File
	reap   atomic.Bool
	target chan target
	stop   chan struct{}
	done   chan struct{}
}

// target is where signals go once there is a process.
type target struct {
	reap    *atomic.Bool // see Reap
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

// faults are the signals that the Go runtime makes panics of: they must stay its own. Sent by somebody
// else they reach us through it.
func faults() []os.Signal {
	return []os.Signal{unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGTRAP, unix.SIGSYS, unix.SIGABRT}
}

// Catch begins to receive signals. Until Forward they wait, and those that ask for the end go to
// interrupt as well. Stop ends it. There is one at a time in a process.
func Catch(interrupt func(os.Signal)) (*Signals, error) {
	s := &Signals{
		c: make(chan os.Signal, 256), target: make(chan target), stop: make(chan struct{}), done: make(chan struct{}),
	}
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, os.NewSyscallError("pipe2", err)
	}
	s.pipe = [2]*os.File{os.NewFile(uintptr(p[0]), "signals"), os.NewFile(uintptr(p[1]), "signals")}
	var want [65]C.uchar
	for n := syscall.Signal(1); n <= 64; n++ {
		if !notForwarded(n) {
			want[n] = 1
		}
	}
	for _, f := range faults() {
		want[f.(syscall.Signal)] = 0
	}
	C.tare_catch(C.int(p[1]), &want[0])
	go s.read()
	go s.run(interrupt)
	return s, nil
}

// read turns the bytes that the handler writes into signals.
func (s *Signals) read() {
	buf := make([]byte, 64)
	for {
		n, err := s.pipe[0].Read(buf)
		if err != nil {
			return
		}
		for _, sig := range buf[:n] {
			select {
			case s.c <- syscall.Signal(sig):
			case <-s.stop:
				return
			}
		}
	}
}

// Forward begins to pass signals on with send: SIGWINCH to the console when there is one, SIGCHLD to
// nobody. When that comes, children are reaped other than pid: with a subreaper the orphans of the
// container become the runtime's own.
func (s *Signals) Forward(pid int, console *Console, send func(sig int)) {
	s.target <- target{&s.reap, pid, console, send}
	signal.Notify(s.c, faults()...)
}

// Reap says that no child but the process is waited for by anybody any more: from now on SIGCHLD has the
// others reaped.
func (s *Signals) Reap() { s.reap.Store(true) }

// Stop ends it: signals have their default effect again.
func (s *Signals) Stop() {
	C.tare_release()
	signal.Stop(s.c)
	close(s.stop)
	<-s.done
	for _, f := range s.pipe {
		f.Close()
	}
}

func (s *Signals) run(interrupt func(os.Signal)) {
	defer close(s.done)
	var waiting []os.Signal
	for {
		select {
		case <-s.stop:
			return
		case sig := <-s.c:
			// One that interrupts too late, when the process is there already, is passed on after all.
			waiting = append(waiting, sig)
			if endAsked(sig) {
				interrupt(sig)
			}
		case t := <-s.target:
			for _, sig := range waiting {
				t.deliver(sig)
			}
			s.forward(t)
			return
		}
	}
}

func (s *Signals) forward(t target) {
	for {
		select {
		case <-s.stop:
			return
		case sig := <-s.c:
			t.deliver(sig)
		}
	}
}

func (t target) deliver(sig os.Signal) {
	switch {
	case sig == unix.SIGCHLD:
		if t.reap.Load() {
			reapOthers(t.pid)
		}
	case sig == unix.SIGWINCH && t.console != nil:
		t.console.Resize() // a terminal that has gone says so on its own
	default:
		t.send(int(sig.(syscall.Signal)))
	}
}

func endAsked(sig os.Signal) bool {
	return sig == unix.SIGINT || sig == unix.SIGTERM || sig == unix.SIGHUP || sig == unix.SIGQUIT
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
