package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// nest makes a cgroup below the container's in every hierarchy, ready for processes, and returns its
// directory in the one named.
func (b *bundle) nest(sub, controller string) string {
	b.t.Helper()
	for _, dir := range cgroupsNamed(b.id) {
		if !strings.HasSuffix(dir, b.spec.Linux.CgroupsPath) {
			continue
		}
		made := dir
		for _, part := range strings.Split(sub, "/") {
			parent := made
			made = filepath.Join(made, part)
			mkdirs(b.t, made)
			for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
				if layout == cgroup1 && exists(made+"/"+file) {
					writeFile(b.t, made+"/"+file, readFile(b.t, parent+"/"+file))
				}
			}
		}
	}
	return filepath.Join(b.cgroupDir(controller), sub)
}

// moveTo puts the process into the sub-cgroup of every hierarchy.
func (b *bundle) moveTo(sub string, pid int) {
	b.t.Helper()
	for _, dir := range cgroupsNamed(b.id) {
		if strings.HasSuffix(dir, b.spec.Linux.CgroupsPath) {
			writeFile(b.t, filepath.Join(dir, sub, "cgroup.procs"), itoa(pid))
		}
	}
}

// others are the container's processes but init.
func (b *bundle) others() []int {
	b.t.Helper()
	init := b.state().Pid
	return slices.DeleteFunc(b.pids(), func(pid int) bool { return pid == init })
}

// cgroupOf is the cgroup of a process in the hierarchy of v1's controller, or v2's.
func cgroupOf(t *testing.T, pid int, controller string) string {
	t.Helper()
	for _, line := range strings.Split(readFile(t, fmt.Sprintf("/proc/%d/cgroup", pid)), "\n") {
		f := strings.SplitN(line, ":", 3)
		if len(f) == 3 && (layout == cgroup2 && f[0] == "0" || layout == cgroup1 && slices.Contains(strings.Split(f[1], ","), controller)) {
			return f[2]
		}
	}
	t.Fatalf("process %d has no cgroup of %s", pid, controller)
	return ""
}

func TestDeleteRemovesADeepTreeOfSubgroups(t *testing.T) {
	b := newBundle(t)
	b.hold()
	for i := range 6 {
		b.nest(fmt.Sprintf("a%d/b/c/d", i), "pids")
	}
	b.tare("delete", "--force", b.id).ok(t)
	b.wantNoCgroups()
}

func TestDeleteForceEndsProcessesInSubgroups(t *testing.T) {
	b := newBundle(t)
	b.hold("children=2")
	b.nest("a/b", "pids")
	pids := b.others()
	b.moveTo("a/b", pids[0])
	b.moveTo("a", pids[1])
	b.tare("delete", "--force", b.id).ok(t)
	b.wantNoCgroups()
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("%d lives", pid)
		}
	}
}

// Without a pid namespace nothing but the cgroup holds the orphans together.
func TestDeleteForceSweepsSubgroupsWithoutPidNamespace(t *testing.T) {
	b := newBundle(t, dropNS("pid"))
	b.hold("children=1")
	b.nest("a/b", "pids")
	orphan := b.others()[0]
	b.moveTo("a/b", orphan)
	b.tare("kill", b.id, "TERM").ok(t)
	b.waitStopped()
	if !alive(orphan) {
		t.Fatal("the orphan ended by itself")
	}
	b.tare("delete", "--force", b.id).ok(t)
	b.wantNoCgroups()
	if alive(orphan) {
		t.Errorf("%d lives", orphan)
	}
}

func TestKillAllReachesSubgroups(t *testing.T) {
	for _, signal := range []string{"KILL", "USR1"} {
		t.Run(signal, func(t *testing.T) {
			b := newBundle(t, sh("/testprog hold & exec /testprog hold"))
			r := b.detach()
			r.waitOut(t, "ready\nready\n")
			b.nest("a/b", "pids")
			pid := b.others()[0]
			b.moveTo("a/b", pid)
			b.tare("kill", "--all", b.id, signal).ok(t)
			if signal == "USR1" {
				r.waitOut(t, "got SIGUSR1\ngot SIGUSR1\n")
				return
			}
			waitFor(t, "the end of all", func() bool { return !alive(pid) })
		})
	}
}

func TestKillAllEndsAPausedContainerWithSubgroups(t *testing.T) {
	b := newBundle(t)
	b.hold("children=1")
	b.nest("a", "pids")
	pid := b.others()[0]
	b.moveTo("a", pid)
	b.tare("pause", b.id).ok(t)
	b.tare("kill", "--all", b.id, "KILL").ok(t)
	waitFor(t, "the end of all", func() bool { return !alive(pid) })
	b.waitStopped()
}

// forks runs a process that never stops to fork, so that a freezer has no quiet moment.
func (b *bundle) forks() {
	b.t.Helper()
	b.edit(sh("echo ready; while :; do (exec true) & (exec true) & wait; done"))
	b.detach().waitOut(b.t, "ready")
}

func TestPauseOfAForkingContainerStopsIt(t *testing.T) {
	b := newBundle(t)
	b.forks()
	for range 3 {
		b.tare("pause", b.id).ok(t)
		b.wantStatus("paused")
		before := b.pids()
		time.Sleep(30 * time.Millisecond) // time in which nothing must happen
		if after := b.pids(); !slices.Equal(after, before) {
			t.Errorf("processes %v, then %v", before, after)
		}
		b.tare("resume", b.id).ok(t)
	}
}

func TestKillAllEndsAForkingContainer(t *testing.T) {
	b := newBundle(t, dropNS("pid"))
	b.forks()
	b.tare("kill", "--all", b.id, "KILL").ok(t)
	waitFor(t, "the end of all", func() bool { return len(b.pids()) == 0 })
}

func TestPauseStopsSubgroupsToo(t *testing.T) {
	b := newBundle(t)
	b.edit(sh("(while :; do echo x; sleep 0.01; done) & echo $!; wait"))
	r := b.detach()
	r.waitOut(t, "x\n")
	b.nest("a/b", "freezer")
	for _, pid := range b.others() {
		if holds(fmt.Sprintf("/proc/%d/comm", pid), "sh\n") { // the loop, not one of its short sleeps
			b.moveTo("a/b", pid)
		}
	}
	b.tare("pause", b.id).ok(t)
	before := r.output(t)
	time.Sleep(60 * time.Millisecond) // time in which nothing must happen
	if after := r.output(t); after != before {
		t.Errorf("went on while paused: %q", after[len(before):])
	}
	b.tare("resume", b.id).ok(t)
	waitFor(t, "progress", func() bool { return len(r.output(t)) > len(before) })
}

// A container that somebody else has frozen from above is paused, whoever did it.
func TestStateOfAContainerBelowAFrozenCgroupIsPaused(t *testing.T) {
	onlyTare(t, "others look at the container's own file")
	b := newBundle(t)
	pod := b.inPod()
	file, on, off := filepath.Join("/sys/fs/cgroup/freezer", strings.TrimPrefix(pod, "/sys/fs/cgroup/memory"), "freezer.state"), "FROZEN", "THAWED"
	if layout == cgroup2 {
		file, on, off = pod+"/cgroup.freeze", "1", "0"
	} else if beside := filepath.Join("/sys/fs/cgroup/unified", strings.TrimPrefix(pod, "/sys/fs/cgroup/memory"), "cgroup.freeze"); exists(beside) {
		file, on, off = beside, "1", "0"
	}
	writeFile(t, file, on)
	waitFor(t, "the freeze", func() bool { return b.state().Status == "paused" })
	b.exec("/bin/true").failsWith(t, execFailure(), "paused")
	writeFile(t, file, off)
	waitFor(t, "the thaw", func() bool { return b.state().Status == specs.StateRunning })
}

func TestCreateBelowAFrozenCgroupFails(t *testing.T) {
	onlyTare(t, "others hang or start frozen")
	b := newBundle(t)
	pod := suite.prefix + "/" + b.id + "-pod"
	mount, file, on := "/sys/fs/cgroup/freezer", "freezer.state", "FROZEN"
	if layout == cgroup2 {
		mount, file, on = "/sys/fs/cgroup", "cgroup.freeze", "1"
	}
	dir := filepath.Join(mount, pod)
	mkdirs(t, dir+"/"+b.id) // it exists: a new one is the caller's doing
	t.Cleanup(func() {
		os.Remove(dir + "/" + b.id)
		os.Remove(dir)
	})
	writeFile(t, dir+"/"+file, on)
	b.spec.Linux.CgroupsPath = pod + "/" + b.id
	b.edit(args("/bin/true"))
	b.run().fails(t, "container's cgroup unexpectedly frozen")
	if !exists(dir + "/" + b.id) {
		t.Error("a cgroup that existed before was removed")
	}
}

func TestAnEmptyCgroupThatExistsIsTakenOver(t *testing.T) {
	b := newBundle(t)
	dir := b.cgroupDir("pids")
	mkdirs(t, dir)
	writeFile(t, dir+"/pids.max", "17")
	b.hold()
	b.wantLine(dir, "pids.max", "17") // what the container does not ask for stays
}

func TestAFailedCreateKeepsTheCgroupThatExisted(t *testing.T) {
	onlyTare(t, "others remove it")
	b := newBundle(t, args("/none/such"))
	dir := b.cgroupDir("pids")
	mkdirs(t, dir)
	t.Cleanup(func() { os.Remove(dir) })
	b.run().fails(t, "/none/such")
	if !exists(dir) {
		t.Errorf("%s is gone", dir)
	}
}

func TestAFailedCreateRemovesTheParentsItMade(t *testing.T) {
	b := newBundle(t, args("/none/such"))
	b.spec.Linux.CgroupsPath = suite.prefix + "/" + b.id + "-a/b/" + b.id
	b.run().fails(t, "/none/such")
	b.wantNoCgroups()
}

func TestTwoContainersShareAParentThatTheFirstMade(t *testing.T) {
	b := newBundle(t)
	pod := b.inPod()
	other := newSerial(t, args("/bin/true"))
	other.spec.Linux.CgroupsPath = filepath.Dir(b.spec.Linux.CgroupsPath) + "/" + other.id
	other.run().ok(t)
	b.exec("/bin/true").ok(t)
	if !exists(pod) {
		t.Error("the parent is gone with the second container")
	}
}

func TestExecFollowsInitIntoItsPresentCgroup(t *testing.T) {
	b := newBundle(t)
	b.hold()
	b.nest("inner", "pids")
	b.moveTo("inner", b.state().Pid)
	r := b.execWith([]string{"-d", "--pid-file", b.dir + "/pid"}, "/bin/sleep", "1000").ok(t)
	_ = r
	pid, err := strconv.Atoi(readFile(t, b.dir+"/pid"))
	check(t, err)
	if got := cgroupOf(t, pid, "pids"); !strings.HasSuffix(got, b.id+"/inner") {
		t.Errorf("%s", got)
	}
}

// systemd moves processes out of v1 cgroups that it has not made when it gives a controller to its units.
func TestExecFollowsInitOutOfACgroupThatIsGone(t *testing.T) {
	needV1(t)
	needController(t, "blkio")
	not(t, "runc", "refuses")
	for name, to := range map[string]string{"to its parent": suite.prefix, "to the root": "/"} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t)
			b.hold()
			own := b.cgroupDir("blkio")
			writeFile(t, filepath.Join("/sys/fs/cgroup/blkio", to, "cgroup.procs"), itoa(b.state().Pid))
			check(t, os.Remove(own))
			b.execWith([]string{"-d", "--pid-file", b.dir + "/pid"}, "/bin/sleep", "1000").ok(t)
			pid, err := strconv.Atoi(readFile(t, b.dir+"/pid"))
			check(t, err)
			if to == "/" { // nothing is limited there, nor where the runtime is
				to = cgroupOf(t, os.Getpid(), "blkio")
			}
			for controller, want := range map[string]string{"blkio": to, "pids": b.spec.Linux.CgroupsPath} {
				if got := cgroupOf(t, pid, controller); got != want {
					t.Errorf("%s: %s, want %s", controller, got, want)
				}
			}
		})
	}
}

func TestExecCgroupOptionTakesAPathForEachHierarchy(t *testing.T) {
	needV1(t)
	b := newBundle(t)
	b.hold()
	b.nest("x", "pids")
	b.nest("y", "pids")
	b.execWith([]string{"-d", "--pid-file", b.dir + "/pid", "--cgroup", "pids:x", "--cgroup", "cpu,memory:y"}, "/bin/sleep", "1000").ok(t)
	pid, err := strconv.Atoi(readFile(t, b.dir+"/pid"))
	check(t, err)
	for controller, want := range map[string]string{"pids": "/x", "cpu": "/y", "memory": "/y", "devices": ""} {
		if got := cgroupOf(t, pid, controller); !strings.HasSuffix(got, b.id+want) {
			t.Errorf("%s: %s", controller, got)
		}
	}
}

func TestExecCgroupOptionTwiceForAHierarchyFails(t *testing.T) {
	needV1(t)
	onlyTare(t, "others take the last")
	b := newBundle(t)
	b.hold()
	b.nest("x", "pids")
	b.execWith([]string{"--cgroup", "pids:x", "--cgroup", "pids:/"}, "/bin/true").failsWith(t, execFailure(), "pids")
}

func TestExecCgroupOptionOfAnUnknownControllerFails(t *testing.T) {
	b := newBundle(t)
	b.hold()
	b.execWith([]string{"--cgroup", "none:/"}, "/bin/true").failsWith(t, execFailure(), "none")
}

func TestExecCgroupOptionSlashIsTheContainersCgroup(t *testing.T) {
	b := newBundle(t)
	b.hold()
	b.nest("inner", "pids")
	b.moveTo("inner", b.state().Pid)
	b.execWith([]string{"-d", "--pid-file", b.dir + "/pid", "--cgroup", "/"}, "/bin/sleep", "1000").ok(t)
	pid, err := strconv.Atoi(readFile(t, b.dir+"/pid"))
	check(t, err)
	if got := cgroupOf(t, pid, "pids"); !strings.HasSuffix(got, "/"+b.id) {
		t.Errorf("%s", got)
	}
}

// The limit of a sub-cgroup holds for what is executed in it, and the container's for both.
func TestExecCgroupOptionComesUnderTheSubgroupsLimit(t *testing.T) {
	b := newBundle(t)
	b.hold()
	dir := b.nest("small", "pids")
	flag := "pids:small"
	if layout == cgroup2 {
		b.nest("leaf", "pids")
		b.moveTo("leaf", b.state().Pid)
		writeFile(t, b.cgroupDir("pids")+"/cgroup.subtree_control", "+pids")
		flag = "small"
	}
	writeFile(t, dir+"/pids.max", "12")
	b.exec("/testprog", "spawn", "30").ok(t)
	if r := b.execWith([]string{"--cgroup", flag}, "/testprog", "spawn", "30"); r.code == 0 {
		t.Errorf("%v", r)
	}
}

func TestStatsCountSubgroups(t *testing.T) {
	b := newBundle(t)
	b.hold("children=2")
	b.nest("a", "pids")
	for _, pid := range b.others() {
		b.moveTo("a", pid)
	}
	ev := decode[struct {
		Data struct{ Pids struct{ Current uint64 } }
	}](t, b.tare("events", "--stats", b.id).ok(t).out)
	if tasks := len(taskDirs(t, b.state().Pid)); ev.Data.Pids.Current < uint64(tasks)+2 {
		t.Errorf("%d tasks, init alone has %d", ev.Data.Pids.Current, tasks)
	}
}

func taskDirs(t *testing.T, pid int) []os.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	check(t, err)
	return entries
}
