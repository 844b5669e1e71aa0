package integration

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"testing"
)

// tally counts the cases and keeps the reasons of the skipped ones.
var tally counter

type counter struct {
	mu            sync.Mutex
	total, failed int
	skipped       []string
	counted       map[string]bool // by name of the test
}

// add counts the case t; its outcome is known when it ends.
func (c *counter) add(t *testing.T) {
	c.mu.Lock()
	c.count(t.Name())
	c.total++
	c.mu.Unlock()
	t.Cleanup(func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if t.Failed() {
			c.failed++
		}
	})
}

func (c *counter) count(name string) {
	if c.counted == nil {
		c.counted = map[string]bool{}
	}
	c.counted[name] = true
}

func (c *counter) skip(name, reason string) {
	c.mu.Lock()
	if !c.counted[name] { // before it has made its case
		c.count(name)
		c.total++
	}
	c.skipped = append(c.skipped, name+": "+reason)
	c.mu.Unlock()
}

func (c *counter) print(w io.Writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.skipped)
	for _, s := range c.skipped {
		fmt.Fprintln(w, "skipped:", s)
	}
	fmt.Fprintf(w, "integration: %d cases on %s: %d passed, %d failed, %d skipped\n", c.total, suite.subject,
		c.total-c.failed-len(c.skipped), c.failed, len(c.skipped))
}

// skip ends the case with a reason that the tally prints.
func skip(t *testing.T, format string, args ...any) {
	t.Helper()
	reason := fmt.Sprintf(format, args...)
	tally.skip(t.Name(), reason)
	t.Skip(reason)
}

// not skips the case for a runtime that is known to differ from what tare promises.
func not(t *testing.T, subject, why string) {
	t.Helper()
	if suite.subject == subject {
		skip(t, "%s: %s", subject, why)
	}
}

// notCovered skips the case for a build that counts its coverage: its counters need descriptors and a
// directory of their own, and it says on stderr when it cannot reach them.
func notCovered(t *testing.T) {
	t.Helper()
	if os.Getenv("GOCOVERDIR") != "" {
		skip(t, "a coverage build has needs of its own")
	}
}

// onlyTare skips the case for every other runtime: a promise of tare alone.
func onlyTare(t *testing.T, why string) {
	t.Helper()
	if suite.subject != "tare" {
		skip(t, "promise of tare alone: %s", why)
	}
}
