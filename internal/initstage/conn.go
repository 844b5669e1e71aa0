package initstage

import (
	"errors"

	"tare/internal/step"
	"tare/internal/sys"
)

// errHostGone: nobody is left to report to.
var errHostGone = errors.New("the host has closed the connection")

// message reads one message from fd. Descriptors that come with it are appended to table. At the end
// of the stream it is errHostGone.
func (l *lane) message(fd int) (kind uint32, payload []byte, err error) {
	var head [step.HeaderSize]byte
	for got := 0; got < len(head); {
		n, fds, err := sys.RecvFDs(fd, head[got:], step.MaxFDs)
		l.table = append(l.table, fds...)
		if err != nil {
			return 0, nil, err
		}
		if n == 0 {
			return 0, nil, errHostGone
		}
		got += n
	}
	kind, size, ok := step.ParseHeader(head[:])
	if !ok {
		return 0, nil, &sys.Error{Op: "receive", Note: "impossible message header"}
	}
	payload = make([]byte, size)
	for got := 0; got < size; {
		n, err := sys.Read(fd, payload[got:])
		if err != nil {
			return 0, nil, err
		}
		if n == 0 {
			return 0, nil, errHostGone
		}
		got += n
	}
	return kind, payload, nil
}

// receive reads descriptors and plan.
func (l *lane) receive() error {
	for {
		kind, payload, err := l.message(l.conn.Int())
		switch {
		case err != nil:
			return err
		case kind == step.MsgPlan:
			if l.req, err = step.DecodeRequest(payload); err != nil {
				return err
			}
			return l.reserve()
		case kind != step.MsgFDs:
			return &sys.Error{Op: "receive", Note: "unexpected message before the plan"}
		}
	}
}

// send writes a message to whoever hears reports. Its failure is nobody's to hear.
func (l *lane) send(kind uint32, payload []byte, fds []int) error {
	b := make([]byte, 0, step.HeaderSize+len(payload))
	b = append(step.AppendHeader(b, kind, len(payload)), payload...)
	return sys.SendAll(l.conn.Int(), b, fds)
}

// barrier tells the host where we are and waits for its go.
func (l *lane) barrier(b *step.Barrier) error {
	if err := l.send(step.MsgArrived, []byte(b.Name), nil); err != nil {
		return errHostGone
	}
	kind, payload, err := l.message(l.conn.Int())
	if err != nil {
		return errHostGone
	}
	if kind != step.MsgGo || string(payload) != b.Name {
		return &sys.Error{Op: "barrier", Object: b.Name, Note: "the host answered something else than go"}
	}
	return nil
}

// report makes the report of an error at the present step.
func (l *lane) report(err error) *step.Report {
	r := &step.Report{Index: uint32(l.index)}
	if f, ok := err.(*failedStep); ok {
		r.Step, r.At, err = f.step.Kind(), f.step.Where(), f.err
	}
	if e, ok := err.(*sys.Error); ok {
		r.Op, r.Value, r.Errno, r.Text = e.Op, e.Object, uint32(e.Errno), e.Note
		return r
	}
	r.Text = err.Error()
	return r
}

// warn sends a warning about step s.
func (l *lane) warn(s step.Step, text string) {
	r := &step.Report{Index: uint32(l.index), Step: s.Kind(), At: s.Where(), Text: text}
	l.send(step.MsgWarning, r.Encode(), nil)
}

// log tells that step s begins now. The host has the plan: it writes the text.
func (l *lane) log(s step.Step) {
	r := &step.Report{Index: uint32(l.index), Step: s.Kind(), At: s.Where(), Nanos: sys.ClockNanos(sys.CLOCK_REALTIME)}
	l.send(step.MsgLog, r.Encode(), nil)
}

// sendFD sends a descriptor to the host.
func (l *lane) sendFD(role byte, fd int) error {
	return l.send(step.MsgFD, []byte{role}, []int{fd})
}
