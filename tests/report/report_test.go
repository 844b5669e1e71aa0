package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// stream builds the JSON lines of events written as "action package test output".
func stream(lines ...string) string { return strings.Join(lines, "\n") + "\n" }

const (
	passA   = `{"Action":"pass","Package":"tare/a","Test":"TestOne"}`
	passPkg = `{"Action":"pass","Package":"tare/a","Elapsed":0.5}`
)

func TestTotals(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		in   string
		last string
		ok   bool
		has  []string
	}{
		{"one passes", stream(passA, passPkg), "1 passed, 0 failed, 0 skipped", true, nil},
		{"nothing ran", "", "0 passed, 0 failed, 0 skipped", false, []string{"no test ran"}},
		{"package without tests", stream(`{"Action":"skip","Package":"tare/b"}`),
			"0 passed, 0 failed, 0 skipped", false, nil},
		{"only skips is no run", stream(
			`{"Action":"output","Package":"tare/a","Test":"TestOne","Output":"    a_test.go:3: needs root\n"}`,
			`{"Action":"skip","Package":"tare/a","Test":"TestOne"}`, passPkg),
			"0 passed, 0 failed, 1 skipped", false, []string{"\n  needs root\n", "a.TestOne"}},
		{"a parent is not counted beside its subtests", stream(
			`{"Action":"run","Package":"tare/a","Test":"TestT"}`,
			`{"Action":"run","Package":"tare/a","Test":"TestT/x"}`,
			`{"Action":"run","Package":"tare/a","Test":"TestT/y"}`,
			`{"Action":"pass","Package":"tare/a","Test":"TestT/x"}`,
			`{"Action":"fail","Package":"tare/a","Test":"TestT/y"}`,
			`{"Action":"fail","Package":"tare/a","Test":"TestT"}`,
			`{"Action":"fail","Package":"tare/a"}`),
			"1 passed, 1 failed, 0 skipped", false, []string{"FAIL tare/a TestT/y"}},
		{"a parent that fails of itself", stream(
			`{"Action":"run","Package":"tare/a","Test":"TestT"}`,
			`{"Action":"pass","Package":"tare/a","Test":"TestT/x"}`,
			`{"Action":"output","Package":"tare/a","Test":"TestT","Output":"leaked a mount\n"}`,
			`{"Action":"fail","Package":"tare/a","Test":"TestT"}`,
			`{"Action":"fail","Package":"tare/a"}`),
			"1 passed, 1 failed, 0 skipped", false, []string{"leaked a mount"}},
		{"a build that fails", stream(
			`{"ImportPath":"tare/a [tare/a.test]","Action":"build-output","Output":"a.go:1: undefined: x\n"}`,
			`{"ImportPath":"tare/a [tare/a.test]","Action":"build-fail"}`,
			`{"Action":"fail","Package":"tare/a","FailedBuild":"tare/a [tare/a.test]"}`),
			"0 passed, 1 failed, 0 skipped", false, []string{"undefined: x"}},
		{"a test that never ends", stream(
			`{"Action":"run","Package":"tare/a","Test":"TestOne"}`,
			`{"Action":"output","Package":"tare/a","Output":"panic: boom\n"}`,
			`{"Action":"fail","Package":"tare/a"}`),
			"0 passed, 1 failed, 0 skipped", false, []string{"did not end", "panic: boom"}},
		{"a stream cut off", stream(passA),
			"1 passed, 1 failed, 0 skipped", false, []string{"the stream ended"}},
		{"lines that are not JSON are shown", stream("FATAL: kernel too old", passA, passPkg),
			"1 passed, 0 failed, 0 skipped", true, []string{"FATAL: kernel too old"}},
		{"a package in two lanes counts twice", stream(passA, passPkg, passA, passPkg),
			"2 passed, 0 failed, 0 skipped", true, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			ok, err := run(&out, strings.NewReader(c.in), false, "", nil)
			if err != nil {
				t.Fatal(err)
			}
			lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
			if got := lines[len(lines)-1]; got != c.last {
				t.Errorf("last line %q, want %q", got, c.last)
			}
			if ok != c.ok {
				t.Errorf("ok = %v, want %v", ok, c.ok)
			}
			for _, want := range c.has {
				if !strings.Contains(out.String(), want) {
					t.Errorf("no %q in:\n%s", want, out.String())
				}
			}
		})
	}
}

// What is saved live gives the same total when it is read again.
func TestLiveThenSummary(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "unit.json")
	var live, summary bytes.Buffer
	ok, err := run(&live, strings.NewReader(stream(passA, passPkg)), true, file, nil)
	if err != nil || !ok {
		t.Fatalf("live: %v, %v", ok, err)
	}
	if !strings.HasPrefix(live.String(), "pass tare/a ") {
		t.Errorf("live output %q does not name the package", live.String())
	}
	if ok, err = run(&summary, nil, false, "", []string{file}); err != nil || !ok {
		t.Fatalf("summary: %v, %v", ok, err)
	}
	if !strings.Contains(summary.String(), "\nunit ") {
		t.Errorf("the lane is not named in %q", summary.String())
	}
	if !strings.HasSuffix(summary.String(), "\n1 passed, 0 failed, 0 skipped\n") {
		t.Errorf("summary is %q", summary.String())
	}
	if _, err = run(&summary, nil, false, "", []string{file + ".absent"}); err == nil {
		t.Error("a missing file is no error")
	}
}
