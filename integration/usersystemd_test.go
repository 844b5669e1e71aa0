package integration

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// newSystemd makes a case of a plain caller whose cgroup the caller's own systemd manages.
func newSystemd(t *testing.T, edits ...func(*specs.Spec)) *bundle {
	t.Helper()
	needPlainCaller(t)
	if systemctl("is-active", "--quiet", "basic.target") != "" {
		skip(t, "no systemd user session")
	}
	b := newBundle(t, unitPath)
	b.global = append(b.global, "--systemd-cgroup")
	b.edit(edits...)
	return b
}

// unitPath asks for the unit tare-ID.scope in the default slice.
func unitPath(s *specs.Spec) {
	s.Linux.CgroupsPath = ":tare:" + filepath.Base(s.Linux.CgroupsPath)
}

// systemctl asks the caller's systemd; what it prints when it fails is part of the answer.
func systemctl(args ...string) string {
	if suite.plain {
		args = append([]string{"--user"}, args...)
	}
	out, err := exec.Command("systemctl", args...).CombinedOutput()
	if err != nil && len(out) == 0 {
		return err.Error()
	}
	return strings.TrimSpace(string(out))
}

// property is one property of the case's unit.
func (b *bundle) property(name string) string {
	return systemctl("show", b.unit(), "--property", name, "--value")
}

// unitFile reads a control file of the container's cgroup, wherever systemd put it.
func (b *bundle) unitFile(controller, v1, v2 string) string {
	b.t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(readFile(b.t, "/proc/"+itoa(b.state().Pid)+"/cgroup")), "\n") {
		f := strings.SplitN(line, ":", 3)
		switch {
		case layout == cgroup2:
			return strings.TrimSpace(readFile(b.t, filepath.Join("/sys/fs/cgroup", f[2], v2)))
		case strings.Contains(","+f[1]+",", ","+controller+","):
			return strings.TrimSpace(readFile(b.t, filepath.Join("/sys/fs/cgroup", controller, f[2], v1)))
		}
	}
	b.t.Fatalf("the container has no cgroup for %s", controller)
	return ""
}

func TestUserSystemdScopeHoldsTheContainer(t *testing.T) {
	b := newSystemd(t)
	b.hold()
	for name, want := range map[string]string{"ActiveState": "active", "SubState": "running", "Delegate": "yes"} {
		if got := b.property(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	group := b.property("ControlGroup")
	if !holds("/proc/"+itoa(b.state().Pid)+"/cgroup", ":"+group+"\n") || !strings.HasSuffix(group, "/"+b.unit()) {
		t.Errorf("init is not in %q", group)
	}
	b.tare("delete", "-f", b.id).ok(t)
	b.wantNoUnit()
}

// wantNoUnit ends the case unless systemd has forgotten the unit.
func (b *bundle) wantNoUnit() {
	b.t.Helper()
	waitFor(b.t, "systemd to forget the unit", func() bool { return b.property("LoadState") == "not-found" })
}

func TestUserSystemdUnitIsNamedAfterTheIDWithoutCgroupsPath(t *testing.T) {
	b := newSystemd(t, func(s *specs.Spec) { s.Linux.CgroupsPath = "" })
	b.hold()
	if got := b.property("ActiveState"); got != "active" {
		t.Errorf("%s is %s", b.unit(), got)
	}
}

func TestUserSystemdSliceOfCgroupsPathIsMadeAndExpanded(t *testing.T) {
	b := newSystemd(t)
	b.spec.Linux.CgroupsPath = "tareit-a" + strings.ReplaceAll(b.id, "-", "x") + ".slice:tare:" + b.id
	b.hold()
	slice, _, _ := strings.Cut(b.spec.Linux.CgroupsPath, ":")
	if got := b.property("Slice"); got != slice {
		t.Errorf("slice %q", got)
	}
	if got := b.property("ControlGroup"); !strings.HasSuffix(got, "/tareit.slice/"+slice+"/"+b.unit()) {
		t.Errorf("%s", got)
	}
	b.tare("delete", "-f", b.id).ok(t)
	systemctl("stop", slice, "tareit.slice")
}

// unitLimit is a limit, the property that it must become on v2, and the file that it must reach.
type unitLimit struct {
	controller, v1, v2 string
	set                func(*specs.LinuxResources)
	property, says     string // on cgroup v2
	want1, want2       string
}

func unitLimits() map[string]unitLimit {
	return map[string]unitLimit{
		"memory limit": {"memory", "memory.limit_in_bytes", "memory.max", memory(specs.LinuxMemory{Limit: ptr(int64(64 << 20))}), "MemoryMax", "67108864", "67108864", "67108864"},
		"reservation":  {"memory", "memory.soft_limit_in_bytes", "memory.low", memory(specs.LinuxMemory{Reservation: ptr(int64(32 << 20))}), "MemoryLow", "33554432", "33554432", "33554432"},
		"pids limit":   {"pids", "pids.max", "pids.max", func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(77))} }, "TasksMax", "77", "77", "77"},
		"cpu shares":   {"cpu", "cpu.shares", "cpu.weight", cpu(specs.LinuxCPU{Shares: ptr(uint64(512))}), "CPUWeight", "59", "512", "59"},
		"cpu quota":    {"cpu", "cpu.cfs_quota_us", "cpu.max", cpu(specs.LinuxCPU{Quota: ptr(int64(50000)), Period: ptr(uint64(100000))}), "CPUQuotaPerSecUSec", "500ms", "50000", "50000 100000"},
		"cpuset":       {"cpuset", "cpuset.cpus", "cpuset.cpus", cpu(specs.LinuxCPU{Cpus: "0"}), "AllowedCPUs", "0", "0", "0"},
		"unified":      {"pids", "", "pids.max", func(r *specs.LinuxResources) { r.Unified = map[string]string{"pids.max": "88"} }, "TasksMax", "88", "", "88"},
	}
}

func TestUserSystemdLimitIsAPropertyAndInTheFile(t *testing.T) {
	for name, row := range unitLimits() {
		t.Run(name, func(t *testing.T) {
			needController(t, row.controller)
			if layout == cgroup1 && row.v1 == "" {
				skip(t, "cgroup v1 has no such file")
			}
			b := newSystemd(t, resources(row.set))
			b.hold()
			want := map[cgroupLayout]string{cgroup1: row.want1, cgroup2: row.want2}[layout]
			if got := b.unitFile(row.controller, row.v1, row.v2); got != want {
				t.Errorf("file: %q, want %q", got, want)
			}
			if got := b.property(row.property); layout == cgroup2 && got != row.says {
				t.Errorf("%s: %q, want %q", row.property, got, row.says)
			}
		})
	}
}

func TestUserSystemdReloadKeepsTheLimits(t *testing.T) {
	needController(t, "memory")
	b := newSystemd(t, resources(memory(specs.LinuxMemory{Limit: ptr(int64(64 << 20))})))
	b.hold()
	systemctl("daemon-reload")
	if got := b.unitFile("memory", "memory.limit_in_bytes", "memory.max"); got != "67108864" {
		t.Errorf("after the reload: %s", got)
	}
}

func TestUserSystemdUpdateChangesPropertyAndFile(t *testing.T) {
	needController(t, "pids")
	b := newSystemd(t)
	b.hold()
	b.tare("update", "--pids-limit", "66", b.id).ok(t)
	if got := b.property("TasksMax"); got != "66" {
		t.Errorf("TasksMax %s", got)
	}
	if got := b.unitFile("pids", "pids.max", "pids.max"); got != "66" {
		t.Errorf("pids.max %s", got)
	}
}

func TestUserSystemdUpdateThatFailsRestoresTheOldValues(t *testing.T) {
	needController(t, "pids")
	b := newSystemd(t, resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(99))} }))
	b.hold()
	b.tare("update", "--resources", b.hostFile("r.json", `{"pids":{"limit":50},"cpu":{"cpus":"9999"}}`), b.id).fails(t)
	if got := b.unitFile("pids", "pids.max", "pids.max"); got != "99" {
		t.Errorf("pids.max %s", got)
	}
}

func TestUserSystemdPropertyAnnotationIsSet(t *testing.T) {
	b := newSystemd(t, func(s *specs.Spec) {
		s.Annotations = map[string]string{"org.systemd.property.TimeoutStopUSec": "uint64 7000000", "org.systemd.property.CollectMode": "'inactive-or-failed'"}
	})
	b.hold()
	if got := b.property("TimeoutStopUSec"); got != "7s" {
		t.Errorf("TimeoutStopUSec %q", got)
	}
	if got := b.property("CollectMode"); got != "inactive-or-failed" {
		t.Errorf("CollectMode %q", got)
	}
}

func TestUserSystemdBadAnnotationFails(t *testing.T) {
	for name, row := range map[string][2]string{
		"not a variant":   {"org.systemd.property.TimeoutStopUSec", "seven"},
		"no such name":    {"org.systemd.property.NoSuchThing", "uint64 7"},
		"of another type": {"org.systemd.property.TimeoutStopUSec", "'text'"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newSystemd(t, func(s *specs.Spec) { s.Annotations = map[string]string{row[0]: row[1]} })
			b.run().fails(t)
			b.wantGone()
			b.wantNoUnit()
		})
	}
}

func TestUserSystemdExecJoinsTheScope(t *testing.T) {
	b := newSystemd(t)
	b.hold()
	r := b.execWith([]string{"-d", "--pid-file", b.dir + "/pid"}, "/testprog", "hold").ok(t)
	r.waitOut(t, "ready")
	if !holds("/proc/"+readFile(t, b.dir+"/pid")+"/cgroup", ":"+b.property("ControlGroup")+"\n") {
		t.Errorf("exec is in %s", readFile(t, "/proc/"+readFile(t, b.dir+"/pid")+"/cgroup"))
	}
}

func TestUserSystemdPauseAndResume(t *testing.T) {
	needController(t, "freezer")
	b := newSystemd(t)
	b.hold()
	b.tare("pause", b.id).ok(t)
	b.wantStatus("paused")
	b.tare("resume", b.id).ok(t)
	b.wantStatus(specs.StateRunning)
	b.exec("/bin/true").ok(t)
}

func TestUserSystemdEventsStats(t *testing.T) {
	needController(t, "memory")
	b := newSystemd(t)
	b.hold()
	var ev struct {
		Data struct {
			Memory struct{ Usage struct{ Usage uint64 } }
			Pids   struct{ Current uint64 }
		}
	}
	check(t, json.Unmarshal([]byte(b.tare("events", "--stats", b.id).ok(t).out), &ev))
	if ev.Data.Memory.Usage.Usage == 0 || ev.Data.Pids.Current == 0 {
		t.Errorf("%+v", ev)
	}
}

func TestUserSystemdStopEndsTheContainer(t *testing.T) {
	b := newSystemd(t, func(s *specs.Spec) { s.Annotations = map[string]string{"org.systemd.property.TimeoutStopSec": "1"} })
	b.hold()
	systemctl("stop", b.unit())
	b.waitStopped()
	b.tare("delete", b.id).ok(t)
	b.wantNoUnit()
}

func TestUserSystemdForegroundRunLeavesNoUnit(t *testing.T) {
	b := newSystemd(t, sh("exit 7"))
	b.run().status(t, 7)
	b.wantNoUnit()
}

func TestUserSystemdUnitInUseIsRefused(t *testing.T) {
	b := newSystemd(t)
	b.hold()
	second := newSerial(t, args("/bin/true"))
	second.global = b.global
	second.spec.Linux.CgroupsPath = b.spec.Linux.CgroupsPath
	second.run().fails(t, "is not empty")
	b.wantStatus(specs.StateRunning)
	if got := b.property("ActiveState"); got != "active" {
		t.Errorf("the unit in use is %s", got)
	}
}

func TestUserSystemdCgroupsPathThatIsNoUnitFails(t *testing.T) {
	for name, path := range map[string]string{"a path": "/tare/x", "one colon": "a.slice:b", "not a slice": "a.service:tare:b", "dashes": "a--b.slice:tare:b"} {
		t.Run(name, func(t *testing.T) {
			b := newSystemd(t, func(s *specs.Spec) { s.Linux.CgroupsPath = path })
			b.run().fails(t, "linux.cgroupsPath")
			b.wantGone()
		})
	}
}

func TestUserSystemdFailedCreateLeavesNoUnit(t *testing.T) {
	b := newSystemd(t, args("/no/such/program"))
	b.run().fails(t, "/no/such/program")
	b.wantGone()
	b.wantNoUnit()
}

func TestUserSystemdKillAllEndsEveryProcess(t *testing.T) {
	b := newSystemd(t)
	b.hold("children=3")
	b.tare("kill", "--all", b.id, "KILL").ok(t)
	b.waitStopped()
	b.tare("delete", b.id).ok(t)
	b.wantNoUnit()
}
