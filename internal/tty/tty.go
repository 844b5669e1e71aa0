// Package tty connects the terminal of the user with that of a container's process while `run` or
// `exec` stay in the foreground, and passes on the signals that the runtime gets meanwhile.
package tty

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// hostTerminal is the user's terminal: the first of stdin, stdout and stderr that is one, -1 if none is.
func hostTerminal() int {
	for fd := range 3 {
		if IsTerminal(fd) {
			return fd
		}
	}
	return -1
}

// IsTerminal tells whether the descriptor is a terminal.
func IsTerminal(fd int) bool {
	_, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	return err == nil
}

// makeRaw gives every key to the container's terminal, and returns what undoes it. Output processing
// stays: the container's terminal does not do it, see clearONLCR.
func makeRaw(fd int) (restore func() error, err error) {
	was, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("ioctl TCGETS: %w", err)
	}
	t := *was
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag = t.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &t); err != nil {
		return nil, fmt.Errorf("ioctl TCSETS: %w", err)
	}
	return func() error {
		// TCSETSW: what the program has written is shown by the rules it was written under.
		if err := unix.IoctlSetTermios(fd, unix.TCSETSW, was); err != nil {
			return fmt.Errorf("restore the terminal: ioctl TCSETSW: %w", err)
		}
		return nil
	}, nil
}

// clearONLCR keeps the container's terminal from making CR LF of LF: the user's does, and a file to
// which the output goes should not have it.
func clearONLCR(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return fmt.Errorf("console: ioctl TCGETS: %w", err)
	}
	t.Oflag &^= unix.ONLCR
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return fmt.Errorf("console: ioctl TCSETS: %w", err)
	}
	return nil
}

// Console is a container's terminal in the foreground.
type Console struct {
	host    int // the user's terminal, -1 for none
	master  *os.File
	fd      int // of master, whose Fd method may change the mode of the file
	restore func() error
	in, out *pump

	mu      sync.Mutex // of what hangUp takes away
	gone    bool
	hanging sync.WaitGroup
	once    sync.Once
}

// Attach connects the terminal whose master is given, which it takes over: its size is the one of the
// user's terminal, which becomes raw. Call it before the container's process starts, and Close in any
// case.
func Attach(master *os.File) (*Console, error) {
	return attach(master, hostTerminal(), 0, 1)
}

func attach(master *os.File, host, in, out int) (*Console, error) {
	c := &Console{host: host, master: master, fd: int(master.Fd())}
	if err := c.attach(in, out); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Console) attach(in, out int) error {
	if err := clearONLCR(c.fd); err != nil {
		return err
	}
	if c.host >= 0 {
		if err := c.Resize(); err != nil {
			return err
		}
		var err error
		if c.restore, err = makeRaw(c.host); err != nil {
			return err
		}
	}
	if err := unix.SetNonblock(c.fd, true); err != nil {
		return fmt.Errorf("console: set O_NONBLOCK: %w", err)
	}
	toUser := &pump{from: c.fd, to: out, drain: true, atHangUp: c.hangUp}
	_, err := unix.IoctlGetTermios(in, unix.TCGETS)
	terminal := err == nil || err == unix.EIO
	fromUser := &pump{from: in, to: c.fd, atEnd: func(partial bool, err error) {
		switch {
		case terminal && hungUp(in):
			c.hangUp()
		case err == nil:
			c.sendEOF(partial)
		}
	}}
	if err := fromUser.prepare(); err != nil {
		return err
	}
	if err := toUser.prepare(); err != nil {
		unix.Close(fromUser.wake)
		return err
	}
	c.in, c.out = fromUser, toUser // both are there before either can hang up
	go c.in.run()
	go c.out.run()
	return nil
}

// hungUp tells whether a terminal has gone. Reading it gives EIO while its other side is being closed, as it does
// to a process in the background, and then the end of file.
func hungUp(fd int) bool { return pending(fd, unix.POLLHUP) }

// hangUp takes the master away when the user's terminal has gone: the kernel hangs up the container's, so
// that a shell in it ends. The pumps call it; it does not wait for them.
func (c *Console) hangUp() {
	c.once.Do(func() {
		c.hanging.Go(func() {
			c.in.stop()
			c.out.stop()
			c.mu.Lock()
			defer c.mu.Unlock()
			c.gone = true
			c.master.Close()
		})
	})
}

// sendEOF types the end-of-file key when the input, a file or a pipe, has come to its end; twice after
// half a line, which the first only completes. A program that has asked for single keys gets none.
func (c *Console) sendEOF(partial bool) {
	t, err := unix.IoctlGetTermios(c.fd, unix.TCGETS)
	if err != nil || t.Lflag&unix.ICANON == 0 {
		return
	}
	key := []byte{t.Cc[unix.VEOF]}
	if partial {
		key = append(key, key[0])
	}
	unix.Write(c.fd, key)
}

// Resize gives the container's terminal the size of the user's; the kernel sends SIGWINCH there.
func (c *Console) Resize() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.host < 0 || c.gone {
		return nil
	}
	size, err := unix.IoctlGetWinsize(c.host, unix.TIOCGWINSZ)
	if err != nil {
		return fmt.Errorf("ioctl TIOCGWINSZ: %w", err)
	}
	if err := unix.IoctlSetWinsize(c.fd, unix.TIOCSWINSZ, size); err != nil {
		return fmt.Errorf("console: ioctl TIOCSWINSZ: %w", err)
	}
	return nil
}

// Close shows what output is left, and gives the user's terminal back as it was. It may be called
// again, and on nil.
func (c *Console) Close() error {
	if c == nil {
		return nil
	}
	c.in.stop()
	c.out.stop()
	c.once.Do(func() {}) // nothing hangs up from here on
	c.hanging.Wait()
	var err error
	if c.restore != nil && !c.gone {
		err = c.restore()
	}
	c.restore = nil
	c.master.Close() // at most once
	return err
}
