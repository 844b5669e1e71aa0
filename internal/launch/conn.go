package launch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"tare/internal/step"
)

// Conn is the host's end of the socket to an init stage. It is used by one goroutine at a time.
type Conn struct {
	f *os.File
	// OnReport is called with each MsgWarning and MsgLog.
	OnReport func(kind uint32, r *step.Report)
	// OnFD is called with each descriptor that the init sends; it owns the file.
	OnFD func(role byte, f *os.File) error
	// OnArrived is called with each MsgArrived that AwaitEnd reads.
	OnArrived func(name string)
	// ahead are the barriers that were released before the init arrived.
	ahead []string
}

// Failure is what the init stage or the door could not do.
type Failure struct{ step.Report }

// Error is "config path: operation "value": errno text", each part only when it is known.
func (f *Failure) Error() string { return FormatReport(&f.Report) }

// Unwrap gives the errno.
func (f *Failure) Unwrap() error {
	if f.Errno == 0 {
		return nil
	}
	return unix.Errno(f.Errno)
}

// FormatReport writes a report as one sentence.
func FormatReport(r *step.Report) string {
	s := ""
	add := func(sep, part string) {
		if part != "" {
			if s != "" {
				s += sep
			}
			s += part
		}
	}
	add(": ", r.At)
	add(": ", r.Op)
	if r.Value != "" {
		add(" ", fmt.Sprintf("%q", r.Value))
	}
	if r.Errno != 0 && (r.Op != "" || r.Text == "") { // without an operation the text is the whole sentence
		add(": ", unix.Errno(r.Errno).Error())
	}
	if r.Text != "" {
		add(": ", r.Text)
	}
	return s
}

// ErrHungUp is returned when the init stage has closed the connection: it is gone, or, where no
// barrier is to come, it has executed the program.
var ErrHungUp = errors.New("the init stage hung up")

// NewConn takes over the descriptor fd of a connected stream socket.
func NewConn(fd int) (*Conn, error) {
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &Conn{f: os.NewFile(uintptr(fd), "init socket")}, nil
}

// Close hangs up; an init that has not passed its last barrier ends itself then.
func (c *Conn) Close() error { return c.f.Close() }

// bounded makes the calls inside run stop when ctx is done.
func (c *Conn) bounded(ctx context.Context, what string, run func() error) error {
	if ctx.Done() == nil {
		return run()
	}
	stop := context.AfterFunc(ctx, func() { c.f.SetDeadline(time.Unix(1, 0)) })
	err := run()
	if !stop() && ctx.Err() != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("wait for the init stage (%s): %w", what, context.Cause(ctx))
	}
	return err
}

// SendPlan hands the init its steps, the program for the fast lane, in pieces, and the descriptors that
// the steps name.
func (c *Conn) SendPlan(ctx context.Context, req *step.Request, program [][]byte, fds []int) error {
	return c.bounded(ctx, "to take its plan", func() error {
		for len(fds) > 0 {
			n := min(len(fds), step.MaxFDs)
			if err := c.send(step.AppendHeader(nil, step.MsgFDs, 0), fds[:n]); err != nil {
				return err
			}
			fds = fds[n:]
		}
		calls := 0
		for _, p := range program {
			calls += len(p)
		}
		head, steps := req.Encode(calls)
		size := len(head) + calls + len(steps)
		if size > step.MaxMessage {
			return fmt.Errorf("plan of %d bytes is too large", size)
		}
		head = append(step.AppendHeader(make([]byte, 0, step.HeaderSize+len(head)), step.MsgPlan, size), head...)
		return c.writev(append(append([][]byte{head}, program...), steps))
	})
}

// writev writes all of list.
func (c *Conn) writev(list [][]byte) error {
	raw, err := c.f.SyscallConn()
	if err != nil {
		return err
	}
	var serr error
	err = raw.Write(func(fd uintptr) bool {
		for len(list) > 0 {
			var n int
			if n, serr = unix.Writev(int(fd), list); serr == unix.EINTR {
				continue
			}
			if serr != nil {
				return serr != unix.EAGAIN
			}
			for len(list) > 0 && n >= len(list[0]) {
				n -= len(list[0])
				list = list[1:]
			}
			if n > 0 {
				list[0] = list[0][n:]
			}
		}
		return true
	})
	return errors.Join(err, serr)
}

func (c *Conn) send(b []byte, fds []int) error {
	if len(fds) == 0 {
		_, err := c.f.Write(b)
		return err
	}
	raw, err := c.f.SyscallConn()
	if err != nil {
		return err
	}
	rights := unix.UnixRights(fds...)
	var serr error
	err = raw.Write(func(fd uintptr) bool {
		var n int
		n, serr = unix.SendmsgN(int(fd), b, rights, nil, unix.MSG_NOSIGNAL)
		if serr == nil && n != len(b) {
			serr = io.ErrShortWrite
		}
		return serr != unix.EAGAIN
	})
	return errors.Join(err, serr)
}

// Await waits until the init has arrived at the barrier name, which may have been released ahead: then it
// has passed it. A Failure of the init is returned as
// such; ErrHungUp when it died without a word.
func (c *Conn) Await(ctx context.Context, name string) error {
	return c.bounded(ctx, name, func() error {
		for {
			kind, body, err := c.next()
			if err != nil {
				return err
			}
			if kind != step.MsgArrived {
				continue
			}
			ahead := c.passed(string(body))
			switch {
			case string(body) == name:
				return nil
			case !ahead:
				return fmt.Errorf("init stage is at barrier %q, expected %q", body, name)
			}
		}
	})
}

// passed tells whether the barrier was released ahead, and forgets it.
func (c *Conn) passed(name string) bool {
	i := slices.Index(c.ahead, name)
	if i < 0 {
		return false
	}
	c.ahead = slices.Delete(c.ahead, i, i+1)
	return true
}

// ReleaseAhead lets the init pass the barrier name whenever it arrives there.
func (c *Conn) ReleaseAhead(name string) error {
	c.ahead = append(c.ahead, name)
	return c.Release(name)
}

// Release lets the init go on from the barrier name, at which Await has seen it.
func (c *Conn) Release(name string) error {
	_, err := c.f.Write(append(step.AppendHeader(nil, step.MsgGo, len(name)), name...))
	return err
}

// AwaitEnd reads until the init closes the connection, which execve does. A Failure that comes
// before is returned.
func (c *Conn) AwaitEnd(ctx context.Context, what string) error {
	err := c.bounded(ctx, what, func() error {
		for {
			kind, body, err := c.next()
			if err != nil {
				return err
			}
			if kind == step.MsgArrived && c.OnArrived != nil {
				c.OnArrived(string(body))
			}
		}
	})
	if errors.Is(err, ErrHungUp) {
		return nil
	}
	return err
}

// next reads one message and handles those that may come at any time.
func (c *Conn) next() (kind uint32, body []byte, err error) {
	var head [step.HeaderSize]byte
	var fds []int
	if err := c.readHeader(head[:], &fds); err != nil {
		return 0, nil, err
	}
	kind, size, ok := step.ParseHeader(head[:])
	if !ok {
		closeAll(fds)
		return 0, nil, fmt.Errorf("init stage sent an impossible message % x", head)
	}
	body = make([]byte, size)
	if _, err := io.ReadFull(c.f, body); err != nil {
		closeAll(fds)
		return 0, nil, hungUp(err)
	}
	switch kind {
	case step.MsgFD:
		return kind, nil, c.takeFD(body, fds)
	case step.MsgFailure, step.MsgWarning, step.MsgLog:
		r, err := step.DecodeReport(body)
		if err != nil {
			return 0, nil, err
		}
		if kind == step.MsgFailure {
			r.Explain()
			return 0, nil, &Failure{*r}
		}
		if c.OnReport != nil {
			c.OnReport(kind, r)
		}
	}
	closeAll(fds)
	return kind, body, nil
}

func (c *Conn) takeFD(body []byte, fds []int) error {
	if len(body) != 1 || len(fds) != 1 || c.OnFD == nil {
		closeAll(fds)
		return fmt.Errorf("init stage sent %d descriptors that nobody waits for", len(fds))
	}
	return c.OnFD(body[0], os.NewFile(uintptr(fds[0]), "from init"))
}

// readHeader fills b and collects the descriptors that come with it.
func (c *Conn) readHeader(b []byte, fds *[]int) error {
	raw, err := c.f.SyscallConn()
	if err != nil {
		return err
	}
	oob := make([]byte, unix.CmsgSpace(4*4))
	for have := 0; have < len(b); {
		var n int
		var serr error
		err := raw.Read(func(fd uintptr) bool {
			var oobn int
			n, oobn, _, _, serr = unix.Recvmsg(int(fd), b[have:], oob, unix.MSG_CMSG_CLOEXEC)
			if serr == nil && oobn > 0 {
				*fds = append(*fds, parseRights(oob[:oobn])...)
			}
			return serr != unix.EAGAIN
		})
		if err == nil {
			err = serr
		}
		if err == nil && n == 0 {
			err = io.EOF
		}
		if err != nil {
			closeAll(*fds)
			return hungUp(err)
		}
		have += n
	}
	return nil
}

func hungUp(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE) {
		return ErrHungUp
	}
	return err
}

func parseRights(oob []byte) []int {
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil
	}
	var fds []int
	for i := range msgs {
		if got, err := unix.ParseUnixRights(&msgs[i]); err == nil {
			fds = append(fds, got...)
		}
	}
	return fds
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}
