package integration

import (
	"slices"
	"strings"
	"testing"
)

// wantChoice compares the plan's and the debug log's word on who manages the cgroup.
func (b *bundle) wantChoice(run func(line ...string) result, global []string, words ...string) {
	b.t.Helper()
	b.write()
	plan, _, _ := strings.Cut(run(append(slices.Clone(global), "plan", "--id", b.id, b.path)...).ok(b.t).out, "\n")
	for _, w := range append(words, "cgroup: ") {
		if !strings.Contains(plan, w) {
			b.t.Errorf("the plan begins %q, without %q", plan, w)
		}
	}
	log := b.dir + "/choice.log"
	line := append(slices.Clone(global), "--debug", "--log", log)
	run(append(line, b.line("run", nil)...)...).ok(b.t)
	if got := readFile(b.t, log); !strings.Contains(got, plan) {
		b.t.Errorf("no %q in the log: %s", plan, got)
	}
}

func TestPlanTellsWhichCgroupManagerAndWhy(t *testing.T) {
	onlyTare(t, "plan")
	needGranted(t)
	b := newBundle(t, args("/bin/true"))
	mode := "v1"
	switch {
	case layout == cgroup2:
		mode = "v2"
	case exists("/sys/fs/cgroup/unified/cgroup.procs"):
		mode = "hybrid"
	}
	path := b.spec.Linux.CgroupsPath
	b.wantChoice(b.tare, nil, "cgroupfs on "+mode, path, map[string]string{"v2": "cgroup2 is mounted at /sys/fs/cgroup",
		"v1": "v1 hierarchies alone", "hybrid": "v1 hierarchies are mounted, and cgroup2"}[mode])
}

func TestPlanTellsThatSystemdManagesTheCgroup(t *testing.T) {
	onlyTare(t, "plan")
	b := newScope(t, args("/bin/true"))
	b.global = nil
	b.wantChoice(b.tare, []string{"--systemd-cgroup"}, "systemd on ", "/system.slice/"+b.unit(), "systemd is asked for")
}

func TestPlanTellsThatThereIsNoCgroup(t *testing.T) {
	onlyTare(t, "plan")
	b := newBundle(t, args("/bin/true"))
	b.wantChoice(b.tare, []string{"--cgroup-manager", "disabled"}, "disabled: the caller wants none")
}

func TestPlanTellsWhyARootlessContainerHasNoCgroup(t *testing.T) {
	onlyTare(t, "plan")
	if suite.granted {
		skip(t, "the caller has a delegated cgroup")
	}
	b := newRootless(t, args("/bin/true"))
	mkdirs(t, b.dir+"/xdg")
	b.wantChoice(b.rootless, nil, "disabled: the caller has no permission for one")
}

func TestPlanTellsThatTheCallersCgroupIsDelegated(t *testing.T) {
	onlyTare(t, "plan")
	b := newDelegated(t, args("/bin/true"))
	b.wantChoice(b.tare, nil, "cgroupfs on v2", b.spec.Linux.CgroupsPath, "where the caller may make cgroups")
}
