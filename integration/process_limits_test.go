package integration

import (
	"fmt"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestOOMScoreAdjIsSet(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Process.OOMScoreAdj = ptr(731) })
	if f := b.facts(); f.OOMScoreAdj != 731 {
		t.Errorf("%d", f.OOMScoreAdj)
	}
}

func TestOOMScoreAdjUnsetIsTheCallers(t *testing.T) {
	b := newBundle(t)
	want := strings.TrimSpace(readFile(t, "/proc/self/oom_score_adj"))
	if f := b.facts(); fmt.Sprint(f.OOMScoreAdj) != want {
		t.Errorf("%d, caller %s", f.OOMScoreAdj, want)
	}
}

func TestOOMScoreAdjOutOfRangeFails(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Process.OOMScoreAdj = ptr(1001) })
	b.run().fails(t)
	b.wantGone()
}

func rlimit(typ string, soft, hard uint64) func(*specs.Spec) {
	return func(s *specs.Spec) {
		s.Process.Rlimits = append(s.Process.Rlimits, specs.POSIXRlimit{Type: typ, Soft: soft, Hard: hard})
	}
}

func TestEveryRlimitIsSet(t *testing.T) {
	b := newBundle(t, rlimit("RLIMIT_NOFILE", 900, 900))
	want := map[string][2]uint64{"RLIMIT_NOFILE": {900, 900}}
	for i, typ := range strings.Fields("AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NPROC RSS RTTIME SIGPENDING STACK") {
		soft, hard := uint64(8100000+i), uint64(8200000+i)
		switch typ {
		case "AS", "DATA": // Go itself needs some
			soft, hard = soft<<20, hard<<20
		case "NPROC", "SIGPENDING", "MSGQUEUE", "MEMLOCK": // hard limits of the machine are lower
			soft, hard = uint64(60000+i), uint64(61000+i)
		}
		want["RLIMIT_"+typ] = [2]uint64{soft, hard}
		b.edit(rlimit("RLIMIT_"+typ, soft, hard))
	}
	b.edit(rlimit("RLIMIT_NICE", 0, 0), rlimit("RLIMIT_RTPRIO", 0, 0))
	want["RLIMIT_NICE"], want["RLIMIT_RTPRIO"] = [2]uint64{}, [2]uint64{}
	f := b.facts()
	for typ, lim := range want {
		if f.Rlimits[typ] != lim {
			t.Errorf("%s: %v, want %v", typ, f.Rlimits[typ], lim)
		}
	}
}

func TestSoftNofileIsTheConfiguredOneAtExecve(t *testing.T) {
	b := newBundle(t, rlimit("RLIMIT_NOFILE", 300, 900), sh("ulimit -Sn; ulimit -Hn"))
	if out := b.run().ok(t).out; out != "300\n900\n" {
		t.Errorf("%q", out)
	}
}

func TestSoftNofileUnsetIsTheCallers(t *testing.T) {
	not(t, "runc", "1.1.5 as built here raises it")
	b := newBundle(t, sh("ulimit -Sn"))
	b.write()
	cmd := b.cmd(b.line("run", nil)...)
	inner := append([]string{"/bin/sh", "-c", `ulimit -Sn 777; exec "$@"`, "sh"}, cmd.Args...)
	cmd.Path, cmd.Args = "/bin/sh", inner
	if out := b.do(cmd).ok(t).out; out != "777\n" {
		t.Errorf("%q", out)
	}
}

func TestUnsetRlimitsAreTheCallers(t *testing.T) {
	b := newBundle(t, sh("ulimit -c; ulimit -Hs"))
	b.write()
	cmd := b.cmd(b.line("run", nil)...)
	cmd.Path, cmd.Args = "/bin/sh", append([]string{"/bin/sh", "-c", `ulimit -c 77; ulimit -Hs 65536; exec "$@"`, "sh"}, cmd.Args...)
	if out := b.do(cmd).ok(t).out; out != "77\n65536\n" {
		t.Errorf("%q", out)
	}
}

func TestUnknownRlimitFails(t *testing.T) {
	b := newBundle(t, rlimit("RLIMIT_TEA", 1, 1))
	b.run().fails(t, "RLIMIT_TEA")
	b.wantGone()
}

func TestDuplicateRlimitFails(t *testing.T) {
	not(t, "runc", "misses it")
	b := newBundle(t, rlimit("RLIMIT_CORE", 1, 1), rlimit("RLIMIT_CORE", 2, 2))
	b.run().fails(t, "RLIMIT_CORE")
	b.wantGone()
}

func TestRlimitSoftAboveHardFails(t *testing.T) {
	b := newBundle(t, rlimit("RLIMIT_CORE", 2, 1))
	b.run().fails(t)
	b.wantGone()
}

func TestSchedulerPolicyAndNiceAreSet(t *testing.T) {
	not(t, "runc", "1.1 has no scheduler")
	for name, row := range map[string]struct {
		s    specs.Scheduler
		want [3]int
	}{
		"batch with nice": {specs.Scheduler{Policy: "SCHED_BATCH", Nice: 5}, [3]int{3, 5, 0}},
		"other with nice": {specs.Scheduler{Policy: "SCHED_OTHER", Nice: 7}, [3]int{0, 7, 0}},
		"idle":            {specs.Scheduler{Policy: "SCHED_IDLE"}, [3]int{5, 0, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, func(s *specs.Spec) { s.Process.Scheduler = &row.s })
			if f := b.facts(); [3]int{f.Policy, f.Nice, f.Priority} != row.want {
				t.Errorf("policy %d, nice %d, priority %d", f.Policy, f.Nice, f.Priority)
			}
		})
	}
}

func TestSchedulerFindings(t *testing.T) {
	not(t, "runc", "1.1 has no scheduler")
	for name, s := range map[string]specs.Scheduler{
		"unknown policy":              {Policy: "SCHED_TEA"},
		"nice out of range":           {Policy: "SCHED_OTHER", Nice: 20},
		"priority without real time":  {Policy: "SCHED_OTHER", Priority: 3},
		"deadline without its policy": {Policy: "SCHED_BATCH", Runtime: 100},
		"unknown flag":                {Policy: "SCHED_OTHER", Flags: []specs.LinuxSchedulerFlag{"SCHED_FLAG_TEA"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, func(sp *specs.Spec) { sp.Process.Scheduler = &s })
			b.run().fails(t, "scheduler")
			b.wantGone()
		})
	}
}

func TestIOPriorityIsSet(t *testing.T) {
	not(t, "runc", "1.1 has no ioPriority")
	for class, want := range map[specs.IOPriorityClass]int{specs.IOPRIO_CLASS_RT: 1<<13 | 4, specs.IOPRIO_CLASS_BE: 2<<13 | 4, specs.IOPRIO_CLASS_IDLE: 3<<13 | 4} {
		t.Run(string(class), func(t *testing.T) {
			b := newBundle(t, func(s *specs.Spec) { s.Process.IOPriority = &specs.LinuxIOPriority{Class: class, Priority: 4} })
			if f := b.facts(); f.IOPrio != want {
				t.Errorf("%#x", f.IOPrio)
			}
		})
	}
}

func TestIOPriorityUnknownClassFails(t *testing.T) {
	not(t, "runc", "1.1 has no ioPriority")
	b := newBundle(t, func(s *specs.Spec) { s.Process.IOPriority = &specs.LinuxIOPriority{Class: "TEA", Priority: 4} })
	b.run().fails(t, "TEA")
	b.wantGone()
}

func TestPersonalityLinux32(t *testing.T) {
	not(t, "runc", "1.1 has no personality")
	b := newBundle(t, func(s *specs.Spec) { s.Linux.Personality = &specs.LinuxPersonality{Domain: specs.PerLinux32} })
	if f := b.facts(); f.Personality != 8 {
		t.Errorf("%#x", f.Personality)
	}
}

func TestPersonalityUnknownDomainFails(t *testing.T) {
	not(t, "runc", "1.1 has no personality")
	b := newBundle(t, func(s *specs.Spec) { s.Linux.Personality = &specs.LinuxPersonality{Domain: "BEOS"} })
	b.run().fails(t, "BEOS")
	b.wantGone()
}

func TestMemoryPolicyIsSet(t *testing.T) {
	onlyTare(t, "memoryPolicy")
	b := newBundle(t, func(s *specs.Spec) {
		s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: "MPOL_BIND", Nodes: "0"}
	})
	if f := b.facts(); f.MemPolicy != 2 || fmt.Sprint(f.MemNodes) != "[0]" {
		t.Errorf("%d %v", f.MemPolicy, f.MemNodes)
	}
}

func TestMemoryPolicyUnknownModeFails(t *testing.T) {
	onlyTare(t, "memoryPolicy")
	b := newBundle(t, func(s *specs.Spec) { s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: "MPOL_TEA", Nodes: "0"} })
	b.run().fails(t, "MPOL_TEA")
	b.wantGone()
}

func TestAffinityIsNotTheRuntimes(t *testing.T) {
	not(t, "runc", "1.1 leaks its mask")
	b := newBundle(t)
	all := len(b.facts().Affinity)
	if all < 2 {
		skip(t, "one CPU")
	}
	b.write()
	cmd := b.cmd(b.line("run", nil)...)
	cmd.Path, cmd.Args = "/bin/busybox", append([]string{"busybox", "taskset", "1"}, cmd.Args...)
	if f := decode[struct{ Affinity []int }](t, b.do(cmd).ok(t).out); len(f.Affinity) != all {
		t.Errorf("%v", f.Affinity)
	}
}
