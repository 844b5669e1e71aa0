package cli

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"tare/libcontainer"
)

func TestLines(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 1, 2, 3, 456789000, time.FixedZone("", 3600))
	if got, want := string(line(true, levelError, "a \"b\"\n<c>\xff", at)), `{"level":"error","msg":"a \"b\"\n\u003cc\u003e`+"\uFFFD"+`","time":"2026-11-23T01:02:03+01:00"}`+"\n"; got != want {
		t.Errorf("%q; want %q", got, want)
	}
	if got, want := string(line(false, levelWarning, "a \"b\"", at)), `time="2026-11-23T01:02:03+01:00" level=warning msg="a \"b\""`+"\n"; got != want {
		t.Errorf("%q; want %q", got, want)
	}
	var m struct {
		Level, Msg string
		Time       time.Time
	}
	if err := json.Unmarshal(line(true, levelDebug, "x", at), &m); err != nil || !m.Time.Equal(at) || m.Level != "debug" {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestServiceMessages(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if got := string(journalMessage("id", levelError, "one line", at)); got != "PRIORITY=3\nSYSLOG_IDENTIFIER=id\nMESSAGE=one line\n" {
		t.Errorf("%q", got)
	}
	if got := string(journalMessage("id", levelDebug, "a\nb", at)); got != "PRIORITY=7\nSYSLOG_IDENTIFIER=id\nMESSAGE\n\x03\x00\x00\x00\x00\x00\x00\x00a\nb\n" {
		t.Errorf("%q", got)
	}
	if got := string(syslogMessage("id", levelWarning, "a\nb", at)); !regexp.MustCompile(`^<28>Jan  2 03:04:05 id\[\d+\]: a b$`).MatchString(got) {
		t.Errorf("%q", got)
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	for range 2 { // the second run appends
		_, stderr, code := tare("--root", t.TempDir(), "--log", path, "--log-format=json", "state", "nope")
		if code != 1 || stderr != "tare: state: container \"nope\": container does not exist\n" {
			t.Errorf("%d, %q", code, stderr)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	if len(lines) != 2 {
		t.Fatalf("%d lines in %q", len(lines), b)
	}
	var m map[string]string
	if err := json.Unmarshal([]byte(lines[1]), &m); err != nil {
		t.Fatal(err)
	}
	if _, err := time.Parse(time.RFC3339, m["time"]); err != nil || len(m) != 3 || m["level"] != "error" || m["msg"] != `state: container "nope": container does not exist` {
		t.Errorf("%v, %v", m, err)
	}
}

// An error in the command's options goes into the log that the global ones name.
func TestLogUsageError(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "log")
	tare("--log", "file:"+path, "state", "--bogus", "x")
	b, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(b), `level=error msg="state: flag provided but not defined: -bogus (see tare state --help)"`) {
		t.Errorf("%q, %v", b, err)
	}
}

func TestLevels(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--log-level", "error"}, "error"},
		{nil, "error"},
		{[]string{"--log-level", "warning"}, "error,warning"},
		{[]string{"--log-level", "info"}, "error,warning"},
		{[]string{"--log-level", "debug"}, "error,warning,debug"},
		{[]string{"--debug"}, "error,warning,debug"},
	} {
		a, out, _ := testApp()
		path := filepath.Join(t.TempDir(), "log")
		args := append([]string{"tare", "--log", path}, tt.args...)
		if code := a.main(append(args, "features")); code != 0 {
			t.Fatal(out)
		}
		// main has closed the log: open it again as it was.
		a.log.sink, _ = openSink(path, false)
		a.fatal(errors.New("x"))
		a.warn("x")
		if a.cfg.Debug != nil {
			a.cfg.Debug(libcontainer.Event{Container: "c", Stage: "init", Message: "x"})
		}
		b, _ := os.ReadFile(path)
		var got []string
		for _, m := range regexp.MustCompile(`level=(\w+)`).FindAllSubmatch(b, -1) {
			got = append(got, string(m[1]))
		}
		if strings.Join(got, ",") != tt.want {
			t.Errorf("%q: %q; want %q", tt.args, got, tt.want)
		}
	}
}

func TestDebugOnStderr(t *testing.T) {
	t.Parallel()
	a, _, stderr := testApp()
	if code := a.main([]string{"tare", "--debug", "features"}); code != 0 {
		t.Fatal(stderr)
	}
	a.cfg.Debug(libcontainer.Event{Time: time.Unix(0, 1234567000).UTC(), Container: "c", Stage: "init", Message: "mount"})
	if got, want := stderr.String(), `time="1970-01-01T00:00:01.234567Z" level=debug msg="c: init: mount"`+"\n"; got != want {
		t.Errorf("%q; want %q", got, want)
	}
}
