package integration

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

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

// A script's variable that is not set must not take an exec out of the container's confinement.
func TestExecOptionWithNoTextChangesNothing(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Process.Cwd = "/bin" })
	b.hold()
	if f := b.execFacts("--cwd", "", "--apparmor=", "--process-label", ""); f.Cwd != "/bin" {
		t.Errorf("%q", f.Cwd)
	}
}

func TestExecUserOptionWithGroup(t *testing.T) {
	needIDs(t)
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

func TestExecWarnsOfAnUnknownCapability(t *testing.T) {
	b := newBundle(t)
	b.hold()
	log := b.dir + "/log"
	b.global = []string{"--log", log, "--log-level", "warning"}
	if out := b.execWith([]string{"--cap", "CAP_FLY"}, "/bin/echo", "done").ok(t).out; out != "done\n" {
		t.Errorf("%q", out)
	}
	if text := readFile(t, log); !strings.Contains(text, "CAP_FLY") {
		t.Errorf("the log says %q", text)
	}
}

func TestExecStopsReadingOptionsAtTheID(t *testing.T) {
	b := newBundle(t)
	b.hold()
	if out := b.exec("/bin/echo", "--user", "-d").ok(t).out; out != "--user -d\n" {
		t.Errorf("%q", out)
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
