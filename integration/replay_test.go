package integration

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// record makes the replay cases write what the runtime answers, instead of comparing: see
// testdata/replay/record.sh.
var record = flag.String("record", "", "write the answers of the replayed calls, and that `COMMAND` recorded them")

// recording is a file of testdata/replay: what runc answered.
type recording struct {
	Command string         `json:"command"` // that recorded it
	Runtime string         `json:"runtime"` // first line of its --version
	Engine  string         `json:"engine"`  // who calls a runtime like this, and for what
	Answers []replayAnswer `json:"answers"`
}

// replayAnswer is what came of one call.
type replayAnswer struct {
	Call   string            `json:"call"` // as the engine wrote it, paths and ids by their letters
	Status int               `json:"status"`
	Out    any               `json:"out,omitempty"`    // decoded JSON, or lines of words
	Stderr string            `json:"stderr,omitempty"` // what an engine makes of it
	Log    []logged          `json:"log,omitempty"`    // lines that the call added to its log
	Seen   map[string]string `json:"seen,omitempty"`   // what else came of it
}

// logged is a line of a JSON log.
type logged struct {
	Level string `json:"level"`
	Means string `json:"means"` // what an engine makes of the message
}

// replay is a sequence of recorded calls with the container that they are for.
type replay struct {
	*bundle
	words   map[string]string // the letters of calls: B is the bundle ...
	answers []replayAnswer
	logSeen map[string]int // bytes of each log that were looked at
	stdin   string         // of the next call
	out     string         // file that the container writes to
	prepare func(*exec.Cmd)
	quiet   bool // the container gets no file as its stream: CRIU would look for it below the container's root
}

func newReplay(t *testing.T, b *bundle) *replay {
	r := &replay{bundle: b, logSeen: map[string]int{}}
	r.words = map[string]string{"B": b.path, "R": b.root, "ID": b.id, "F": filepath.Join(b.dir, "process.json"),
		"U": filepath.Join(b.dir, "userdata"), "V": filepath.Join(b.dir, "rundata"), "S": filepath.Join(b.dir, "console.sock")}
	mkdirs(t, r.words["U"], r.words["V"])
	return r
}

// line turns a recorded call into a command line.
func (r *replay) line(call string) []string {
	var out []string
	for word := range strings.FieldsSeq(call) {
		if word == "G" {
			out = append(out, r.line("--root R --log B/log.json --log-format json")...)
			continue
		}
		option, value, isOption := strings.Cut(word, "=")
		if !isOption {
			option, value = "", word
		}
		head, rest, isPath := strings.Cut(value, "/")
		if full, ok := r.words[head]; ok {
			value = full
			if isPath {
				value += "/" + rest
			}
		}
		if isOption {
			value = option + "=" + value
		}
		out = append(out, value)
	}
	return out
}

// call makes a recorded call, and keeps the answer.
func (r *replay) call(call string) *replayAnswer {
	r.t.Helper()
	line := r.line(call)
	cmd := command(r.bundle, line...)
	cmd.Dir = r.path
	if r.stdin != "" {
		cmd.Stdin = strings.NewReader(r.stdin)
		r.stdin = ""
	}
	if r.prepare != nil {
		r.prepare(cmd)
		r.prepare = nil
	}
	makes := strings.Contains(call, "create ") || strings.Contains(call, "run ") || strings.Contains(call, "restore ")
	if makes && r.quiet {
		null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
		check(r.t, err)
		defer null.Close()
		cmd.Stdout, cmd.Stderr = null, null
	}
	r.live = r.live || makes && slices.Contains(line, r.root)
	res := r.do(cmd)
	if makes {
		r.out = res.outPath
	}
	a := replayAnswer{Call: call, Status: res.code, Stderr: meaning(res.err)}
	if !makes && !strings.Contains(call, "exec ") { // else it is the container's
		a.Out = r.outline(call, res.out)
	}
	if i := slices.Index(line, "--log"); i >= 0 {
		a.Log = r.newLines(line[i+1])
	}
	r.answers = append(r.answers, a)
	return &r.answers[len(r.answers)-1]
}

// see adds something that came of the last call.
func (r *replay) see(what, value string) {
	a := &r.answers[len(r.answers)-1]
	if a.Seen == nil {
		a.Seen = map[string]string{}
	}
	a.Seen[what] = value
}

// outline is what a call wrote, without what differs from run to run: a tree of JSON, or lines of words.
func (r *replay) outline(call, text string) any {
	if text == "" {
		return nil
	}
	var tree any
	if json.Unmarshal([]byte(text), &tree) == nil {
		if tree == nil {
			return "null" // which is not silence
		}
		return r.plain("", tree)
	}
	var lines []any
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if call == "--version" { // the rest is each runtime's own
			lines = append(lines, strings.Replace(words[0], suite.subject, "NAME", 1))
			continue
		}
		for i, w := range words {
			if _, err := strconv.Atoi(w); err == nil && w != "0" {
				w = "PID"
			}
			if _, err := time.Parse(time.RFC3339Nano, w); err == nil {
				w = "TIME"
			}
			words[i] = r.plain("", w).(string)
		}
		lines = append(lines, strings.Join(words, " "))
	}
	return lines
}

// plain replaces the values of a tree that differ from run to run by what they are.
func (r *replay) plain(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = r.plain(k, e)
		}
		return v
	case []any:
		for i, e := range v {
			v[i] = r.plain(key, e)
		}
		return v
	case string:
		for _, letter := range []string{"B", "R", "U", "V"} {
			v = strings.ReplaceAll(v, r.words[letter], letter)
		}
		if key == "created" {
			return "TIME"
		}
		if me, err := osuser.Current(); err == nil && v == me.Username && (key == "owner" || key == "") { // of JSON, of a table
			return "root" // recorded what runc answers
		}
		return strings.ReplaceAll(v, r.id, "ID")
	case float64:
		if v > 0 && (key == "pid" || key == "") {
			return "PID"
		}
	}
	return v
}

// newLines are the lines of a log that were added since the last call.
func (r *replay) newLines(path string) []logged {
	r.t.Helper()
	data, _ := os.ReadFile(path)
	added := data[r.logSeen[path]:]
	r.logSeen[path] = len(data)
	var out []logged
	for line := range bytes.Lines(added) {
		var l struct{ Level, Msg, Time string }
		if err := json.Unmarshal(line, &l); err != nil {
			r.t.Errorf("log %q: %v", line, err)
			continue
		}
		if len(l.Time) < len("2006-01-02T15:04:05Z") {
			r.t.Errorf("log %q: no time", line)
		}
		out = append(out, logged{l.Level, meaning(l.Msg)})
	}
	return out
}

// check compares the answers with those that were recorded, or records them.
func (r *replay) check(engine string) {
	r.t.Helper()
	name := strings.ToLower(strings.TrimPrefix(strings.ReplaceAll(r.t.Name(), "/", "-"), "TestReplay-"))
	path := filepath.Join(testdata, "replay", name+".json")
	if *record != "" {
		version, err := exec.Command(suite.bin, "--version").Output()
		check(r.t, err)
		first, _, _ := strings.Cut(string(version), "\n")
		data, err := json.MarshalIndent(recording{*record, first, engine, r.answers}, "", "  ")
		check(r.t, err)
		writeFile(r.t, path, string(data)+"\n")
		return
	}
	want := decode[recording](r.t, readFile(r.t, path))
	// As the recording went through JSON, so must the answers.
	data, err := json.Marshal(r.answers)
	check(r.t, err)
	got := decode[[]replayAnswer](r.t, string(data))
	if len(got) != len(want.Answers) {
		r.t.Fatalf("%d calls, recorded were %d (record them again: testdata/replay/record.sh)", len(got), len(want.Answers))
	}
	for i, w := range want.Answers {
		for _, d := range differences(w, got[i]) {
			r.t.Errorf("%s: %s (%s)", w.Call, d, want.Runtime)
		}
	}
}
