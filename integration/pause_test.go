package integration

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestPauseStopsAndResumeContinuesTheProcess(t *testing.T) {
	needController(t, "freezer")
	b := newBundle(t, sh("i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done"))
	r := b.detach()
	r.waitOut(t, "3\n")
	b.tare("pause", b.id).ok(t)
	b.wantStatus("paused")
	before := r.output(t)
	time.Sleep(100 * time.Millisecond) // not a wait for anything: time in which nothing must happen
	if after := r.output(t); after != before {
		t.Errorf("went on while paused: %q", after[len(before):])
	}
	b.tare("resume", b.id).ok(t)
	b.wantStatus(specs.StateRunning)
	waitFor(t, "progress", func() bool { return len(r.output(t)) > len(before) })
}

func TestPauseInTheWrongStateFails(t *testing.T) {
	needController(t, "freezer")
	for name, row := range map[string]struct {
		to   func(*bundle)
		line string
		says string
	}{
		"pause a paused one":   {func(b *bundle) { b.hold(); b.tare("pause", b.id).ok(b.t) }, "pause", ""},
		"resume a running one": {func(b *bundle) { b.hold() }, "resume", "container not paused"},
		"resume a created one": {func(b *bundle) { b.edit(prog("hold")); b.create() }, "resume", "container not paused"},
		"pause a stopped one":  {func(b *bundle) { b.edit(args("/bin/true")); b.detach(); b.waitStopped() }, "pause", ""},
		"resume a stopped one": {func(b *bundle) { b.edit(args("/bin/true")); b.detach(); b.waitStopped() }, "resume", ""},
		"start a paused one":   {func(b *bundle) { b.hold(); b.tare("pause", b.id).ok(b.t) }, "start", "in the paused state"},
		"delete a paused one":  {func(b *bundle) { b.hold(); b.tare("pause", b.id).ok(b.t) }, "delete", "paused"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t)
			row.to(b)
			before := b.state().Status
			b.tare(row.line, b.id).fails(t, row.says)
			b.wantStatus(before)
		})
	}
}

func TestPauseOfACreatedContainer(t *testing.T) {
	needController(t, "freezer")
	b := newBundle(t, prog("hold"))
	b.create()
	b.tare("pause", b.id).ok(t)
	b.wantStatus("paused")
	b.tare("resume", b.id).ok(t)
	b.wantStatus(specs.StateCreated)
	b.start().ok(t)
}

func TestPsJSONListsAllHostPids(t *testing.T) {
	b := newBundle(t)
	b.hold("children=2")
	var got []int
	check(t, json.Unmarshal([]byte(b.tare("ps", "--format", "json", b.id).ok(t).out), &got))
	want := b.pids()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || len(got) != 3 {
		t.Errorf("%v, cgroup has %v", got, want)
	}
}

func TestPsJSONListsSubgroups(t *testing.T) {
	b := newBundle(t)
	b.hold("children=1")
	dir := b.cgroupDir("pids") + "/sub"
	mkdirs(t, dir, b.cgroupDir("devices")+"/sub")
	init := b.state().Pid
	for _, pid := range b.pids() {
		if pid != init {
			writeFile(t, dir+"/cgroup.procs", itoa(pid))
			writeFile(t, b.cgroupDir("devices")+"/sub/cgroup.procs", itoa(pid))
		}
	}
	var got []int
	check(t, json.Unmarshal([]byte(b.tare("ps", "-f", "json", b.id).ok(t).out), &got))
	if len(got) != 2 {
		t.Errorf("%v", got)
	}
}

func TestPsTableHasAPidColumnAndOnlyTheContainersProcesses(t *testing.T) {
	b := newBundle(t)
	b.hold("children=1")
	lines := strings.Split(strings.TrimSpace(b.tare("ps", b.id).ok(t).out), "\n")
	if len(lines) != 3 || !strings.Contains(lines[0], "PID") {
		t.Errorf("%q", lines)
	}
}

func TestPsTablePassesItsArgumentsToPs(t *testing.T) {
	b := newBundle(t)
	b.hold()
	out := b.tare("ps", b.id, "-e", "-o", "pid,comm").ok(t).out
	if !strings.Contains(out, "COMMAND") || !strings.Contains(out, "testprog") {
		t.Errorf("%q", out)
	}
}

func TestPsUnknownFormatFails(t *testing.T) {
	b := newBundle(t)
	b.hold()
	b.tare("ps", "--format", "xml", b.id).fails(t, "format")
}

func TestUpdateChangesALimit(t *testing.T) {
	needController(t, "pids")
	b := newBundle(t)
	b.hold()
	b.tare("update", "--pids-limit", "66", "--cpu-share", "600", b.id).ok(t)
	if got := b.cgroupFile("pids", "pids.max", "pids.max"); got != "66" {
		t.Errorf("pids.max %s", got)
	}
	if got, want := b.cgroupFile("cpu", "cpu.shares", "cpu.weight"), map[cgroupLayout]string{cgroup1: "600", cgroup2: "66"}[layout]; got != want {
		t.Errorf("cpu %s, want %s", got, want)
	}
}

func TestUpdateMemoryTakesSuffixes(t *testing.T) {
	needController(t, "memory")
	b := newBundle(t)
	b.hold()
	b.tare("update", "--memory", "96m", b.id).ok(t)
	if got := b.cgroupFile("memory", "memory.limit_in_bytes", "memory.max"); got != "100663296" {
		t.Errorf("%s", got)
	}
}

func TestUpdateFromStdin(t *testing.T) {
	needController(t, "pids")
	b := newBundle(t)
	b.hold()
	cmd := b.cmd("update", "--resources", "-", b.id)
	cmd.Stdin = strings.NewReader(`{"pids":{"limit":88}}`)
	b.do(cmd).ok(t)
	if got := b.cgroupFile("pids", "pids.max", "pids.max"); got != "88" {
		t.Errorf("pids.max %s", got)
	}
}

func TestUpdateFromFileLeavesAbsentFieldsAlone(t *testing.T) {
	needController(t, "pids")
	b := newBundle(t, resources(func(r *specs.LinuxResources) {
		r.Pids = &specs.LinuxPids{Limit: ptr(int64(99))}
		r.CPU = &specs.LinuxCPU{Quota: ptr(int64(30000)), Period: ptr(uint64(100000))}
	}))
	b.hold()
	b.tare("update", "-r", b.hostFile("r.json", `{"cpu":{"quota":40000}}`), b.id).ok(t)
	if got := b.cgroupFile("pids", "pids.max", "pids.max"); got != "99" {
		t.Errorf("pids.max %s", got)
	}
	if got, want := b.cgroupFile("cpu", "cpu.cfs_quota_us", "cpu.max"), map[cgroupLayout]string{cgroup1: "40000", cgroup2: "40000 100000"}[layout]; got != want {
		t.Errorf("quota %s", got)
	}
}

func TestUpdateThatFailsRestoresTheOldValues(t *testing.T) {
	needController(t, "pids")
	b := newBundle(t, resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(99))} }))
	b.hold()
	b.tare("update", "--resources", b.hostFile("r.json", `{"pids":{"limit":50},"cpu":{"cpus":"9999"}}`), b.id).fails(t)
	if got := b.cgroupFile("pids", "pids.max", "pids.max"); got != "99" {
		t.Errorf("pids.max %s", got)
	}
}

func TestUpdateOfAStoppedContainerFails(t *testing.T) {
	not(t, "runc", "1.1 tries")
	b := newBundle(t, args("/bin/true"))
	b.detach()
	b.waitStopped()
	b.tare("update", "--pids-limit", "5", b.id).fails(t)
}

func TestUpdateOfABadValueFails(t *testing.T) {
	b := newBundle(t)
	b.hold()
	b.tare("update", "--memory", "12q", b.id).fails(t, "12q")
}

func TestUpdateKeepsTheDeviceRules(t *testing.T) {
	needController(t, "devices")
	b := newBundle(t, device("/dev/kmsgx", "c", 1, 11))
	b.hold()
	b.tare("update", "--pids-limit", "100", b.id).ok(t)
	r := decode[map[string]string](t, b.exec("/testprog", "try", "openw:/dev/kmsgx", "write:/dev/null:x").ok(t).out)
	if r["openw:/dev/kmsgx"] != "EPERM" || r["write:/dev/null:x"] != "" {
		t.Errorf("%v", r)
	}
}

func TestEventsStatsPrintsOneObject(t *testing.T) {
	b := newBundle(t)
	b.hold()
	out := b.tare("events", "--stats", b.id).ok(t).out
	var ev struct {
		Type, ID string
		Data     struct {
			CPU    struct{ Usage struct{ Total uint64 } }
			Memory struct{ Usage struct{ Usage uint64 } }
			Pids   struct{ Current uint64 }
		}
	}
	check(t, json.Unmarshal([]byte(out), &ev))
	if ev.Type != "stats" || ev.ID != b.id || ev.Data.CPU.Usage.Total == 0 || ev.Data.Memory.Usage.Usage == 0 || ev.Data.Pids.Current == 0 {
		t.Errorf("%s", out)
	}
	if !strings.Contains(out, `"hugetlb":{`) {
		t.Errorf("hugetlb is no object: %s", out)
	}
}

func TestEventsIntervalMustBePositive(t *testing.T) {
	b := newBundle(t)
	b.hold()
	b.tare("events", "--interval", "0s", b.id).fails(t, "interval")
}

func TestEventsOfAStoppedContainerFails(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.detach()
	b.waitStopped()
	b.tare("events", "--stats", b.id).fails(t, "container with id "+b.id+" is not running")
}

func TestEventsReportsOOM(t *testing.T) {
	needController(t, "memory")
	b := newBundle(t, resources(memory(specs.LinuxMemory{Limit: ptr(int64(40 << 20)), Swap: ptr(int64(40 << 20))})))
	b.hold()
	c := b.begin(b.cmd("events", "--interval", "100ms", b.id))
	waitFor(t, "the first stats", func() bool { return strings.Contains(c.text(), `"stats"`) })
	b.exec("/testprog", "alloc", "100").status(t, 137)
	waitFor(t, "the oom event", func() bool { return strings.Contains(c.text(), `"oom"`) })
	b.tare("delete", "--force", b.id).ok(t)
	c.end(t).ok(t)
}
