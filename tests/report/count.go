package main

import (
	"path"
	"strings"
)

// tally counts results: leaves of the tree of subtests, so that a table of ten
// cases counts ten and not eleven.
type tally struct{ passed, failed, skipped int }

func (t *tally) add(o tally) {
	t.passed += o.passed
	t.failed += o.failed
	t.skipped += o.skipped
}

func (t tally) total() int { return t.passed + t.failed + t.skipped }

// failures are the tests that failed of themselves: a parent is named only if
// none of its subtests failed.
func (p *pkg) failures() []*test {
	below := map[string]bool{}
	for _, t := range p.tests {
		if t.action != "fail" {
			continue
		}
		for up := path.Dir(t.name); up != "."; up = path.Dir(up) {
			below[up] = true
		}
	}
	var failed []*test
	for _, t := range p.tests {
		if t.action == "fail" && !below[t.name] {
			failed = append(failed, t)
		}
	}
	return failed
}

// tally of one package. One that failed without a failed test (it did not
// build, or died) counts as one failure.
func (p *pkg) tally() tally {
	n := tally{failed: len(p.failures())}
	for _, t := range p.tests {
		switch {
		case t.action == "skip":
			n.skipped++
		case t.action == "pass" && !t.parent:
			n.passed++
		}
	}
	if p.action == "fail" && n.failed == 0 {
		n.failed = 1
	}
	return n
}

// ok: at least one test ran to its end, and none failed.
func (r *results) ok() bool {
	n := r.tally()
	return n.failed == 0 && n.passed > 0
}

func (r *results) tally() tally {
	var n tally
	for _, p := range r.pkgs {
		n.add(p.tally())
	}
	return n
}

// reason is why t was skipped: what it logged, without the test runner's own lines.
func (t *test) reason() string {
	var words []string
	for _, line := range t.output {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		words = append(words, trimPosition(line))
	}
	if len(words) == 0 {
		return "no reason given"
	}
	return strings.Join(words, " ")
}

// trimPosition cuts the leading `file_test.go:12: ` that t.Skip puts there.
func trimPosition(line string) string {
	head, rest, found := strings.Cut(line, ": ")
	if found && strings.Contains(head, ".go:") && !strings.Contains(head, " ") {
		return rest
	}
	return line
}
