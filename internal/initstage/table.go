package initstage

import (
	"strconv"

	"tare/internal/step"
	"tare/internal/sys"
)

const firstFD = 3 // after the standard ones

// fd gives the number of table entry n, -1 for none.
func (l *lane) fd(n step.FD) (int, error) {
	if n == 0 {
		return -1, nil
	}
	if int(n) > len(l.table) || !l.table[n-1].Valid() {
		return -1, &sys.Error{Op: "plan", Object: "fd " + strconv.Itoa(int(n)), Note: "no such descriptor came with it"}
	}
	return l.table[n-1].Int(), nil
}

// reserve puts the descriptors that the container will inherit at 3, 4, … right away, still
// close-on-exec, after everything else has moved above them: nothing that is opened later can be in
// their way, and PlaceFDs has only to clear the flag.
func (l *lane) reserve() error {
	var want []step.FD
	for _, s := range l.req.Steps {
		if p, ok := s.(*step.PlaceFDs); ok {
			want = p.FDs
		}
	}
	if len(want) == 0 {
		return nil
	}
	least := firstFD + len(want)
	if err := moveUp(&l.conn, least); err != nil {
		return err
	}
	for i := range l.table {
		if err := moveUp(&l.table[i], least); err != nil {
			return err
		}
	}
	l.cover.moveUp(least)
	for i, w := range want {
		fd, err := l.fd(w)
		if err != nil {
			return err
		}
		if err := sys.Dup3(fd, firstFD+i, sys.O_CLOEXEC); err != nil {
			return err
		}
	}
	for _, w := range want {
		l.table[w-1].Close()
	}
	return nil
}

// moveUp gives the descriptor a number that is at least least.
func moveUp(f **sys.FD, least int) error {
	if !(*f).Valid() || (*f).Int() >= least {
		return nil
	}
	up, err := (*f).Dup(least)
	if err != nil {
		return err
	}
	(*f).Close()
	*f = up
	return nil
}

// placeFDs opens the inheritance of the reserved descriptors.
func (l *lane) placeFDs(s *step.PlaceFDs) error {
	for i := range s.FDs {
		if err := sys.SetCloexec(firstFD+i, false); err != nil {
			return err
		}
	}
	l.placed = len(s.FDs)
	return nil
}

// dropFDs closes what the host sent and no later step uses: descriptors of host directories must not
// outlive the change of root (CVE-2024-21626).
func (l *lane) dropFDs() {
	keep := make([]bool, len(l.table)+1)
	for _, s := range l.req.Steps[l.index+1:] {
		if w, ok := s.(*step.WaitStart); ok && int(w.Listener) < len(keep) {
			keep[w.Listener] = true
		}
		var later [2]step.FD
		switch s := s.(type) {
		case *step.Mount:
			later = [...]step.FD{s.Tree, s.IDMap}
		case *step.Hook:
			later = [...]step.FD{s.Stdout, s.Stderr}
		}
		for _, n := range later {
			if int(n) < len(keep) {
				keep[n] = true
			}
		}
	}
	for i, f := range l.table {
		if !keep[i+1] {
			f.Close()
		}
	}
}
