package initstage

import (
	"syscall"

	"tare/internal/rootfs"
	"tare/internal/step"
	"tare/internal/sys"
)

// Rest is what the fast lane of package nsenter has left. Descriptors are -1 when they are not open.
type Rest struct {
	Plan              []byte // payload of the plan's message
	Index             int    // the step to go on with
	Half              bool   // that step has failed, with Errno, after it had changed something
	Errno             syscall.Errno
	Conn              int
	Started           bool  // Conn is the start command's
	Umask             int   // as inherited; it is 0 by now
	Table             []int // what the host has sent
	Root, Null, Empty int   // the rootfs, the container's /dev/null, the tmpfs that masks directories
}

// Resume is Main for a plan whose first steps are done. It never returns.
func Resume(r *Rest, nofile [2]uint64) {
	l := begin(r.Conn, nofile)
	defer l.trap()
	l.umask, l.started = r.Umask, r.Started
	for _, fd := range r.Table {
		l.table = append(l.table, adopt(fd))
	}
	if r.Root >= 0 {
		l.root = rootfs.Adopt(adopt(r.Root), adopt(r.Null), adopt(r.Empty))
	}
	req, err := step.DecodeRequest(r.Plan)
	if err == nil && r.Index >= len(req.Steps) {
		err = step.ErrCodec
	}
	if err != nil {
		l.fail(err)
	}
	l.req, l.index, l.resumed = req, r.Index, r.Index
	for _, s := range req.Steps[:r.Index] {
		if o, ok := s.(*step.OpenRootfs); ok {
			l.path = o.Path
		}
	}
	if r.Half {
		s := req.Steps[r.Index]
		l.fail(&failedStep{s, &sys.Error{Op: s.Kind().String(), Object: object(s), Errno: r.Errno, Note: half}})
	}
	l.fail(l.goOn())
}

func (l *lane) goOn() error {
	if err := l.reserve(); err != nil {
		return err
	}
	for _, s := range l.req.Steps[:l.index] {
		if f, ok := s.(*step.FindExec); ok { // what it found is not among the things that were left
			if err := l.apply(f); err != nil {
				return err
			}
		}
	}
	return l.run()
}

// half: who could have changed the place between the mount and the look at it is in the rootfs as well.
const half = "it did not turn out as it was made: something else changes the rootfs at the same time"

func object(s step.Step) string {
	if m, ok := s.(*step.Mount); ok {
		return m.Target
	}
	return ""
}

func adopt(fd int) *sys.FD {
	if fd < 0 {
		return nil
	}
	return sys.Own(fd)
}
