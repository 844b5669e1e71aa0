package integration

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// oomEvent is what events prints when memory has run out.
type oomEvent struct {
	Type, ID string
	Data     struct {
		Kills, Limit  uint64
		Level, Cgroup string
	}
}

// memoryOnly limits memory, swap included, so that the limit is one of what a program can have.
func memoryOnly(limit int64) func(*specs.Spec) {
	return resources(memory(specs.LinuxMemory{Limit: ptr(limit), Swap: ptr(limit)}))
}

// warnings makes the runtime print its warnings without a terminal.
func (b *bundle) warnings() *bundle {
	b.global = []string{"--log-level", "warning"}
	return b
}

// setMemory limits the cgroup, swap included.
func (b *bundle) setMemory(dir, limit string) {
	b.t.Helper()
	if layout == cgroup2 {
		writeFile(b.t, dir+"/memory.max", limit)
		if exists(dir + "/memory.swap.max") {
			writeFile(b.t, dir+"/memory.swap.max", "0")
		}
		return
	}
	writeFile(b.t, dir+"/memory.limit_in_bytes", limit)
	if exists(dir + "/memory.memsw.limit_in_bytes") {
		writeFile(b.t, dir+"/memory.memsw.limit_in_bytes", limit)
	}
}

// inPod moves the container's cgroup one level down, runs it, and returns the directory above it that the
// memory controller has. The case's cleanup removes that level.
func (b *bundle) inPod() string {
	b.t.Helper()
	pod := suite.prefix + "/" + b.id + "-pod"
	b.spec.Linux.CgroupsPath = pod + "/" + b.id
	b.t.Cleanup(func() {
		b.tare("delete", "--force", b.id)
		b.live = false
		for _, mount := range cgroupMounts() {
			os.Remove(filepath.Join(mount, pod))
		}
	})
	b.hold()
	return filepath.Dir(b.cgroupDir("memory"))
}

func TestRunNamesTheOwnLimitThatKilledTheProgram(t *testing.T) {
	needController(t, "memory")
	onlyTare(t, "no other tells")
	b := newBundle(t, prog("alloc", "200"), memoryOnly(50<<20))
	b.warnings()
	r := b.run().status(t, 137)
	if !strings.Contains(r.err, "want of memory") || !strings.Contains(r.err, "limit of its own cgroup, 52428800 bytes") {
		t.Errorf("%v", r)
	}
}

func TestExecNamesTheOwnLimitThatKilledTheProcess(t *testing.T) {
	needController(t, "memory")
	onlyTare(t, "no other tells")
	b := newBundle(t, memoryOnly(50<<20))
	b.warnings().hold()
	for range 2 { // what the first counted must not confuse the second
		if r := b.exec("/testprog", "alloc", "200").status(t, 137); !strings.Contains(r.err, "killed 1 process(es)") ||
			!strings.Contains(r.err, "limit of its own cgroup, 52428800 bytes") {
			t.Errorf("%v", r)
		}
	}
}

func TestExecNamesTheParentWhoseLimitKilledTheProcess(t *testing.T) {
	needController(t, "memory")
	onlyTare(t, "no other tells")
	b := newBundle(t, memoryOnly(500<<20))
	pod := b.warnings().inPod()
	b.setMemory(pod, "62914560")
	r := b.exec("/testprog", "alloc", "200").status(t, 137)
	if want := `limit of cgroup "` + suite.prefix + "/" + b.id + `-pod" above it, 62914560 bytes`; !strings.Contains(strings.ReplaceAll(r.err, `\"`, `"`), want) {
		t.Errorf("lacks %q: %v", want, r)
	}
}

func TestExecTellsTheLimitOfACgroupBelow(t *testing.T) {
	needController(t, "memory")
	onlyTare(t, "no other tells")
	b := newBundle(t)
	b.warnings().hold()
	dir := b.cgroupDir("memory")
	flags := []string{"--cgroup", "memory:sub"}
	if layout == cgroup2 {
		flags[1] = "/sub"
		mkdirs(t, dir+"/leaf") // processes may only be in leaves once controllers are given away
		writeFile(t, dir+"/leaf/cgroup.procs", itoa(b.state().Pid))
		writeFile(t, dir+"/cgroup.subtree_control", "+memory")
	}
	mkdirs(t, dir+"/sub")
	b.setMemory(dir+"/sub", "62914560")
	if r := b.execWith(flags, "/testprog", "alloc", "200").status(t, 137); !strings.Contains(r.err, " below its own") {
		t.Errorf("%v", r)
	}
}

func TestASigkillIsNotTakenForAnOOM(t *testing.T) {
	b := newBundle(t, sh("kill -KILL $$"), memoryOnly(500<<20))
	b.warnings().hold()
	if r := b.exec("/bin/sh", "-c", "kill -KILL $$").status(t, 137); strings.Contains(r.err, "memory") {
		t.Errorf("%v", r)
	}
}

func TestCreateThatRunsOutOfMemorySaysWhoseLimit(t *testing.T) {
	needController(t, "memory")
	onlyTare(t, "no other tells")
	b := newBundle(t, args("/bin/true"), resources(memory(specs.LinuxMemory{Limit: ptr(int64(4096))})))
	b.run().fails(t, "OOM-killed (memory limit too low?)", "limit of its own cgroup, 4096 bytes")
	b.wantGone()
}

// oomOf runs events beside a process that runs out of memory, and returns the first oom record.
func (b *bundle) oomOf() oomEvent {
	b.t.Helper()
	c := b.begin(b.cmd("events", "--interval", "100ms", b.id))
	waitFor(b.t, "the first stats", func() bool { return strings.Contains(c.text(), `"stats"`) })
	b.exec("/testprog", "alloc", "200").status(b.t, 137)
	waitFor(b.t, "the oom event", func() bool { return strings.Contains(c.text(), `"oom"`) })
	b.tare("delete", "--force", b.id).ok(b.t)
	for _, line := range strings.Split(c.end(b.t).ok(b.t).out, "\n") {
		if strings.Contains(line, `"oom"`) {
			return decode[oomEvent](b.t, line)
		}
	}
	b.t.Fatal("no oom record")
	return oomEvent{}
}

func TestEventsTellTheOwnLimit(t *testing.T) {
	needController(t, "memory")
	onlyTare(t, "no other tells")
	b := newBundle(t, memoryOnly(50<<20))
	b.hold()
	if e := b.oomOf(); e.ID != b.id || e.Data.Level != "own" || e.Data.Limit != 50<<20 || e.Data.Cgroup != b.spec.Linux.CgroupsPath {
		t.Errorf("%+v", e)
	}
}

func TestEventsTellTheLimitOfAParent(t *testing.T) {
	needController(t, "memory")
	onlyTare(t, "no other tells")
	b := newBundle(t, memoryOnly(500<<20))
	b.setMemory(b.inPod(), "62914560")
	if e := b.oomOf(); e.Data.Level != "ancestor" || e.Data.Limit != 60<<20 || !strings.HasSuffix(e.Data.Cgroup, "-pod") {
		t.Errorf("%+v", e)
	}
}
