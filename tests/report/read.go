package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

// event is one line of `go test -json` (see `go doc test2json` and, for the
// build-* actions, `go help buildjson`).
type event struct {
	Action      string
	Package     string
	ImportPath  string // of build-output and build-fail
	Test        string
	Elapsed     float64
	Output      string
	FailedBuild string // on a package's fail: the ImportPath that did not build
}

// test is one test, subtest, fuzz seed or example.
type test struct {
	name   string
	action string // "", pass, fail or skip; empty while it runs
	output []string
	parent bool // it has subtests
}

// pkg is one run of one package's tests; the same package in two lanes is two.
type pkg struct {
	name    string
	lane    string // the file it was read from, without .json
	action  string
	elapsed float64
	output  []string // what belongs to no test
	build   string   // the ImportPath whose build failed
	tests   []*test
	index   map[string]*test
	results *results
	// unsteady are the tests that failed at first and passed when they were run again.
	unsteady []*test
}

// results is everything read so far.
type results struct {
	lane  string // of what is read next
	pkgs  []*pkg
	open  map[string]*pkg
	built map[string][]string // compiler output by ImportPath
	stray []string            // lines that are not JSON
	onEnd func(*pkg)
}

// didNotEnd is what is said of a test that its package did not live to finish.
const didNotEnd = "did not end"

func newResults() *results {
	return &results{open: map[string]*pkg{}, built: map[string][]string{}}
}

// read takes one stream of events to its end. A package still open then was
// cut off, which counts as a failure.
func (r *results) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if text := strings.TrimRight(line, "\n"); text != "" {
			r.line(text)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	for _, p := range r.pkgs {
		if p.action == "" {
			p.output = append(p.output, "the stream ended before the package did\n")
			r.end(p, "fail", p.elapsed)
		}
	}
	return nil
}

func (r *results) line(text string) {
	var e event
	if err := json.Unmarshal([]byte(text), &e); err != nil || e.Action == "" {
		r.stray = append(r.stray, text)
		return
	}
	if e.ImportPath != "" {
		if e.Action == "build-output" {
			r.built[e.ImportPath] = append(r.built[e.ImportPath], e.Output)
		}
		return
	}
	p := r.pkg(e.Package)
	if e.Test != "" {
		p.event(&e)
		return
	}
	switch e.Action {
	case "output":
		p.output = append(p.output, e.Output)
	case "pass", "fail", "skip":
		p.build = e.FailedBuild
		r.end(p, e.Action, e.Elapsed)
	}
}

func (r *results) pkg(name string) *pkg {
	p := r.open[name]
	if p == nil {
		p = &pkg{name: name, lane: r.lane, index: map[string]*test{}, results: r}
		r.open[name] = p
		r.pkgs = append(r.pkgs, p)
	}
	return p
}

// end closes p: the next event of that name starts another run of it.
func (r *results) end(p *pkg, action string, elapsed float64) {
	p.action, p.elapsed = action, elapsed
	for _, t := range p.tests {
		if t.action == "" {
			t.action = "fail"
			t.output = append(t.output, didNotEnd+"\n")
		}
	}
	delete(r.open, p.name)
	if r.onEnd != nil {
		r.onEnd(p)
	}
}

func (p *pkg) event(e *event) {
	t := p.index[e.Test]
	if t == nil {
		t = &test{name: e.Test}
		p.index[e.Test] = t
		p.tests = append(p.tests, t)
		if i := strings.LastIndexByte(e.Test, '/'); i > 0 {
			if up := p.index[e.Test[:i]]; up != nil {
				up.parent = true
			}
		}
	}
	switch e.Action {
	case "output":
		t.output = append(t.output, e.Output)
	case "pass", "fail", "skip":
		t.action = e.Action
	}
}
