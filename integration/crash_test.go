package integration

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// crashes is how often each command is killed (TARE_CRASHES; 200 for the full measure).
func crashes(t *testing.T) int {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv("TARE_CRASHES")); err == nil {
		return n
	}
	return 200
}

// killedAt runs a call and kills it after a random part of span. It tells how the call took when it was not killed.
func (b *bundle) killedAt(span time.Duration, line ...string) {
	b.t.Helper()
	c := b.begin(b.cmd(line...))
	select {
	case err := <-c.done:
		c.done <- err
	case <-time.After(time.Duration(rand.Int64N(int64(span)))):
		c.cmd.Process.Kill()
	}
	<-c.done
}

// span measures how long the call takes when nothing kills it.
func (b *bundle) span(line ...string) time.Duration {
	b.t.Helper()
	begin := time.Now()
	b.tare(line...)
	return time.Since(begin) * 12 / 10
}

// wantSwept ends the case unless delete --force leaves nothing.
func (b *bundle) wantSwept(round int) {
	b.t.Helper()
	r := b.tare("delete", "--force", b.id)
	if r.code != 0 {
		b.t.Fatalf("round %d: %v", round, r)
	}
	var left []string
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if left = b.leaks(); len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("round %d: %v", round, left)
		}
	}
}

func TestKilledCommandLeavesNothingAfterForceDelete(t *testing.T) {
	not(t, "runc", "leaves cgroups")
	not(t, "crun", "leaves cgroups")
	for _, command := range []string{"create", "run", "start", "exec", "delete"} {
		t.Run(command, func(t *testing.T) {
			b := newBundle(t, args("/bin/sleep", "1000"))
			b.write()
			line := map[string][]string{"create": b.line("create", nil), "run": b.line("run", []string{"-d"}), "start": {"start", b.id},
				"exec": {"exec", b.id, "/bin/true"}, "delete": {"delete", "--force", b.id}}[command]
			prepare := func() {
				switch command {
				case "start":
					b.tare(b.line("create", nil)...).ok(t)
				case "exec", "delete":
					b.tare(b.line("run", []string{"-d"})...).ok(t)
				}
			}
			prepare()
			span := b.span(line...)
			b.wantSwept(-1)
			for i := range crashes(t) {
				prepare()
				b.killedAt(span, line...)
				b.wantSwept(i)
				b.dropOutputs()
			}
		})
	}
}

// dropOutputs removes what the calls of many rounds wrote.
func (b *bundle) dropOutputs() {
	for _, pattern := range []string{"out.*", "err.*"} {
		found, _ := filepath.Glob(filepath.Join(b.dir, pattern))
		for _, f := range found {
			os.Remove(f)
		}
	}
}

func TestExecKilledAtARandomMomentLeavesTheContainerRunning(t *testing.T) {
	b := newBundle(t)
	b.hold()
	span := b.span("exec", b.id, "/bin/true")
	for range min(crashes(t), 30) {
		b.killedAt(span, "exec", b.id, "/bin/true")
	}
	b.wantStatus(specs.StateRunning)
	b.exec("/bin/true").ok(t)
	waitFor(t, "half-started execs to end", func() bool { return len(b.pids()) == 1 })
}

func TestInitKilledAtARandomMomentOfCreateFailsItCleanly(t *testing.T) {
	not(t, "runc", "leaves state at times")
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.write()
	for i := range min(crashes(t), 30) {
		c := b.begin(b.cmd(b.line("create", nil)...))
		killed := false
		for !killed {
			select {
			case err := <-c.done:
				c.done <- err
				killed = true
			default:
				for _, pid := range b.pids() {
					time.Sleep(time.Duration(rand.IntN(3000)) * time.Microsecond)
					if p, err := os.FindProcess(pid); err == nil && pid != c.cmd.Process.Pid {
						p.Kill()
						killed = true
					}
				}
			}
		}
		if r := c.end(t); r.code != 0 && r.err == "" {
			t.Errorf("round %d fails in silence", i)
		}
		b.wantSwept(i)
		b.dropOutputs()
	}
}

func TestFewDescriptorsGiveAnErrorAndLeaveNothing(t *testing.T) {
	notCovered(t)
	not(t, "runc", "leaves cgroups")
	b := newBundle(t, args("/bin/true"))
	b.write()
	for n := 4; n < 40; n++ {
		cmd := b.cmd(b.line("run", nil)...)
		cmd.Path, cmd.Args = "/bin/sh", append([]string{"/bin/sh", "-c", fmt.Sprintf(`ulimit -n %d; exec "$@"`, n), "sh"}, cmd.Args...)
		r := b.do(cmd)
		if r.code != 0 && (r.err == "" || holdsText(r.err, "goroutine")) {
			t.Errorf("%d: %v", n, r)
		}
		if left := b.leaks(); len(left) > 0 {
			t.Fatalf("%d: %v", n, left)
		}
	}
}

func TestLittleAddressSpaceGivesAnErrorAndLeavesNothing(t *testing.T) {
	not(t, "runc", "prints a trace")
	b := newBundle(t, args("/bin/true"))
	b.write()
	cmd := b.cmd(b.line("run", nil)...)
	cmd.Path, cmd.Args = "/bin/sh", append([]string{"/bin/sh", "-c", `ulimit -v 60000; exec "$@"`, "sh"}, cmd.Args...)
	if r := b.do(cmd); r.code != 0 && r.err == "" {
		t.Errorf("%v", r)
	}
	b.wantNoCgroups()
}

func TestFullDiskOfTheStateRootFailsCreateAndLeavesNothing(t *testing.T) {
	not(t, "runc", "1.1 loses the errno")
	b := newBundle(t, args("/bin/true"))
	root := b.hostDir("small")
	mountSized(t, root, "4k")
	writeFile(t, root+"/filler", "") // one page, one inode
	os.WriteFile(root+"/filler", make([]byte, 4096), 0o600)
	b.root = root
	b.run().fails(t, "no space left on device")
	check(t, os.Remove(root+"/filler"))
	b.wantNoCgroups()
}
