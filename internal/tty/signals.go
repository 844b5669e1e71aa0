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
	c      chan os.Signal
	target chan target
	stop   chan struct{}
	done   chan struct{}
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

// Catch begins to receive signals. Until Forward they wait, and those that ask for the end go to
// interrupt as well. Stop ends it.
func Catch(interrupt func(os.Signal)) *Signals {
	s := &Signals{
		c: make(chan os.Signal, 256), target: make(chan target), stop: make(chan struct{}), done: make(chan struct{}),
	}
	all := make([]os.Signal, 0, 64)
	for n := syscall.Signal(1); n <= 64; n++ {
		if !notForwarded(n) {
			all = append(all, n)
		}
	}
	signal.Notify(s.c, all...)
	go s.run(interrupt)
	return s
}

// Forward begins to pass signals on with send: SIGWINCH to the console when there is one, SIGCHLD to
// nobody. When that comes, children are reaped other than pid: with a subreaper the orphans of the
// container become the runtime's own.
func (s *Signals) Forward(pid int, console *Console, send func(sig int)) {
	s.target <- target{pid, console, send}
}

// Stop ends it: signals have their default effect again.
func (s *Signals) Stop() {
	signal.Stop(s.c)
	close(s.stop)
	<-s.done
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
		reapOthers(t.pid)
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
