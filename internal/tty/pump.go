package tty

import (
	"fmt"
	"sync"

	"golang.org/x/sys/unix"
)

// pump copies from one descriptor to another until the source ends or it is stopped. It is a goroutine
// whose owner waits for it in stop.
type pump struct {
	from, to int
	drain    bool
	atEnd    func(partial bool, err error) // called at the source's end; partial: within a line; err: not an end of file
	atHangUp func()                        // called when what it writes to was a terminal and is gone
	partial  bool
	wake     int // eventfd: stop
	stopOnce sync.Once
	done     chan struct{}
}

// prepare completes a pump, which copies in run.
func (p *pump) prepare() error {
	var err error
	if p.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	p.done = make(chan struct{})
	return nil
}

// stop ends the pump and waits for it, as often as it is called; on nil it does nothing.
func (p *pump) stop() {
	if p == nil {
		return
	}
	p.stopOnce.Do(func() {
		unix.Write(p.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		<-p.done
		unix.Close(p.wake)
	})
}

func (p *pump) run() {
	defer close(p.done)
	buf := make([]byte, 32<<10)
	for {
		stopped, ok := p.await(p.from, unix.POLLIN, true)
		if !ok {
			return
		}
		if stopped {
			break
		}
		if !p.copyOnce(buf) {
			return
		}
	}
	// The process has ended: what it wrote is in the terminal's buffer, and poll(2) sees it there. A
	// descendant that keeps the terminal open is not waited for.
	for p.drain && pending(p.from, unix.POLLIN) && p.copyOnce(buf) {
	}
}

// await waits until fd has one of the events. stopped: stop was called. ok is false on an error.
func (p *pump) await(fd int, events int16, stoppable bool) (stopped, ok bool) {
	fds := []unix.PollFd{{Fd: int32(fd), Events: events}, {Fd: int32(p.wake), Events: unix.POLLIN}}
	if !stoppable {
		fds = fds[:1]
	}
	for {
		_, err := unix.Poll(fds, -1)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return false, false
		case stoppable && fds[1].Revents != 0:
			return true, true
		default:
			return false, true
		}
	}
}

// pending tells whether fd has the event now.
func pending(fd int, event int16) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: event}}
	for {
		n, err := unix.Poll(fds, 0)
		if err != unix.EINTR {
			return err == nil && n > 0 && fds[0].Revents&event != 0
		}
	}
}

// copyOnce copies what one read gives. It is false at the end: of file, of a terminal that nobody has
// open any more (EIO), of a reader that has gone (EPIPE).
func (p *pump) copyOnce(buf []byte) bool {
	n, err := unix.Read(p.from, buf)
	if err == unix.EINTR || err == unix.EAGAIN {
		return true
	}
	if err != nil || n <= 0 {
		if p.atEnd != nil {
			p.atEnd(p.partial, err)
		}
		return false
	}
	p.partial = buf[n-1] != '\n'
	for b := buf[:n]; len(b) > 0; {
		n, err := unix.Write(p.to, b)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			// Input for a container that reads none waits until it ends. Output has to go out.
			if stopped, ok := p.await(p.to, unix.POLLOUT, !p.drain); stopped || !ok {
				return false
			}
		case err == unix.EIO && p.atHangUp != nil:
			p.atHangUp()
			return false
		case err != nil:
			return false
		default:
			b = b[n:]
		}
	}
	return true
}
