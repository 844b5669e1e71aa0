package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	first = `{"Action":"run","Package":"tare/a","Test":"TestT"}
{"Action":"run","Package":"tare/a","Test":"TestT/x"}
{"Action":"output","Package":"tare/a","Test":"TestT/x","Output":"too slow\n"}
{"Action":"fail","Package":"tare/a","Test":"TestT/x"}
{"Action":"fail","Package":"tare/a","Test":"TestT"}
{"Action":"pass","Package":"tare/a","Test":"TestU"}
{"Action":"fail","Package":"tare/a"}
`
	second = `{"Action":"run","Package":"tare/a","Test":"TestT"}
{"Action":"run","Package":"tare/a","Test":"TestT/x"}
{"Action":"RESULT","Package":"tare/a","Test":"TestT/x"}
{"Action":"RESULT","Package":"tare/a","Test":"TestT"}
{"Action":"RESULT","Package":"tare/a"}
`
)

func TestASecondTrySettlesTheFirst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		result, last string
		ok, unsteady bool
	}{
		{"pass", "2 passed, 0 failed, 0 skipped", true, true},
		{"fail", "1 passed, 1 failed, 0 skipped", false, false},
	} {
		dir := t.TempDir()
		a, b := filepath.Join(dir, "lane.json"), filepath.Join(dir, "lane-again.json")
		os.WriteFile(a, []byte(first), 0o600)
		os.WriteFile(b, []byte(strings.ReplaceAll(second, "RESULT", c.result)), 0o600)
		var out bytes.Buffer
		ok, err := run(&out, nil, false, "", []string{b, a})
		text := out.String()
		if err != nil || ok != c.ok || !strings.HasSuffix(text, c.last+"\n") {
			t.Errorf("%s: %v %v\n%s", c.result, ok, err, text)
		}
		if strings.Contains(text, "UNSTEADY lane tare/a TestT/x") != c.unsteady || !strings.Contains(text, "too slow") {
			t.Errorf("%s: %s", c.result, text)
		}
	}
}

func TestWhatGetsASecondTry(t *testing.T) {
	t.Parallel()
	many := ""
	for _, name := range strings.Fields("TestA TestB TestC TestD TestE TestF TestG TestH TestI") {
		many += `{"Action":"fail","Package":"tare/a","Test":"` + name + `"}` + "\n"
	}
	for name, c := range map[string]struct{ in, want string }{
		"a subtest":        {first, "^(TestT)$\n"},
		"nothing":          {passA + "\n" + passPkg, ""},
		"too many":         {many + `{"Action":"fail","Package":"tare/a"}`, ""},
		"a package itself": {`{"Action":"fail","Package":"tare/a"}`, ""},
		"one that did not end": {`{"Action":"run","Package":"tare/a","Test":"TestA"}` + "\n" +
			`{"Action":"fail","Package":"tare/a"}`, ""},
	} {
		r := newResults()
		if err := r.read(strings.NewReader(c.in)); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if printAgain(&out, r); out.String() != c.want {
			t.Errorf("%s: %q, want %q", name, out.String(), c.want)
		}
	}
}
