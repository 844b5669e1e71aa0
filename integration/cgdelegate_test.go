package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// cgroupMount gives the container its own cgroups to look at, and to change unless there is ro.
func cgroupMount(options ...string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		addNS("cgroup")(s)
		addMount(mnt("/sys/fs/cgroup", "cgroup", "cgroup", append([]string{"nosuid", "noexec", "nodev"}, options...)...))(s)
	}
}

func ownerOf(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Stat(path)
	check(t, err)
	return info.Sys().(*syscall.Stat_t).Uid
}

// delegated are the files that the kernel lists for delegation.
func delegated(t *testing.T) []string {
	t.Helper()
	data, err := os.ReadFile("/sys/kernel/cgroup/delegate")
	if err != nil {
		skip(t, "%v", err)
	}
	return strings.Fields(string(data))
}

func TestDelegatedFilesBelongToTheContainersRoot(t *testing.T) {
	needV2(t)
	b := newBundle(t, userNS, cgroupMount())
	b.hold()
	dir := b.cgroupDir("")
	want := ownerOf(t, fmt.Sprintf("/proc/%d", b.state().Pid))
	if want == 0 {
		t.Fatal("the container's root is the host's")
	}
	listed := map[string]bool{}
	for _, name := range append(delegated(t), "") {
		listed[name] = true
		if path := filepath.Join(dir, name); exists(path) && ownerOf(t, path) != want {
			t.Errorf("%s belongs to %d, want %d", path, ownerOf(t, path), want)
		}
	}
	for _, name := range []string{"memory.max", "pids.max", "cpu.max", "cgroup.type", "cgroup.max.depth", "cgroup.freeze"} {
		if path := filepath.Join(dir, name); !listed[name] && exists(path) && ownerOf(t, path) != 0 {
			t.Errorf("%s belongs to %d: the container could lift its own limit", name, ownerOf(t, path))
		}
	}
}

func TestDelegatedCgroupCanBeUsedInside(t *testing.T) {
	needV2(t)
	b := newBundle(t, userNS, cgroupMount(), sh("cd /sys/fs/cgroup && mkdir a && echo $$ > a/cgroup.procs && cat /proc/self/cgroup && echo +pids > cgroup.subtree_control && echo 7 > a/pids.max && cat a/pids.max"))
	if out := b.run().ok(t).out; out != "0::/a\n7\n" {
		t.Errorf("%q", out)
	}
}

func TestDelegationStopsAtTheContainersOwnLimits(t *testing.T) {
	needV2(t)
	b := newBundle(t, userNS, cgroupMount(), prog("try", "openw:/sys/fs/cgroup/pids.max", "openw:/sys/fs/cgroup/memory.max", "openw:/sys/fs/cgroup/cgroup.procs"),
		resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr[int64](50)} }))
	r := decode[map[string]string](t, b.run().ok(t).out)
	if r["openw:/sys/fs/cgroup/pids.max"] != "EACCES" || r["openw:/sys/fs/cgroup/memory.max"] != "EACCES" || r["openw:/sys/fs/cgroup/cgroup.procs"] != "" {
		t.Errorf("%v", r)
	}
}

func TestReadonlyCgroupMountDelegatesNothing(t *testing.T) {
	needV2(t)
	b := newBundle(t, userNS, cgroupMount("ro"))
	b.hold()
	for _, name := range []string{"", "cgroup.procs", "cgroup.subtree_control"} {
		if uid := ownerOf(t, filepath.Join(b.cgroupDir(""), name)); uid != 0 {
			t.Errorf("%q belongs to %d", name, uid)
		}
	}
}

func TestCgroupBelongsToTheProcessesUser(t *testing.T) {
	needV2(t)
	b := newBundle(t, cgroupMount(), user(1234, 0))
	b.hold()
	if uid := ownerOf(t, b.cgroupDir("")+"/cgroup.procs"); uid != 1234 {
		t.Errorf("cgroup.procs belongs to %d", uid)
	}
}

func TestDelegatedCgroupsAreRemovedWithTheContainer(t *testing.T) {
	needV2(t)
	b := newBundle(t, userNS, cgroupMount(), sh("cd /sys/fs/cgroup && mkdir -p a/b/c d && echo $$ > a/b/c/cgroup.procs && echo ready && exec sleep 1000"))
	b.detach().waitOut(t, "ready")
	b.tare("delete", "--force", b.id).ok(t)
	b.wantNoCgroups()
}

func annotate(key, value string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		if s.Annotations == nil {
			s.Annotations = map[string]string{}
		}
		s.Annotations[key] = value
	}
}

const delegateKey = "run.oci.delegate-cgroup"

func TestDelegateAnnotationPutsInitIntoASubgroup(t *testing.T) {
	needV2(t)
	not(t, "runc", "knows no such annotation")
	b := newBundle(t, cgroupMount(), annotate(delegateKey, "own/program"))
	b.hold()
	if got := cgroupOf(t, b.state().Pid, ""); !strings.HasSuffix(got, b.id+"/own/program") {
		t.Errorf("init is in %s", got)
	}
	if got := b.exec("/bin/cat", "/proc/self/cgroup").ok(t).out; got != "0::/own/program\n" {
		t.Errorf("the program sees itself in %q", got)
	}
	if got := readFile(t, b.cgroupDir("")+"/cgroup.procs"); got != "" {
		t.Errorf("in the container's cgroup are %q", got)
	}
}

func TestDelegateAnnotationGivesTheSubgroupControllersAndItsOwner(t *testing.T) {
	needV2(t)
	onlyTare(t, "controllers from the start")
	b := newBundle(t, userNS, cgroupMount(), annotate(delegateKey, "own"))
	b.hold()
	dir := b.cgroupDir("") + "/own"
	if got, want := readFile(t, dir+"/cgroup.controllers"), readFile(t, b.cgroupDir("")+"/cgroup.controllers"); got != want {
		t.Errorf("controllers %q, the container has %q", got, want)
	}
	if got, want := ownerOf(t, dir+"/cgroup.procs"), ownerOf(t, fmt.Sprintf("/proc/%d", b.state().Pid)); got != want {
		t.Errorf("belongs to %d, want %d", got, want)
	}
}

func TestDelegateAnnotationKeepsLimitsAboveTheSubgroup(t *testing.T) {
	needV2(t)
	not(t, "runc", "knows no such annotation")
	b := newBundle(t, cgroupMount(), annotate(delegateKey, "own"), resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr[int64](40)} }))
	b.hold()
	b.wantLine(b.cgroupDir(""), "pids.max", "40")
	b.wantLine(b.cgroupDir("")+"/own", "pids.max", "max")
	if r := b.exec("/testprog", "spawn", "60"); r.code == 0 {
		t.Errorf("%v", r)
	}
}

func TestDelegateAnnotationPauseKillAndDelete(t *testing.T) {
	needV2(t)
	not(t, "runc", "knows no such annotation")
	b := newBundle(t, cgroupMount(), annotate(delegateKey, "own"))
	b.hold()
	b.tare("pause", b.id).ok(t)
	b.wantLine(b.cgroupDir("")+"/own", "cgroup.events", "frozen 1")
	b.tare("resume", b.id).ok(t)
	b.tare("kill", "--all", b.id, "KILL").ok(t)
	b.waitStopped()
	b.tare("delete", b.id).ok(t)
	b.wantGone()
}

func TestDelegateAnnotationThatLeavesTheCgroupFails(t *testing.T) {
	not(t, "runc", "knows no such annotation")
	for _, value := range []string{"../other", "a/../../b", "/", "."} {
		t.Run(value, func(t *testing.T) {
			b := newBundle(t, args("/bin/true"), annotate(delegateKey, value))
			b.run().fails(t, delegateKey)
			b.wantGone()
		})
	}
}

func TestDelegateAnnotationNeedsV2(t *testing.T) {
	needV1(t)
	onlyTare(t, "others ignore it")
	b := newBundle(t, args("/bin/true"), annotate(delegateKey, "own"))
	b.run().fails(t, delegateKey, "v2")
	b.wantGone()
}

const forceKey = "run.oci.systemd.force_cgroup_v1"

func TestForcedCgroupV1IsTheNamedHierarchy(t *testing.T) {
	needV2(t)
	not(t, "runc", "knows no such annotation")
	b := newSerial(t, cgroupMount(), annotate(forceKey, "/sys/fs/cgroup")) // every process has a line more in /proc/PID/cgroup
	host := t.TempDir()
	if err := syscall.Mount("cgroup", host, "cgroup", 0, "none,name=systemd,xattr"); err != nil {
		skip(t, "no v1 hierarchy beside v2: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(host, syscall.MNT_DETACH) })
	m := findMount(b.facts().Mounts, "/sys/fs/cgroup/systemd")
	if m.FSType != "cgroup" || !strings.Contains(strings.Join(m.Super, ","), "name=systemd") {
		t.Errorf("%+v", m)
	}
}

func TestForcedCgroupV1WithoutACgroupMountFails(t *testing.T) {
	needV2(t)
	onlyTare(t, "others ignore it")
	b := newBundle(t, args("/bin/true"), annotate(forceKey, "/sys/fs/other"))
	b.run().fails(t, forceKey, "/sys/fs/other")
	b.wantGone()
}

// Threads: see cgroups(7), "Thread mode".

func TestContainerBecomesADomainOfThreads(t *testing.T) {
	needV2(t)
	b := newBundle(t)
	b.hold()
	dir := b.cgroupDir("")
	mkdirs(t, dir+"/threads")
	if err := os.WriteFile(dir+"/threads/cgroup.type", []byte("threaded"), 0); err != nil {
		skip(t, "threaded cgroup: %v", err)
	}
	b.wantLine(dir, "cgroup.type", "domain threaded")
	b.exec("/bin/true").ok(t)
	b.tare("update", "--pids-limit", "50", b.id).ok(t)
	b.tare("pause", b.id).ok(t)
	b.wantStatus("paused")
	b.tare("resume", b.id).ok(t)
	b.tare("kill", "--all", b.id, "KILL").ok(t)
	b.waitStopped()
	b.tare("delete", b.id).ok(t)
	b.wantGone()
}

// busyParent makes a cgroup that has a process and would have to hand controllers on.
func (b *bundle) busyParent() string {
	b.t.Helper()
	pod := suite.prefix + "-" + b.id + "-pod"
	dir := "/sys/fs/cgroup" + pod
	mkdirs(b.t, dir)
	holder := holder(b.t, 0)
	writeFile(b.t, dir+"/cgroup.procs", itoa(holder))
	b.t.Cleanup(func() {
		b.tare("delete", "--force", b.id)
		b.live = false
		syscall.Kill(holder, syscall.SIGKILL)
		for end := time.Now().Add(5 * time.Second); os.Remove(dir) != nil && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
	})
	b.spec.Linux.CgroupsPath = pod + "/" + b.id
	return dir
}

func TestParentWithProcessesRefusesAMemoryLimit(t *testing.T) {
	needV2(t)
	b := newBundle(t, args("/bin/true"), resources(memory(specs.LinuxMemory{Limit: ptr[int64](64 << 20)})))
	b.busyParent()
	b.run().fails(t, "linux.resources.memory")
	b.wantStatusGone()
}

func (b *bundle) wantStatusGone() {
	b.t.Helper()
	b.tare("state", b.id).fails(b.t, "does not exist")
	if exists(b.cgroupDir("")) {
		b.t.Errorf("%s is left", b.cgroupDir(""))
	}
}

func TestParentWithProcessesTakesALimitOfThreads(t *testing.T) {
	needV2(t)
	onlyTare(t, "others refuse")
	b := newBundle(t, resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr[int64](60)} }))
	dir := b.busyParent()
	b.hold()
	b.wantLine(b.cgroupDir(""), "pids.max", "60")
	b.wantLine(b.cgroupDir(""), "cgroup.type", "threaded")
	b.wantLine(dir, "cgroup.type", "domain threaded")
}

func TestParentWithProcessesTakesAContainerWithoutLimits(t *testing.T) {
	needV2(t)
	b := newBundle(t)
	b.busyParent()
	b.hold()
	b.exec("/bin/true").ok(t)
}
