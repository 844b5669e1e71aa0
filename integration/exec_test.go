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

func TestExecEnvOptionsAddAndOverride(t *testing.T) {
	b := newBundle(t, addEnv("A=config", "B=config"))
	b.hold()
	out := b.execWith([]string{"-e", "A=1,2", "-e", "C=3", "-e", "C=4"}, "/bin/sh", "-c", "echo $A $B $C").ok(t).out
	if out != "1,2 config 4\n" {
		t.Errorf("%q", out)
	}
}

func TestExecCwdOption(t *testing.T) {
	b := newBundle(t)
	b.hold()
	if f := b.execFacts("--cwd", "/bin"); f.Cwd != "/bin" {
		t.Errorf("%q", f.Cwd)
	}
}

func TestExecUserOptionWithGroup(t *testing.T) {
	b := newBundle(t)
	b.hold()
	if f := b.execFacts("--user", "1000:1002"); f.UID != [4]int{1000, 1000, 1000, 1000} || f.GID != [4]int{1002, 1002, 1002, 1002} {
		t.Errorf("%v %v", f.UID, f.GID)
	}
}

func TestExecUserOptionAloneKeepsTheConfiguredGroup(t *testing.T) {
	b := newBundle(t, user(5, 6))
	b.hold()
	if f := b.execFacts("-u", "1"); f.UID[0] != 1 || f.GID[0] != 6 {
		t.Errorf("%v %v", f.UID, f.GID)
	}
}

func TestExecUserThatIsNoNumberFails(t *testing.T) {
	for name, arg := range map[string]string{"name": "root", "trailing letter": "1x", "empty": "", "minus": "-1", "too large": "4294967296",
		"no id": "4294967295", "bad group": "1:x", "empty group": "1:", "hexadecimal": "0x1", "blank": " 1"} {
		t.Run(name, func(t *testing.T) {
			if arg == "4294967296" || arg == "" || arg == "1:" || arg == "4294967295" {
				not(t, "runc", "takes it")
			}
			b := newBundle(t)
			b.hold()
			r := b.execWith([]string{"--user=" + arg}, "/bin/id")
			if r.code != 255 && r.code != 1 || r.out != "" {
				t.Errorf("%v", r)
			}
		})
	}
}

func TestExecAdditionalGroupsOption(t *testing.T) {
	b := newBundle(t)
	b.hold()
	if f := b.execFacts("-g", "8", "-g", "9"); fmt.Sprint(f.Groups) != "[8 9]" {
		t.Errorf("%v", f.Groups)
	}
}

func TestExecNoNewPrivsOption(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Process.NoNewPrivileges = false })
	b.hold()
	if f := b.execFacts(); f.NoNewPrivs {
		t.Error("set without the option")
	}
	if f := b.execFacts("--no-new-privs"); !f.NoNewPrivs {
		t.Error("not set")
	}
}

func TestExecCapOptionAddsWithoutInheritable(t *testing.T) {
	b := newBundle(t)
	b.hold()
	f := b.execFacts("--cap", "CAP_SYS_ADMIN", "--cap", "CAP_NET_ADMIN")
	want := append(slices.Clone(dockerCaps), "CAP_SYS_ADMIN", "CAP_NET_ADMIN")
	wantCaps(t, f, "bounding", want...)
	wantCaps(t, f, "effective", want...)
	wantCaps(t, f, "permitted", want...)
	wantCaps(t, f, "inheritable")
	wantCaps(t, f, "ambient")
}

func TestExecStopsReadingOptionsAtTheID(t *testing.T) {
	b := newBundle(t)
	b.hold()
	if out := b.exec("/bin/echo", "--user", "-d").ok(t).out; out != "--user -d\n" {
		t.Errorf("%q", out)
	}
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

func TestExecProcessFileIsTakenWhole(t *testing.T) {
	b := newBundle(t)
	b.hold()
	f := b.processFacts(func(p *specs.Process) {
		p.User = specs.User{UID: 10, GID: 11, AdditionalGids: []uint32{12}}
		p.Env, p.Cwd = []string{"ONLY=this"}, "/tmp"
		p.Rlimits = []specs.POSIXRlimit{{Type: "RLIMIT_CORE", Soft: 5, Hard: 6}}
		p.Capabilities = &specs.LinuxCapabilities{Bounding: []string{"CAP_KILL"}}
		p.NoNewPrivileges = false
	})
	if f.UID[0] != 10 || f.GID[0] != 11 || fmt.Sprint(f.Groups) != "[12]" || f.Cwd != "/tmp" || f.NoNewPrivs ||
		f.Rlimits["RLIMIT_CORE"] != [2]uint64{5, 6} {
		t.Errorf("%+v", f)
	}
	if got := slices.DeleteFunc(f.Env, func(kv string) bool { return strings.HasPrefix(kv, "HOME=") }); !slices.Equal(got, []string{"ONLY=this"}) {
		t.Errorf("env %q", got)
	}
	wantCaps(t, f, "bounding", "CAP_KILL")
}

func TestExecProcessFileUmask(t *testing.T) {
	not(t, "runc", "1.1 forgets it")
	b := newBundle(t)
	b.hold()
	if f := b.processFacts(func(p *specs.Process) { p.User.Umask = ptr(uint32(0o111)) }); f.Umask != 0o111 {
		t.Errorf("%o", f.Umask)
	}
}

func TestExecProcessFileSchedulerAndIOPriority(t *testing.T) {
	not(t, "runc", "1.1 has neither")
	b := newBundle(t)
	b.hold()
	f := b.processFacts(func(p *specs.Process) {
		p.Scheduler = &specs.Scheduler{Policy: "SCHED_BATCH", Nice: 3}
		p.IOPriority = &specs.LinuxIOPriority{Class: specs.IOPRIO_CLASS_BE, Priority: 6}
	})
	if f.Policy != 3 || f.Nice != 3 || f.IOPrio != 2<<13|6 {
		t.Errorf("policy %d, nice %d, ioprio %#x", f.Policy, f.Nice, f.IOPrio)
	}
}

func TestExecCPUAffinityFinalIsThePrograms(t *testing.T) {
	not(t, "runc", "1.1 has none")
	b := newBundle(t)
	b.hold()
	if len(b.execFacts().Affinity) < 2 {
		skip(t, "one CPU")
	}
	f := b.processFacts(func(p *specs.Process) { p.ExecCPUAffinity = &specs.CPUAffinity{Initial: "0", Final: "1"} })
	if fmt.Sprint(f.Affinity) != "[1]" {
		t.Errorf("%v", f.Affinity)
	}
}

func TestExecCPUAffinityThatDoesNotParseFails(t *testing.T) {
	not(t, "runc", "1.1 has none")
	b := newBundle(t)
	b.hold()
	file := b.processFile(func(p *specs.Process) { p.ExecCPUAffinity = &specs.CPUAffinity{Final: "1-x"} })
	b.tare("exec", "--process", file, b.id).failsWith(t, execFailure(), "1-x")
}

func TestExecProcessFileMissingFails(t *testing.T) {
	b := newBundle(t)
	b.hold()
	b.tare("exec", "--process", b.dir+"/none", b.id).failsWith(t, execFailure(), "no such file or directory")
}

func TestExecProcessFileThatIsNoJSONFails(t *testing.T) {
	b := newBundle(t)
	b.hold()
	if r := b.tare("exec", "--process", b.hostFile("p", "{"), b.id); r.code != execFailure() || r.err == "" {
		t.Errorf("%v", r)
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
	if layout == cgroup2 || r.code != 0 { // a late v1 join is not refused by the pids controller
		r.status(t, execFailure())
		if strings.Count(r.err, "\n") != 1 || strings.Contains(r.err, "goroutine") {
			t.Errorf("%v", r)
		}
	}
	b.wantStatus(specs.StateRunning)
}

func TestExecCgroupOptionJoinsASubgroup(t *testing.T) {
	b := newBundle(t)
	b.hold()
	dir := b.cgroupDir("pids")
	check(t, os.Mkdir(dir+"/sub", 0o755))
	t.Cleanup(func() { os.Remove(dir + "/sub") })
	flag := "pids:sub"
	if layout == cgroup2 {
		flag = "sub"
	}
	r := b.execWith([]string{"-d", "--cgroup", flag}, "/testprog", "hold")
	r.ok(t).waitOut(t, "ready")
	if got := strings.Fields(readFile(t, dir+"/sub/cgroup.procs")); len(got) != 1 {
		t.Errorf("processes in the subgroup: %v", got)
	}
}

func TestExecCgroupOptionOutsideFails(t *testing.T) {
	b := newBundle(t)
	b.hold()
	for _, path := range []string{"../other", "pids:../other", "/none-such", "a/../../b"} {
		if r := b.execWith([]string{"--cgroup", path}, "/bin/true"); r.code == 0 {
			t.Errorf("%s: %v", path, r)
		}
	}
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
