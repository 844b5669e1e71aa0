package tty

import (
	"os"
	"os/signal"
	"syscall"

	"tare/internal/sys"

	"golang.org/x/sys/unix"
)

// Signals receives the signals that the runtime gets while a container's process is in the foreground.
type Signals struct {
	c    chan os.Signal
	stop chan struct{}
	done chan struct{}
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

// Catch begins to receive signals, which wait until Forward.
func Catch() *Signals {
	s := &Signals{c: make(chan os.Signal, 256)}
	all := make([]os.Signal, 0, 64)
	for n := syscall.Signal(1); n <= 64; n++ {
		if !notForwarded(n) {
			all = append(all, n)
		}
	}
	signal.Notify(s.c, all...)
	return s
}

// Interrupted gives the first signal that asked for the end and came before Forward, nil if none did.
// It is for a caller whose preparations have failed or ended.
func (s *Signals) Interrupted() os.Signal {
	for {
		select {
		case sig := <-s.c:
			switch sig {
			case unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT:
				return sig
			}
		default:
			return nil
		}
	}
}

// Forward begins to pass signals on with send: SIGWINCH to the console when there is one, SIGCHLD to
// nobody. When that comes, children are reaped other than pid: with a subreaper the orphans of the
// container become the runtime's own.
func (s *Signals) Forward(pid int, console *Console, send func(sig int)) {
	s.stop, s.done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(s.done)
		for {
			select {
			case <-s.stop:
				return
			case sig := <-s.c:
				switch {
				case sig == unix.SIGCHLD:
					reapOthers(pid)
				case sig == unix.SIGWINCH && console != nil:
					console.Resize() // a terminal that has gone says so on its own
				default:
					send(int(sig.(syscall.Signal)))
				}
			}
		}
	}()
}

// Stop ends it: signals have their default effect again. Forward need not have been called.
func (s *Signals) Stop() {
	signal.Stop(s.c)
	if s.stop != nil {
		close(s.stop)
		<-s.done
		s.stop = nil
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
