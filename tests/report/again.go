package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// again marks the lane of a second try: what failed in LANE is run once more, alone, as LANE-again.
const again = "-again"

// maxAgain is how many failed tests are worth a second try: more are no accident.
const maxAgain = 8

// printAgain writes a pattern for -test.run with the top-level tests that failed, or nothing: when none did,
// too many, or a package itself.
func printAgain(w io.Writer, r *results) {
	var names []string
	seen := map[string]bool{}
	for _, p := range r.pkgs {
		failed := p.failures()
		if p.action == "fail" && len(failed) == 0 {
			return
		}
		for _, t := range failed {
			if t.reason() == didNotEnd {
				return
			}
			name, _, _ := strings.Cut(t.name, "/")
			if !seen[name] {
				seen[name] = true
				names = append(names, regexp.QuoteMeta(name))
			}
		}
	}
	if len(names) > 0 && len(names) <= maxAgain {
		fmt.Fprintf(w, "^(%s)$\n", strings.Join(names, "|"))
	}
}

// settle takes second tries into the first: a test that failed and then passed is unsteady, and passed. It
// stays visible as that in the summary.
func (r *results) settle() {
	var kept []*pkg
	for _, p := range r.pkgs {
		if strings.HasSuffix(p.lane, again) {
			continue
		}
		for _, second := range r.pkgs {
			if second.lane == p.lane+again && second.name == p.name {
				p.takeSecond(second)
			}
		}
		kept = append(kept, p)
	}
	r.pkgs = kept
}

func (p *pkg) takeSecond(second *pkg) {
	for _, t := range p.tests {
		if now := second.index[t.name]; t.action == "fail" && now != nil && now.action == "pass" {
			t.action = "pass"
			if !t.parent {
				p.unsteady = append(p.unsteady, t)
			}
		}
	}
	if len(p.failures()) == 0 {
		p.action = "pass"
	}
}

// printUnsteady names what failed at first, with what it said then.
func printUnsteady(w io.Writer, r *results) {
	for _, p := range r.pkgs {
		for _, t := range p.unsteady {
			fmt.Fprintf(w, "\nUNSTEADY %s %s %s: failed, and passed when it was run again\n%s\n", p.lane, p.name, t.name, indent(t.output))
		}
	}
}
