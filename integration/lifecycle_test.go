package integration

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestRunPassesExitStatus(t *testing.T) {
	b := newBundle(t, prog("exit", "7"))
	b.run().status(t, 7)
	b.wantGone()
}

func TestRunPassesDeathBySignalAs128PlusN(t *testing.T) {
	b := newBundle(t, sh("kill -9 $$; sleep 100"), dropNS("pid")) // pid 1 of a namespace would not die of its own KILL
	b.run().status(t, 128+9)
	b.wantGone()
}

func TestRunKeepLeavesAStoppedContainer(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.live = true
	b.run("--keep").ok(t)
	b.wantStatus(specs.StateStopped)
	b.tare("delete", b.id).ok(t)
	b.wantGone()
}

// It is executed through a descriptor, after whose number the kernel would call it.
func TestTheInitThatWaitsHasAName(t *testing.T) {
	onlyTare(t, "the name")
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.create()
	comm := "/proc/" + strconv.Itoa(b.state().Pid) + "/comm"
	if got := readFile(t, comm); got != "tare-init\n" {
		t.Errorf("waiting it is called %q", got)
	}
	b.start().ok(t)
	if got := readFile(t, comm); got != "sleep\n" {
		t.Errorf("the program is called %q", got)
	}
}

func TestRunDetachReturnsWhileTheProcessRuns(t *testing.T) {
	b := newBundle(t)
	b.hold()
	st := b.wantStatus(specs.StateRunning)
	if !alive(st.Pid) {
		t.Errorf("pid %d is not alive", st.Pid)
	}
}

func TestRunFailingToStartLeavesNothing(t *testing.T) {
	b := newBundle(t, args("/no/such"))
	b.run().fails(t, "no such file or directory")
	b.wantGone()
}

func TestCreateDoesNotStartTheProgram(t *testing.T) {
	b := newBundle(t, sh("echo ran; exec sleep 1000"))
	r := b.create()
	b.wantStatus(specs.StateCreated)
	if out := r.output(t); out != "" {
		t.Errorf("output before start: %q", out)
	}
	b.start().ok(t)
	r.waitOut(t, "ran\n")
	b.wantStatus(specs.StateRunning)
}

func TestStartReturnsAfterExecve(t *testing.T) {
	not(t, "runc", "returns a moment earlier")
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.create()
	b.start().ok(t)
	comm := readFile(t, "/proc/"+strconv.Itoa(b.state().Pid)+"/comm")
	if comm != "sleep\n" {
		t.Errorf("start returned while init was still %q", comm)
	}
}

func TestStartTwiceFails(t *testing.T) {
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.create()
	b.start().ok(t)
	b.start().fails(t, "cannot start an already running container")
	b.wantStatus(specs.StateRunning)
}

func TestStartOfAStoppedContainerFails(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.create()
	b.start().ok(t)
	b.waitStopped()
	b.start().fails(t, "cannot start a container that has stopped")
}

func TestStartReportsAFailingExecve(t *testing.T) {
	onlyTare(t, "start reports the execve's errno")
	b := newBundle(t, args("/bad"))
	check(t, os.WriteFile(b.inRoot("bad"), []byte("not a program"), 0o755))
	b.create()
	b.start().fails(t, "exec format error")
	b.waitStopped()
}

func TestCreateFailsForAProgramThatIsNotThere(t *testing.T) {
	for name, row := range map[string]struct{ arg, says string }{
		"name not in PATH": {"nonesuch", `exec: "nonesuch": executable file not found in $PATH`},
		"path":             {"/bin/nonesuch", "no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, args(row.arg))
			b.write()
			b.tare(b.line("create", nil)...).fails(t, row.says)
			b.wantGone()
		})
	}
}

func TestCreateFailsForAProgramThatMayNotBeExecuted(t *testing.T) {
	for name, row := range map[string]struct{ arg, says string }{
		"no x bit":        {"/etc/passwd", "permission denied"},
		"directory":       {"/etc", "permission denied"},
		"below a file":    {"/etc/passwd/x", "not a directory"},
		"relative to cwd": {"./nonesuch", "no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "directory" {
				not(t, "runc", "1.1 says 'is a directory' alone")
			}
			b := newBundle(t, args(row.arg))
			b.write()
			b.tare(b.line("create", nil)...).fails(t, row.says)
			b.wantGone()
		})
	}
}

func TestProgramIsFoundInThePATHOfTheProcess(t *testing.T) {
	b := newBundle(t, args("tool", "exit", "3"), func(s *specs.Spec) { s.Process.Env = []string{"PATH=/none:/data"} })
	check(t, os.Symlink("/testprog", b.inRoot("data/tool")))
	check(t, os.Symlink("busybox", b.inRoot("bin/tool")))
	b.run().status(t, 3)
}

func TestRelativeProgramIsRelativeToCwd(t *testing.T) {
	b := newBundle(t, args("./echo", "here"), func(s *specs.Spec) { s.Process.Cwd = "/bin" })
	if out := b.run().ok(t).out; out != "here\n" {
		t.Errorf("%q", out)
	}
}

func TestCreateWithATakenIDFails(t *testing.T) {
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.create()
	pid := b.state().Pid
	b.tare(b.line("create", nil)...).fails(t, "container with given ID already exists")
	b.tare(b.line("run", nil)...).fails(t, "container with given ID already exists")
	if st := b.wantStatus(specs.StateCreated); st.Pid != pid {
		t.Errorf("pid was %d, is %d", pid, st.Pid)
	}
}

func TestIDIsFreeAgainAfterDelete(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	for range 2 {
		b.create()
		b.start().ok(t)
		b.waitStopped()
		b.tare("delete", b.id).ok(t)
	}
	b.wantGone()
}

func TestDeleteOfACreatedContainerKillsIt(t *testing.T) {
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.create()
	pid := b.state().Pid
	b.tare("delete", b.id).ok(t)
	if alive(pid) {
		t.Error("init lives")
	}
	b.wantGone()
}

func TestDeleteOfARunningContainerFails(t *testing.T) {
	b := newBundle(t)
	b.hold()
	b.tare("delete", b.id).fails(t, "that is not stopped: running")
	b.wantStatus(specs.StateRunning)
}

func TestDeleteForceEndsARunningContainer(t *testing.T) {
	b := newBundle(t)
	b.hold()
	pid := b.state().Pid
	b.tare("delete", "--force", b.id).ok(t)
	if alive(pid) {
		t.Error("init lives")
	}
	b.wantGone()
}

func TestDeleteForceEndsAPausedContainer(t *testing.T) {
	needController(t, "freezer")
	b := newBundle(t)
	b.hold()
	b.tare("pause", b.id).ok(t)
	b.tare("delete", "-f", b.id).ok(t)
	b.wantGone()
}

func TestDeleteForceOfAnAbsentContainerSucceeds(t *testing.T) {
	b := newBundle(t)
	if r := b.tare("delete", "--force", b.id).ok(t); r.out+r.err != "" {
		t.Errorf("says %v", r)
	}
}

func TestDeleteOfAnAbsentContainerFails(t *testing.T) {
	b := newBundle(t)
	b.tare("delete", b.id).fails(t, "container does not exist")
}

func TestDeleteForceWithoutPidNamespaceEndsAllProcesses(t *testing.T) {
	b := newBundle(t, dropNS("pid"))
	b.hold("children=3")
	pids := b.pids()
	if len(pids) < 4 {
		t.Fatalf("only %v", pids)
	}
	b.tare("delete", "--force", b.id).ok(t)
	b.wantGone()
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d lives", pid)
		}
	}
}

func TestDeleteForceSweepsOrphansOfAStoppedContainerWithoutPidNamespace(t *testing.T) {
	b := newBundle(t, dropNS("pid"), sh("sleep 1000 & echo up; exit 0"))
	r := b.detach()
	r.waitOut(t, "up")
	b.waitStopped()
	if len(b.pids()) == 0 {
		t.Fatal("no orphan to sweep")
	}
	b.tare("delete", "--force", b.id).ok(t)
	b.wantGone()
}

func TestInitDeathEndsTheWholePidNamespace(t *testing.T) {
	b := newBundle(t)
	b.hold("children=3")
	pids := b.pids()
	b.tare("kill", b.id, "KILL").ok(t)
	b.waitStopped()
	for _, pid := range pids {
		waitFor(t, "child to die", func() bool { return !alive(pid) })
	}
}

func TestOperationsOnAnAbsentContainerSayDoesNotExist(t *testing.T) {
	for name, line := range map[string][]string{"start": {"start"}, "state": {"state"}, "kill": {"kill"}, "pause": {"pause"},
		"resume": {"resume"}, "ps": {"ps"}, "exec": {"exec"}, "update": {"update"}, "events": {"events", "--stats"}} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t)
			line := append(line, b.id)
			if name == "exec" {
				b.tare(append(line, "/bin/true")...).failsWith(t, execFailure(), "does not exist")
				return
			}
			b.tare(line...).fails(t, "does not exist")
		})
	}
}

func TestCreateRefusesABundleThatIsNotThere(t *testing.T) {
	b := newBundle(t)
	b.tare("create", "--bundle", b.dir+"/none", b.id).fails(t, "no such file or directory")
}

func TestPidFileHoldsTheHostPidWithoutNewline(t *testing.T) {
	b := newBundle(t, args("/bin/sleep", "1000"))
	file := filepath.Join(b.dir, "pid")
	b.create("--pid-file", file)
	if got, want := readFile(t, file), strconv.Itoa(b.state().Pid); got != want {
		t.Errorf("pid file %q, state %q", got, want)
	}
	if entries, _ := filepath.Glob(b.dir + "/.pid*"); len(entries) > 0 {
		t.Errorf("temporary file left: %v", entries)
	}
}

func TestPidFilePathIsRelativeToTheCaller(t *testing.T) {
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.create("--pid-file", "p")
	if !exists(filepath.Join(b.dir, "p")) || exists(filepath.Join(b.path, "p")) {
		t.Error("pid file is not in the caller's directory")
	}
}

func TestPidFileThatCannotBeWrittenFailsCreate(t *testing.T) {
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.write()
	b.tare(b.line("create", []string{"--pid-file", b.dir + "/none/pid"})...).fails(t, "no such file or directory")
	b.wantGone()
}

func TestStartWaitsForNoOneWhenInitIsKilled(t *testing.T) {
	b := newBundle(t, args("/bin/sleep", "1000"))
	b.create()
	check(t, syscall.Kill(b.state().Pid, syscall.SIGKILL))
	b.start().fails(t)
	b.wantStatus(specs.StateStopped)
}

func TestRunForegroundHasTheProcessAsItsOwnChild(t *testing.T) {
	b := newBundle(t, prog("hold"))
	b.write()
	c := b.begin(b.cmd(b.line("run", nil)...))
	waitFor(t, "ready", func() bool { return strings.Contains(c.text(), "ready") })
	pid := b.state().Pid
	ppid := procField(t, pid, "PPid")
	if ppid != strconv.Itoa(c.cmd.Process.Pid) {
		t.Errorf("parent of init is %s, runtime is %d", ppid, c.cmd.Process.Pid)
	}
	check(t, syscall.Kill(pid, syscall.SIGKILL))
	c.end(t).status(t, 128+9)
}
