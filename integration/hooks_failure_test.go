package integration

import (
	"fmt"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestHookFailureBeforeTheProgramEndsTheContainer(t *testing.T) {
	for _, name := range hookNames[:4] {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, sh("echo ran > /tmp/ran"))
			b.hook(name, "say=hook broke here", "exit=3")
			r := b.run()
			b.wantGone()
			if exists(b.inRoot("tmp/ran")) {
				t.Error("the program ran")
			}
			r.fails(t, "exit status 3")
			if !strings.Contains(r.err, "hook broke here") {
				t.Errorf("the hook's stderr is not in the error: %v", r)
			}
		})
	}
}

func TestHookAfterAFailedOneDoesNotRun(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.hook("createRuntime", "exit=1")
	b.hook("createRuntime").Args[3] = "tag=second"
	b.hook("createContainer")
	b.run().fails(t)
	if got := tags(b.reports()); got != "createRuntime" {
		t.Errorf("%s", got)
	}
}

func TestPoststopRunsAfterAFailedHook(t *testing.T) {
	for _, name := range hookNames[:4] {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, args("/bin/true"))
			b.hook(name, "exit=1")
			b.hook("poststop")
			b.run().fails(t)
			if got := tags(b.reports()); got != name+" poststop" {
				not(t, "runc", "1.1 runs it in some cases only")
				t.Errorf("%s", got)
			}
		})
	}
}

func TestPoststopRunsAfterACreateThatFailedLater(t *testing.T) {
	not(t, "runc", "1.1 differs")
	b := newBundle(t, args("/none-such"))
	b.hook("createRuntime")
	b.hook("poststop")
	b.run().fails(t, "no such file")
	if got := tags(b.reports()); got != "createRuntime poststop" {
		t.Errorf("%s", got)
	}
}

func TestFailedPoststartFailsStartAndRemovesTheContainer(t *testing.T) {
	not(t, "runc", "1.1 differs")
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.hook("poststart", "exit=4")
	b.hook("poststop")
	b.create()
	b.start().fails(t, "exit status 4")
	b.wantGone()
	if got := tags(b.reports()); got != "poststart poststop" {
		t.Errorf("%s", got)
	}
}

func TestFailedPoststopWarnsAndTheNextRuns(t *testing.T) {
	not(t, "runc", "stops at the failed one")
	b := newBundle(t, args("/bin/true"))
	b.hook("poststop", "exit=1")
	b.hook("poststop").Args[3] = "tag=second"
	log := b.dir + "/log"
	b.global = warningsTo(log)
	b.run().ok(t)
	if got := tags(b.reports()); got != "poststop second" {
		t.Errorf("%s", got)
	}
	if !holds(log, "level=warning") {
		t.Error("no warning in the log")
	}
	b.wantGone()
}

func TestPoststopRunsAfterEverythingIsGone(t *testing.T) {
	not(t, "runc", "1.1 runs it with the state directory still there")
	b := newBundle(t, args("/bin/true"))
	b.hook("poststop").Args = []string{"testprog", "hook", b.hookFile(), "tag=poststop"}
	b.spec.Hooks.Poststop = append(b.spec.Hooks.Poststop, specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c",
		fmt.Sprintf("ls -d %s > %s/left 2>/dev/null; true", b.cgroupDir("pids"), b.dir)}, Env: []string{"PATH=/bin:/usr/bin"}})
	b.run().ok(t)
	if left := readFile(t, b.dir+"/left"); left != "" {
		t.Errorf("still there: %s", left)
	}
}

func TestHookTimeoutKillsTheHookAndFailsTheContainer(t *testing.T) {
	for _, name := range []string{"createRuntime", "createContainer", "startContainer"} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, args("/bin/true"))
			b.hook(name, "sleep").Timeout = ptr(1)
			b.run().fails(t, "hook ran past specified timeout of 1.0s")
			b.wantGone()
			for _, r := range b.reports() { // none if it was killed before it could
				if name == "createRuntime" && alive(r.PID) {
					t.Errorf("hook process %d lives", r.PID)
				}
			}
		})
	}
}

func TestHookTimeoutOfZeroOrLessFails(t *testing.T) {
	not(t, "runc", "1.1 takes it")
	for _, n := range []int{0, -1} {
		t.Run(itoa(n), func(t *testing.T) {
			b := newBundle(t, args("/bin/true"))
			b.hook("createRuntime").Timeout = ptr(n)
			b.run().fails(t, "timeout")
			b.wantGone()
		})
	}
}

func TestHookThatIsNotThereFails(t *testing.T) {
	for _, name := range hookNames[:4] {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, args("/bin/true"))
			b.hook(name).Path = "/no/such/hook"
			b.run().fails(t, "/no/such/hook")
			b.wantGone()
		})
	}
}

func TestRelativeHookPathFails(t *testing.T) {
	not(t, "runc", "1.1 looks in PATH")
	b := newBundle(t, args("/bin/true"))
	b.hook("createRuntime").Path = "sh"
	b.run().fails(t, "hooks")
	b.wantGone()
}

func TestHookKilledByASignalFailsTheContainer(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.hook("createRuntime")
	b.spec.Hooks.CreateRuntime = append(b.spec.Hooks.CreateRuntime, specs.Hook{Path: "/bin/sh", Args: []string{"sh", "-c", "kill -9 $$"}})
	b.run().fails(t, "signal: killed")
	b.wantGone()
}

func TestFailedStartContainerHookIsWhatStartReturns(t *testing.T) {
	not(t, "runc", "1.1 start does not learn of it")
	b := newBundle(t, args("/bin/true"))
	b.hook("startContainer", "say=inner\ntrouble", "exit=9")
	b.create()
	b.start().fails(t, "exit status 9", `"inner\ntrouble"`)
}

func TestFailedStartContainerFailsStartAndRemovesTheContainer(t *testing.T) {
	not(t, "runc", "1.1 leaves it stopped")
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.hook("startContainer", "exit=4")
	b.hook("poststop")
	b.create()
	b.start().fails(t, "exit status 4")
	b.wantGone()
	if got := tags(b.reports()); got != "startContainer poststop" {
		t.Errorf("%s", got)
	}
}

func TestPoststopRunsOnForceDelete(t *testing.T) {
	b := newBundle(t)
	b.hook("poststop")
	b.hold()
	b.tare("delete", "--force", b.id).ok(t)
	b.report("poststop")
}
