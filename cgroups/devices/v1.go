package devices

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"tare/cgroups/internal/ctl"
)

// v1State is what a v1 devices cgroup can hold: a default, and exceptions
// from it (Documentation/admin-guide/cgroup-v1/devices.rst).
type v1State struct {
	allow      bool   // the default
	exceptions []Rule // their Allow is the opposite of the default
}

// v1 expresses the policy as the kernel's v1 controller can. An exception of
// an exception is beyond it: an error.
func (p *Policy) v1() (v1State, error) {
	var s v1State
	for _, r := range p.rules {
		if err := s.add(r); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *v1State) add(r Rule) error {
	if r == (Rule{r.Allow, All, Any, Any, Full}) {
		*s = v1State{allow: r.Allow}
		return nil
	}
	for _, t := range []Type{Block, Char} {
		if r.Type&t == 0 {
			continue
		}
		one := r
		one.Type = t
		if err := s.addOne(one); err != nil {
			return err
		}
	}
	return nil
}

func (s *v1State) addOne(r Rule) error {
	if r.Allow != s.allow {
		s.except(r)
		return nil
	}
	kept := s.exceptions[:0:0]
	for _, e := range s.exceptions {
		switch {
		case !r.overlaps(e):
		case r.coversDevices(e):
			e.Access &^= r.Access
		default:
			return fmt.Errorf("%s: rule %q cannot be an exception from the wider rule %q on cgroup v1", at, r, e)
		}
		if e.Access != 0 {
			kept = append(kept, e)
		}
	}
	s.exceptions = kept
	return nil
}

func (s *v1State) except(r Rule) {
	for i := range s.exceptions {
		if e := &s.exceptions[i]; e.Type == r.Type && e.Major == r.Major && e.Minor == r.Minor {
			e.Access |= r.Access
			return
		}
	}
	s.exceptions = append(s.exceptions, r)
}

// parseV1 parses devices.list. A cgroup that allows by default lists only
// that, so its exceptions remain unknown.
func parseV1(list string) (v1State, error) {
	var s v1State
	for line := range strings.SplitSeq(strings.TrimSpace(list), "\n") {
		if line == "a *:* rwm" {
			return v1State{allow: true}, nil
		}
		if line == "" {
			continue
		}
		r, err := parseLine(line)
		if err != nil {
			return s, err
		}
		s.exceptions = append(s.exceptions, r)
	}
	return s, nil
}

func parseLine(line string) (Rule, error) {
	bad := fmt.Errorf("parse device rule %q: %w", line, ctl.ErrFormat)
	f := strings.Split(line, " ")
	if len(f) != 3 || len(f[0]) != 1 {
		return Rule{}, bad
	}
	r := Rule{Allow: true, Type: Char}
	switch f[0] {
	case "b":
		r.Type = Block
	case "c":
	default:
		return Rule{}, bad
	}
	major, minor, ok := strings.Cut(f[1], ":")
	if !ok || !parseNumber(major, &r.Major) || !parseNumber(minor, &r.Minor) {
		return Rule{}, bad
	}
	for _, c := range []byte(f[2]) {
		r.Access |= accessBit(c)
	}
	if r.Access == 0 {
		return Rule{}, bad
	}
	return r, nil
}

func parseNumber(s string, n *int64) bool {
	if s == "*" {
		*n = Any
		return true
	}
	v, err := ctl.ParseUint(s)
	*n = int64(v)
	return err == nil && v <= 1<<32-1 && s[0] != '-'
}

// v1Write is one line for devices.allow or devices.deny.
type v1Write struct {
	allow bool
	line  string
}

// v1Diff lists the writes that lead from one state to the other. Between two
// states that deny by default nothing is taken away that both allow, and what
// is new is allowed before what is gone is denied.
func v1Diff(from, to v1State) []v1Write {
	var w []v1Write
	if to.allow {
		if from.allow && len(to.exceptions) == 0 {
			// Exceptions of from cannot be read: this drops them.
			return append(w, v1Write{true, "a"})
		}
		w = append(w, v1Write{true, "a"})
		for _, e := range to.exceptions {
			w = append(w, v1Write{false, e.String()})
		}
		return w
	}
	if from.allow {
		from = v1State{}
		w = append(w, v1Write{false, "a"})
	}
	for _, e := range to.exceptions {
		if e.Access &^= accessOf(from.exceptions, e); e.Access != 0 {
			w = append(w, v1Write{true, e.String()})
		}
	}
	for _, e := range from.exceptions {
		if e.Access &^= accessOf(to.exceptions, e); e.Access != 0 {
			w = append(w, v1Write{false, e.String()})
		}
	}
	return w
}

// accessOf returns what the list has for exactly the devices of r.
func accessOf(list []Rule, r Rule) Access {
	i := slices.IndexFunc(list, func(e Rule) bool {
		return e.Type == r.Type && e.Major == r.Major && e.Minor == r.Minor
	})
	if i < 0 {
		return 0
	}
	return list[i].Access
}

// WriteV1 makes p the policy of the v1 devices cgroup dir, by the smallest
// change: a running container never meets a moment without its devices.
func (p *Policy) WriteV1(dir string) error {
	to, err := p.v1()
	if err != nil {
		return err
	}
	b, err := ctl.Read(dir, "devices.list", nil)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	from, err := parseV1(string(b))
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	fds := [2]int{-1, -1}
	defer func() {
		for _, fd := range fds {
			if fd >= 0 {
				unix.Close(fd)
			}
		}
	}()
	for _, w := range v1Diff(from, to) {
		if err := w.do(dir, &fds); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
	}
	return nil
}

// do writes the line; fds keeps devices.deny and devices.allow open.
func (w v1Write) do(dir string, fds *[2]int) error {
	name, fd := "devices.deny", &fds[0]
	if w.allow {
		name, fd = "devices.allow", &fds[1]
	}
	if *fd < 0 {
		var err error
		if *fd, err = ctl.Open(dir, name, unix.O_WRONLY); err != nil {
			return err
		}
	}
	if err := ctl.WriteFD(*fd, w.line); err != nil {
		return fmt.Errorf("write %q to %s: %w", w.line, name, err)
	}
	return nil
}

// Allows returns the policy as a list of what is allowed, each rule for one
// Type. !ok: it is not one of that kind, but denies some of what is else
// allowed.
func (p *Policy) Allows() (rules []Rule, ok bool) {
	s, err := p.v1()
	if err != nil || s.allow {
		return nil, false
	}
	return s.exceptions, true
}
