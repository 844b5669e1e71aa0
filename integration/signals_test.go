package integration

import (
	"os"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

const sigTERM = syscall.SIGTERM

// foreground starts a run in the foreground of a process that is ready for signals.
func (b *bundle) foreground(args ...string) *call {
	b.t.Helper()
	b.edit(prog(append([]string{"hold"}, args...)...))
	b.write()
	c := b.begin(b.cmd(b.line("run", nil)...))
	waitFor(b.t, "the program", func() bool { return strings.Contains(c.text(), "ready") })
	return c
}

func TestRunForwardsSignals(t *testing.T) {
	for name, sig := range map[string]syscall.Signal{"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "USR1": syscall.SIGUSR1,
		"WINCH": syscall.SIGWINCH, "QUIT": syscall.SIGQUIT} {
		t.Run(name, func(t *testing.T) {
			if name == "WINCH" {
				not(t, "runc", "forwards it with a terminal only")
			}
			b := newBundle(t)
			c := b.foreground()
			check(t, c.cmd.Process.Signal(sig))
			waitFor(t, "the signal inside", func() bool { return strings.Contains(c.text(), "got SIG"+name) })
			check(t, c.cmd.Process.Signal(sigTERM))
			c.end(t).ok(t)
		})
	}
}

func TestRunForwardsRealTimeSignals(t *testing.T) {
	b := newBundle(t)
	c := b.foreground()
	check(t, c.cmd.Process.Signal(syscall.Signal(37)))
	waitFor(t, "the signal inside", func() bool { return strings.Contains(c.text(), "got SIG37") })
	check(t, c.cmd.Process.Signal(sigTERM))
	c.end(t).ok(t)
}

// The first real-time signals are those that a libc keeps to itself: 32 to 34, and which of them differs.
func TestRunForwardsTheSignalsThatALibcKeeps(t *testing.T) {
	b := newBundle(t, sh(`trap 'exit 43' 34; echo ready; while :; do sleep 0.05; done`))
	b.write()
	c := b.begin(b.cmd(b.line("run", nil)...))
	waitFor(t, "the program", func() bool { return strings.Contains(c.text(), "ready") })
	check(t, c.cmd.Process.Signal(syscall.Signal(34)))
	c.end(t).status(t, 43)
}

func TestRunForwardedTermEndsRunWithTheProgramsStatus(t *testing.T) {
	b := newBundle(t, sh("trap 'exit 23' TERM; echo ready; while :; do sleep 0.05; done"))
	b.write()
	c := b.begin(b.cmd(b.line("run", nil)...))
	waitFor(t, "the program", func() bool { return strings.Contains(c.text(), "ready") })
	check(t, c.cmd.Process.Signal(sigTERM))
	c.end(t).status(t, 23)
	b.wantGone()
}

func TestSignalMaskIsEmptyInside(t *testing.T) {
	b := newBundle(t)
	if f := b.facts(); strings.Trim(f.SigBlocked, "0") != "" {
		t.Errorf("blocked %s", f.SigBlocked)
	}
}

func TestSignalsAreNotIgnoredInside(t *testing.T) {
	b := newBundle(t, args("/bin/grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"))
	for _, line := range strings.Split(strings.TrimSpace(b.run().ok(t).out), "\n") {
		if _, mask, _ := strings.Cut(line, "\t"); strings.Trim(mask, "0") != "" {
			t.Errorf("%s", line)
		}
	}
}

func TestRunReapsOrphansAsSubreaper(t *testing.T) {
	b := newBundle(t, dropNS("pid"), sh("(sleep 1000 & echo $!) ; sleep 1000"))
	b.write()
	c := b.begin(b.cmd(b.line("run", nil)...))
	waitFor(t, "the orphan", func() bool { return holds(c.outPath, "\n") && len(b.pids()) == 2 })
	init := b.state().Pid
	for _, pid := range b.pids() {
		if ppid := procField(t, pid, "PPid"); pid != init && ppid != itoa(c.cmd.Process.Pid) {
			t.Errorf("parent of the orphan is %s, runtime is %d", ppid, c.cmd.Process.Pid)
		}
	}
	b.tare("kill", b.id, "KILL").ok(t)
	c.end(t).status(t, 137)
}

func TestRunWithoutSubreaperLeavesOrphansToOthers(t *testing.T) {
	b := newBundle(t, dropNS("pid"), sh("(sleep 1000 & echo $!) ; sleep 1000"))
	b.write()
	c := b.begin(b.cmd(b.line("run", []string{"--no-subreaper"})...))
	waitFor(t, "the orphan", func() bool { return holds(c.outPath, "\n") && len(b.pids()) == 2 })
	init := b.state().Pid
	for _, pid := range b.pids() {
		if ppid := procField(t, pid, "PPid"); pid != init && ppid == itoa(c.cmd.Process.Pid) {
			t.Error("the runtime is the orphan's parent")
		}
	}
	b.tare("kill", b.id, "KILL").ok(t)
	c.end(t).status(t, 137)
}

func TestKilledRuntimeLeavesADeletableContainer(t *testing.T) {
	b := newBundle(t)
	b.live = true
	c := b.foreground()
	check(t, c.cmd.Process.Signal(os.Kill))
	c.end(t)
	b.tare("delete", "--force", b.id).ok(t)
	b.wantGone()
}

func TestDetachedRunIsNotTiedToItsStarter(t *testing.T) {
	b := newBundle(t)
	b.hold()
	pid := b.state().Pid
	if ppid := procField(t, pid, "PPid"); ppid == itoa(os.Getpid()) {
		t.Error("init is a child of the caller")
	}
	b.wantStatus(specs.StateRunning)
}
