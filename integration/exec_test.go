package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/integration/report"
)

// processFile writes a process.json made from the container's process.
func (b *bundle) processFile(edit func(*specs.Process)) string {
	b.t.Helper()
	p := *b.spec.Process
	p.Args = []string{"/testprog", "facts"}
	edit(&p)
	file := filepath.Join(b.dir, "process.json")
	writeJSON(b.t, file, p)
	return file
}

// processFacts execs a process.json and returns the facts.
func (b *bundle) processFacts(edit func(*specs.Process)) report.Facts {
	b.t.Helper()
	return decode[report.Facts](b.t, b.tare("exec", "--process", b.processFile(edit), b.id).ok(b.t).out)
}

func TestExecPassesExitStatus(t *testing.T) {
	b := newBundle(t)
	b.hold()
	b.exec("/testprog", "exit", "41").status(t, 41)
}

func TestExecPassesDeathBySignalAs128PlusN(t *testing.T) {
	b := newBundle(t)
	b.hold()
	b.exec("/testprog", "exit", "sig=15").status(t, 143)
}

func TestExecJoinsEveryNamespaceOfInit(t *testing.T) {
	b := newBundle(t, addNS("cgroup"))
	b.hold()
	f := b.execFacts()
	for name, link := range f.NS {
		if want, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", b.state().Pid, name)); want != "" && link != want {
			t.Errorf("%s is %s, init's %s", name, link, want)
		}
	}
}

func TestExecJoinsTheTimeNamespaceWithItsOffsets(t *testing.T) {
	not(t, "runc", "1.1 has no time namespaces")
	b := newBundle(t, addNS("time"), func(s *specs.Spec) {
		s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 5000000}}
	})
	b.hold()
	if f := b.execFacts(); f.Uptime < 5000000 {
		t.Errorf("uptime %v", f.Uptime)
	}
}

func TestExecJoinsTheCgroup(t *testing.T) {
	b := newBundle(t)
	b.hold()
	f := b.execFacts()
	init := strings.Split(strings.TrimSpace(readFile(t, fmt.Sprintf("/proc/%d/cgroup", b.state().Pid))), "\n")
	if layout == cgroup1 && !slices.Equal(f.Cgroup, init) {
		t.Errorf("%q, init %q", f.Cgroup, init)
	}
	if layout == cgroup2 && !slices.Equal(f.Cgroup, []string{"0::/"}) {
		t.Errorf("%q", f.Cgroup)
	}
}

func TestExecHasTheSeccompFilter(t *testing.T) {
	b := newBundle(t, seccompErrno("mkdirat", "mkdir"))
	b.hold()
	if f := b.execFacts(); f.Seccomp != 2 {
		t.Errorf("mode %d", f.Seccomp)
	}
	r := decode[map[string]string](t, b.exec("/testprog", "try", "mkdir:/tmp/x").ok(t).out)
	if r["mkdir:/tmp/x"] != "EPERM" {
		t.Errorf("%v", r)
	}
}

func TestExecKeepsTheConfiguredProcess(t *testing.T) {
	b := newBundle(t, user(1000, 1001, 7), addEnv("FROM=config"), rlimit("RLIMIT_CORE", 11, 22), func(s *specs.Spec) {
		s.Process.Cwd = "/etc"
		s.Process.OOMScoreAdj = ptr(500)
	})
	b.hold()
	f := b.execFacts()
	if f.UID[0] != 1000 || f.GID[0] != 1001 || fmt.Sprint(f.Groups) != "[7]" || f.Cwd != "/etc" || !f.NoNewPrivs ||
		f.OOMScoreAdj != 500 || f.Rlimits["RLIMIT_CORE"] != [2]uint64{11, 22} || !slices.Contains(f.Env, "FROM=config") {
		t.Errorf("%+v", f)
	}
	wantCaps(t, f, "bounding", dockerCaps...)
}

func TestExecKeepsTheConfiguredUmask(t *testing.T) {
	not(t, "runc", "1.1 forgets it")
	b := newBundle(t, func(s *specs.Spec) { s.Process.User.Umask = ptr(uint32(0o077)) })
	b.hold()
	if f := b.execFacts(); f.Umask != 0o077 {
		t.Errorf("%o", f.Umask)
	}
}

func TestExecUsesTheConfigRecordedAtCreate(t *testing.T) {
	b := newBundle(t, addEnv("V=recorded"))
	b.hold()
	b.edit(addEnv("V=changed"))
	b.write()
	if out := b.exec("/bin/sh", "-c", "echo $V").ok(t).out; out != "recorded\n" {
		not(t, "runc", "re-reads the bundle")
		t.Errorf("%q", out)
	}
}

func TestExecWorksThoughTheBundlesConfigIsGone(t *testing.T) {
	not(t, "runc", "re-reads the bundle")
	b := newBundle(t)
	b.hold()
	check(t, os.Remove(filepath.Join(b.path, "config.json")))
	b.exec("/bin/true").ok(t)
}

func TestExecOfAMissingProgramFails(t *testing.T) {
	b := newBundle(t)
	b.hold()
	b.exec("nonesuch").failsWith(t, execFailure(), `exec: "nonesuch": executable file not found in $PATH`)
	b.exec("/nonesuch").failsWith(t, execFailure(), "no such file or directory")
	b.exec("/etc/passwd").failsWith(t, execFailure(), "permission denied")
	b.wantStatus(specs.StateRunning)
}

func TestExecWithoutCommandFails(t *testing.T) {
	b := newBundle(t)
	b.hold()
	if r := b.exec(); r.code == 0 {
		t.Errorf("%v", r)
	}
}

func TestExecFindsTheProgramByTheOverriddenPATH(t *testing.T) {
	b := newBundle(t)
	check(t, os.Symlink("/testprog", b.inRoot("data/tool")))
	b.hold()
	b.execWith([]string{"-e", "PATH=/data"}, "tool", "exit", "6").status(t, 6)
}

func TestExecInACreatedContainer(t *testing.T) {
	b := newBundle(t, prog("hold"))
	b.create()
	f := b.execFacts()
	if f.Hostname != "case" {
		t.Errorf("%q", f.Hostname)
	}
	b.wantStatus(specs.StateCreated)
	b.start().ok(t)
}

func TestExecInAStoppedContainerFails(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.detach()
	b.waitStopped()
	b.exec("/bin/true").failsWith(t, execFailure(), "cannot exec in a stopped container")
}

// An init that waits for a process whose parent does not reap it has no namespaces left to enter, and is
// no zombie yet.
func TestExecInAContainerThatEndsFails(t *testing.T) {
	not(t, "runc", "says what came of it")
	b := newBundle(t, args("/bin/sleep", "1000")) // of one thread
	b.detach()
	pid := b.state().Pid
	first := b.begin(b.cmd("exec", b.id, "/bin/sh", "-c", "echo here; exec sleep 1000"))
	waitFor(t, "the first exec", func() bool { return holds(first.outPath, "here") })
	check(t, first.cmd.Process.Signal(unix.SIGSTOP))
	b.tare("kill", b.id, "KILL").ok(t)
	waitFor(t, "the init to give its namespaces up", func() bool {
		_, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/mnt", pid))
		return err != nil
	})
	r := b.exec("/bin/true")
	check(t, first.cmd.Process.Signal(unix.SIGCONT))
	first.end(t)
	r.failsWith(t, execFailure(), "cannot exec in a stopped container")
}

func TestExecInAPausedContainerFails(t *testing.T) {
	needController(t, "freezer")
	b := newBundle(t)
	b.hold()
	b.tare("pause", b.id).ok(t)
	b.exec("/bin/true").failsWith(t, execFailure(), "cannot exec in a paused container (use --ignore-paused to override)")
	b.tare("resume", b.id).ok(t)
	b.exec("/bin/true").ok(t)
}

func TestExecIgnorePausedWaitsForResume(t *testing.T) {
	needController(t, "freezer")
	b := newBundle(t)
	b.hold()
	b.tare("pause", b.id).ok(t)
	c := b.begin(b.cmd("exec", "--ignore-paused", b.id, "/bin/echo", "done"))
	b.tare("resume", b.id).ok(t)
	if r := c.end(t).ok(t); r.out != "done\n" {
		t.Errorf("%v", r)
	}
}

func TestExecDetachWritesItsPidFileAndReturns(t *testing.T) {
	b := newBundle(t)
	b.hold()
	file := filepath.Join(b.dir, "exec.pid")
	r := b.execWith([]string{"-d", "--pid-file", file}, "/testprog", "hold").ok(t)
	r.waitOut(t, "ready")
	pid, err := strconv.Atoi(readFile(t, file))
	check(t, err)
	if !alive(pid) || !slices.Contains(b.pids(), pid) {
		t.Errorf("%d is not in the container", pid)
	}
}

func TestExecOneBelowThePidsLimitWorks(t *testing.T) {
	needController(t, "pids")
	not(t, "runc", "aborts with a trace")
	b := newBundle(t, args("/bin/sleep", "1000"), resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(2))} }))
	b.detach()
	b.exec("/bin/true").ok(t)
}

func TestExecAtThePidsLimitFailsWithOneLine(t *testing.T) {
	needController(t, "pids")
	not(t, "runc", "aborts with a trace")
	b := newBundle(t, args("/bin/sleep", "1000"), resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(1))} }))
	b.detach()
	r := b.exec("/bin/true")
	if r.code != 0 { // a process that joins late is not refused by the pids controller
		r.status(t, execFailure())
		if strings.Count(r.err, "\n") != 1 || strings.Contains(r.err, "goroutine") {
			t.Errorf("%v", r)
		}
	}
	b.wantStatus(specs.StateRunning)
}

func TestExecEndsWhileItsChildrenKeepRunning(t *testing.T) {
	b := newBundle(t)
	b.hold()
	r := b.exec("/bin/sh", "-c", "sleep 1000 >/dev/null 2>&1 </dev/null & echo started")
	if r.ok(t).out != "started\n" || len(b.pids()) < 2 {
		t.Errorf("%v, %v", r, b.pids())
	}
}

func TestExecIsKilledWithItsContainer(t *testing.T) {
	b := newBundle(t)
	b.hold()
	c := b.begin(b.cmd("exec", b.id, "/testprog", "hold"))
	waitFor(t, "exec", func() bool { return strings.Contains(c.text(), "ready") })
	b.tare("kill", b.id, "KILL").ok(t)
	c.end(t).status(t, 137)
}

func TestExecForwardsSignalsToItsProcess(t *testing.T) {
	b := newBundle(t)
	b.hold()
	c := b.begin(b.cmd("exec", b.id, "/testprog", "hold"))
	waitFor(t, "exec", func() bool { return strings.Contains(c.text(), "ready") })
	check(t, c.cmd.Process.Signal(os.Interrupt)) // at once: forwarding must be in place before the program starts
	waitFor(t, "the signal", func() bool { return strings.Contains(c.text(), "got SIGINT") })
	check(t, c.cmd.Process.Signal(sigTERM))
	c.end(t).ok(t)
}

func TestExecMakesNoMountVisibleOnTheHost(t *testing.T) {
	b := newBundle(t)
	b.hold()
	before := len(mountLinesBelow(b.dir))
	b.exec("/bin/true").ok(t)
	if after := mountLinesBelow(b.dir); len(after) != before {
		t.Errorf("%v", after)
	}
}

func TestManyExecsInARow(t *testing.T) {
	b := newBundle(t)
	b.hold()
	for i := range 10 {
		b.exec("/testprog", "exit", itoa(i)).status(t, i)
	}
}

func TestExecAfterInitMovedItsCgroup(t *testing.T) {
	needV2(t)
	b := newBundle(t)
	b.hold()
	dir := b.cgroupDir("")
	check(t, os.Mkdir(dir+"/inner", 0o755))
	check(t, os.WriteFile(dir+"/inner/cgroup.procs", []byte(itoa(b.state().Pid)), 0))
	check(t, os.WriteFile(dir+"/cgroup.subtree_control", []byte("+pids"), 0))
	b.exec("/bin/true").ok(t)
}
