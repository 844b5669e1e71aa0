package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tare/integration/report"
)

// deadline ends a call of the runtime that hangs.
const deadline = 90 * time.Second

// result is a finished call of the runtime.
type result struct {
	args     []string
	code     int // 128+N when a signal N ended the runtime itself
	out, err string
	outPath  string // a detached container goes on writing there
}

// call is a started call of the runtime. Its output goes to files, as a container may keep it open.
type call struct {
	cmd              *exec.Cmd
	outPath, errPath string
	done             chan error
}

// cmd prepares a call of the runtime: stdin /dev/null, output to files, the case's state root.
func (b *bundle) cmd(args ...string) *exec.Cmd {
	b.t.Helper()
	cmd := exec.Command(b.bin, append(append([]string{"--root", b.root}, b.global...), args...)...)
	cmd.Dir, cmd.Env = b.dir, b.env
	return cmd
}

// begin starts a prepared call.
func (b *bundle) begin(cmd *exec.Cmd) *call {
	b.t.Helper()
	n := b.runs.Add(1)
	c := &call{cmd: cmd, outPath: filepath.Join(b.dir, fmt.Sprint("out.", n)), errPath: filepath.Join(b.dir, fmt.Sprint("err.", n))}
	if cmd.Stdout == nil {
		file := b.outFile(c.outPath)
		defer file.Close()
		cmd.Stdout = file
	}
	if cmd.Stderr == nil {
		file := b.outFile(c.errPath)
		defer file.Close()
		cmd.Stderr = file
	}
	check(b.t, cmd.Start())
	c.done = make(chan error, 1)
	go func() { c.done <- cmd.Wait() }()
	return c
}

func (b *bundle) outFile(path string) *os.File {
	b.t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o644)
	check(b.t, err)
	return file
}

// end waits for a started call, at most deadline.
func (c *call) end(t *testing.T) result {
	t.Helper()
	select {
	case err := <-c.done:
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
	case <-time.After(deadline):
		c.cmd.Process.Kill()
		<-c.done
		t.Fatalf("%v hangs\n%.2000s", c.cmd.Args[1:], c.text())
	}
	r := result{args: c.cmd.Args[1:], code: exitCode(c.cmd.ProcessState), outPath: c.outPath}
	out, _ := os.ReadFile(c.outPath)
	errs, _ := os.ReadFile(c.errPath)
	r.out, r.err = string(out), string(errs)
	return r
}

// text is what the call has written so far.
func (c *call) text() string {
	out, _ := os.ReadFile(c.outPath)
	errs, _ := os.ReadFile(c.errPath)
	return "stdout: " + string(out) + "\nstderr: " + string(errs)
}

// do runs a prepared call to its end.
func (b *bundle) do(cmd *exec.Cmd) result {
	b.t.Helper()
	return b.begin(cmd).end(b.t)
}

// tare runs the runtime with the given command line.
func (b *bundle) tare(args ...string) result {
	b.t.Helper()
	return b.do(b.cmd(args...))
}

// run writes the bundle and runs the container in the foreground.
func (b *bundle) run(flags ...string) result {
	b.t.Helper()
	b.write()
	return b.tare(b.line("run", flags)...)
}

// line is the command line of create or run.
func (b *bundle) line(command string, flags []string) []string {
	return append(append([]string{command, "--bundle", b.path}, flags...), b.id)
}

// create writes the bundle and creates the container; cleanup deletes it.
func (b *bundle) create(flags ...string) result {
	b.t.Helper()
	b.write()
	b.live = true
	return b.tare(b.line("create", flags)...).ok(b.t)
}

// detach writes the bundle and runs the container detached; cleanup deletes it.
func (b *bundle) detach(flags ...string) result {
	b.t.Helper()
	b.write()
	b.live = true
	return b.tare(b.line("run", append([]string{"-d"}, flags...))...).ok(b.t)
}

// hold runs a detached testprog that is ready for signals.
func (b *bundle) hold(args ...string) result {
	b.t.Helper()
	b.edit(prog(append([]string{"hold"}, args...)...))
	r := b.detach()
	r.waitOut(b.t, "ready\n")
	return r
}

func (b *bundle) start() result {
	b.t.Helper()
	return b.tare("start", b.id)
}

// exec runs a command in the container.
func (b *bundle) exec(args ...string) result {
	b.t.Helper()
	return b.tare(append([]string{"exec", b.id}, args...)...)
}

// execWith is exec with options before the id.
func (b *bundle) execWith(flags []string, args ...string) result {
	b.t.Helper()
	return b.tare(append(append(append([]string{"exec"}, flags...), b.id), args...)...)
}

// facts runs `testprog facts` in the foreground.
func (b *bundle) facts(flags ...string) report.Facts {
	b.t.Helper()
	b.edit(prog("facts"))
	return decode[report.Facts](b.t, b.run(flags...).ok(b.t).out)
}

// try runs operations in a container and returns the errno name of each.
func (b *bundle) try(ops ...string) map[string]string {
	b.t.Helper()
	b.edit(prog(append([]string{"try"}, ops...)...))
	return decode[map[string]string](b.t, b.run().ok(b.t).out)
}

// stat returns what a container sees at paths.
func (b *bundle) stat(paths ...string) map[string]report.Stat {
	b.t.Helper()
	b.edit(prog(append([]string{"stat"}, paths...)...))
	return decode[map[string]report.Stat](b.t, b.run().ok(b.t).out)
}

func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return v
}

func (r result) String() string {
	return fmt.Sprintf("%v: status %d\nstdout: %.2000s\nstderr: %.2000s", r.args, r.code, r.out, r.err)
}

// ok ends the case unless the call succeeded.
func (r result) ok(t *testing.T) result {
	t.Helper()
	return r.status(t, 0)
}

// status ends the case unless the call ended with code.
func (r result) status(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("want status %d: %v", code, r)
	}
	return r
}

// fails ends the case unless the call failed with status 1 and said each of the texts.
func (r result) fails(t *testing.T, texts ...string) result {
	t.Helper()
	return r.failsWith(t, 1, texts...)
}

func (r result) failsWith(t *testing.T, code int, texts ...string) result {
	t.Helper()
	r.status(t, code)
	said := strings.ReplaceAll(r.err, `\"`, `"`) // text logs quote the message
	for _, text := range texts {
		if !strings.Contains(said, text) {
			t.Fatalf("stderr lacks %q: %v", text, r)
		}
	}
	return r
}

// output is what the container has written to its stdout until now.
func (r result) output(t *testing.T) string {
	t.Helper()
	return readFile(t, r.outPath)
}

// waitOut waits until the container's stdout holds text.
func (r result) waitOut(t *testing.T, text string) {
	t.Helper()
	waitFor(t, fmt.Sprintf("%q on stdout", text), func() bool { return strings.Contains(r.output(t), text) })
}

// waitFor waits until a condition holds, at most half the deadline.
func waitFor(t *testing.T, what string, cond func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline / 2); ; time.Sleep(5 * time.Millisecond) {
		if cond() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func exitCode(st *os.ProcessState) int {
	if code := st.ExitCode(); code >= 0 {
		return code
	}
	return 128 + int(signalOf(st))
}
