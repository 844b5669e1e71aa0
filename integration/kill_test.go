package integration

import (
	"fmt"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestKillDefaultsToTERM(t *testing.T) {
	b := newBundle(t)
	r := b.hold("ignore-term")
	b.tare("kill", b.id).ok(t)
	r.waitOut(t, "got SIGTERM")
}

func TestKillTakesEveryFormOfASignal(t *testing.T) {
	for name, row := range map[string]struct{ arg, want string }{
		"number":           {"10", "SIGUSR1"},
		"name":             {"USR1", "SIGUSR1"},
		"name with SIG":    {"SIGUSR1", "SIGUSR1"},
		"lower case":       {"usr1", "SIGUSR1"},
		"mixed case":       {"sigUsr1", "SIGUSR1"},
		"real-time number": {"37", "SIG37"},
		"RTMIN+":           {"RTMIN+3", "SIG37"},
		"SIGRTMIN+":        {"SIGRTMIN+3", "SIG37"},
		"RTMAX-":           {"RTMAX-1", "SIG63"},
		"rtmin lower case": {"rtmin+2", "SIG36"},
	} {
		t.Run(name, func(t *testing.T) {
			if strings.Contains(strings.ToUpper(row.arg), "RTM") {
				not(t, "runc", "lacks it")
			}
			b := newBundle(t)
			r := b.hold()
			b.tare("kill", b.id, row.arg).ok(t)
			r.waitOut(t, "got "+row.want)
		})
	}
}

func TestKillUnknownSignalFails(t *testing.T) {
	for _, arg := range []string{"TEA", "65", "-1", "RTMIN+40", "", "9x"} {
		t.Run("["+arg+"]", func(t *testing.T) {
			not(t, "runc", "1.1 differs in text")
			b := newBundle(t)
			b.hold()
			b.tare("kill", b.id, arg).fails(t, "unknown signal")
			b.wantStatus(specs.StateRunning)
		})
	}
}

func TestKillUnknownNameSaysUnknownSignal(t *testing.T) {
	b := newBundle(t)
	b.hold()
	b.tare("kill", b.id, "TEA").fails(t, "unknown signal")
}

func TestKillOfACreatedContainer(t *testing.T) {
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.create()
	b.tare("kill", b.id, "KILL").ok(t)
	b.waitStopped()
}

func TestSignalsEndACreatedContainerQuietly(t *testing.T) {
	not(t, "crun", "its init is deaf to all but KILL")
	for _, hook := range []bool{false, true} { // a hook takes the init through the Go lane
		for _, signal := range []string{"TERM", "HUP", "INT", "QUIT", "ABRT"} {
			t.Run(fmt.Sprintf("%s, hook %v", signal, hook), func(t *testing.T) {
				b := newBundle(t, args("/bin/sleep", "1000"), func(s *specs.Spec) {
					if hook {
						s.Hooks = &specs.Hooks{StartContainer: []specs.Hook{{Path: "/bin/true"}}}
					}
				})
				b.write()
				b.live = true
				create := b.begin(b.cmd(b.line("create", nil)...))
				create.end(t).ok(t)
				b.tare("kill", b.id, signal).ok(t)
				if signal == "QUIT" || signal == "ABRT" {
					b.start().ok(t)
					b.tare("kill", b.id, "KILL").ok(t)
				}
				b.waitStopped()
				if said := readFile(t, create.outPath) + readFile(t, create.errPath); said != "" {
					t.Errorf("%s", said)
				}
			})
		}
	}
}

func TestKillOfAStoppedContainerSaysNotRunning(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.detach()
	b.waitStopped()
	b.tare("kill", b.id).fails(t, "container not running")
}

func TestKillAllOfAStoppedContainerSucceeds(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.detach()
	b.waitStopped()
	b.tare("kill", "--all", b.id, "9").ok(t)
}

func TestKillAllReachesEveryProcess(t *testing.T) {
	b := newBundle(t, dropNS("pid"))
	b.hold("children=3")
	pids := b.pids()
	b.tare("kill", "-a", b.id, "KILL").ok(t)
	for _, pid := range pids {
		waitFor(t, "the process to die", func() bool { return !alive(pid) })
	}
}

func TestKillAllWithoutPidNamespaceReachesOrphansOfADeadInit(t *testing.T) {
	b := newBundle(t, dropNS("pid"), sh("sleep 1000 & echo up"))
	r := b.detach()
	r.waitOut(t, "up")
	b.waitStopped()
	pids := b.pids()
	if len(pids) == 0 {
		t.Fatal("no orphan")
	}
	b.tare("kill", "--all", b.id, "KILL").ok(t)
	for _, pid := range pids {
		waitFor(t, "the orphan to die", func() bool { return !alive(pid) })
	}
}

func TestKillReachesOnlyInit(t *testing.T) {
	b := newBundle(t)
	r := b.hold("children=1")
	b.tare("kill", b.id, "USR1").ok(t)
	r.waitOut(t, "got SIGUSR1")
	if n := strings.Count(r.output(t), "got SIGUSR1"); n != 1 {
		t.Errorf("%d processes got the signal", n)
	}
}

func TestKillSIGKILLWithoutPidNamespaceEndsTheWholeCgroup(t *testing.T) {
	not(t, "runc", "1.1 kills init alone")
	b := newBundle(t, dropNS("pid"))
	b.hold("children=3")
	pids := b.pids()
	b.tare("kill", b.id, "KILL").ok(t)
	for _, pid := range pids {
		waitFor(t, "the process to die", func() bool { return !alive(pid) })
	}
}

func TestKillSIGKILLEndsAPausedContainer(t *testing.T) {
	needController(t, "freezer")
	b := newBundle(t)
	b.hold()
	b.tare("pause", b.id).ok(t)
	b.tare("kill", b.id, "KILL").ok(t)
	b.waitStopped()
}

func TestKillOptionsMayStandBeforeTheID(t *testing.T) {
	b := newBundle(t)
	r := b.hold()
	b.tare("kill", "--all", b.id, "10").ok(t)
	r.waitOut(t, "got SIGUSR1")
}

func TestKillStopAndContinue(t *testing.T) {
	b := newBundle(t)
	r := b.hold()
	pid := b.state().Pid
	b.tare("kill", b.id, "STOP").ok(t)
	waitFor(t, "the stop", func() bool { return strings.HasPrefix(procField(t, pid, "State"), "T") })
	b.wantStatus(specs.StateRunning)
	b.tare("kill", b.id, "CONT").ok(t)
	r.waitOut(t, "got SIGCONT")
}

func TestKillRegex(t *testing.T) {
	onlyTare(t, "kill --regex, as crun has it")
	b := newBundle(t)
	r := b.hold()
	b.tare("kill", "--regex", "^"+b.id+"$", "USR2").ok(t)
	r.waitOut(t, "got SIGUSR2")
}

// several makes containers in one state root, the ids of which begin alike.
func several(t *testing.T, n int) []*bundle {
	t.Helper()
	first := newBundle(t, prog("hold"))
	all := []*bundle{first}
	for range n - 1 {
		b := newSerial(t, prog("hold"))
		b.root = first.root
		all = append(all, b)
	}
	for i, b := range all {
		b.id = "re-" + strings.Repeat("x", i+1) + "-" + b.id
		b.spec.Linux.CgroupsPath = suite.prefix + "/" + b.id
	}
	for _, b := range all {
		for _, other := range all {
			b.beside = append(b.beside, other.id)
		}
	}
	return all
}

func TestRegexReachesAllThatMatchAndNoOther(t *testing.T) {
	needGranted(t)
	onlyTare(t, "--regex, as crun has it")
	all := several(t, 3)
	out := make([]result, len(all))
	for i, b := range all {
		out[i] = b.detach()
		out[i].waitOut(t, "ready\n")
	}
	b := all[0]
	b.tare("kill", "-r", "^re-x{2,}-", "USR1").ok(t)
	out[1].waitOut(t, "got SIGUSR1")
	out[2].waitOut(t, "got SIGUSR1")
	b.tare("kill", "--regex", "^re-x-", "USR2").ok(t)
	out[0].waitOut(t, "got SIGUSR2")
	if strings.Contains(out[0].output(t), "SIGUSR1") {
		t.Error("one that does not match got the signal")
	}
	// None of them is a success: nothing had to be done.
	b.tare("kill", "--regex", "^nothing$", "USR1").ok(t)
	b.tare("delete", "--force", "--regex", "^re-xx+-").ok(t)
	if got := b.tare("list", "-q").ok(t).out; got != b.id+"\n" {
		t.Errorf("%q", got)
	}
}

// One that fails keeps none of the others from its turn, and is told.
func TestRegexGoesOnAfterAFailure(t *testing.T) {
	needGranted(t)
	onlyTare(t, "--regex, as crun has it")
	all := several(t, 3)
	for _, b := range []*bundle{all[0], all[2]} {
		b.create()
		b.tare("kill", b.id, "KILL").ok(t)
		b.waitStopped()
	}
	running := all[1]
	running.detach().waitOut(t, "ready\n")
	running.tare("delete", "--regex", "^re-").fails(t, running.id, "is not stopped: running")
	if got := running.tare("list", "-q").ok(t).out; got != running.id+"\n" {
		t.Errorf("%q", got)
	}
	running.tare("kill", "--regex", ".*", "KILL").ok(t)
	running.waitStopped()
}

func TestDeleteRegex(t *testing.T) {
	onlyTare(t, "delete --regex, as crun has it")
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.create()
	b.tare("delete", "--force", "--regex", "^"+b.id[:4]).ok(t)
	b.wantGone()
}

func TestDeleteRegexThatDoesNotParseFails(t *testing.T) {
	onlyTare(t, "delete --regex, as crun has it")
	b := newBundle(t)
	b.tare("delete", "--regex", "(").fails(t, "(")
}
