package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"tare/integration/report"
)

// needPlainCaller skips the case for root.
func needPlainCaller(t *testing.T) {
	t.Helper()
	if !suite.plain {
		skip(t, "for a plain caller (run as a user, in a delegated scope)")
	}
}

func newDelegated(t *testing.T, edits ...func(*specs.Spec)) *bundle {
	t.Helper()
	needPlainCaller(t)
	needGranted(t)
	return newBundle(t, edits...)
}

func TestPlainUserNamespaceHasEveryRange(t *testing.T) {
	needPlainCaller(t)
	needIDs(t)
	b := newBundle(t)
	f := b.facts()
	want := fmt.Sprint([][3]int64{rangeOf(suite.maps.uid[0]), rangeOf(suite.maps.uid[1])})
	if fmt.Sprint(f.UIDMap) != want || f.Setgroups != "allow" {
		t.Errorf("%v, setgroups %s, want %s", f.UIDMap, f.Setgroups, want)
	}
}

func rangeOf(m specs.LinuxIDMapping) [3]int64 {
	return [3]int64{int64(m.ContainerID), int64(m.HostID), int64(m.Size)}
}

func TestPlainProcessMayBeASubordinateUser(t *testing.T) {
	needPlainCaller(t)
	needIDs(t)
	b := newBundle(t, user(33, 44))
	b.hold()
	st, err := os.Stat("/proc/" + itoa(b.state().Pid))
	check(t, err)
	if got, want := st.Sys().(*syscall.Stat_t).Uid, suite.maps.uid[1].HostID+32; got != want {
		t.Errorf("uid %d on the host, want %d", got, want)
	}
}

func TestPlainRangeOfOthersFails(t *testing.T) {
	needPlainCaller(t)
	needIDs(t)
	b := newBundle(t, func(s *specs.Spec) { s.Linux.UIDMappings[1].HostID -= 1000 })
	b.run().fails(t, "newuidmap")
	b.wantGone()
}

func TestPlainCgroupBelongsToTheCaller(t *testing.T) {
	b := newDelegated(t)
	b.hold()
	for _, file := range []string{"", "cgroup.procs", "cgroup.subtree_control"} {
		info, err := os.Stat(filepath.Join(b.cgroupDir("pids"), file))
		check(t, err)
		if got := info.Sys().(*syscall.Stat_t).Uid; got != suite.user {
			t.Errorf("%q belongs to %d", file, got)
		}
	}
}

func TestPlainContainerMayMakeCgroupsOfItsOwn(t *testing.T) {
	b := newDelegated(t, addMount(mnt("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "rw")))
	b.edit(sh("mkdir /sys/fs/cgroup/sub && echo $$ > /sys/fs/cgroup/sub/cgroup.procs && echo +pids > /sys/fs/cgroup/cgroup.subtree_control && " +
		"echo 9 > /sys/fs/cgroup/sub/pids.max && echo done; sleep 1000"))
	r := b.detach()
	r.waitOut(t, "done\n")
	if got := strings.TrimSpace(readFile(t, b.cgroupDir("pids")+"/sub/pids.max")); got != "9" {
		t.Errorf("%s", got)
	}
	b.exec("/bin/true").ok(t) // though the container's cgroup itself may have no processes now
	b.tare("delete", "-f", b.id).ok(t)
	b.wantNoCgroups()
}

func TestPlainPlaceOutsideOfTheDelegatedFails(t *testing.T) {
	b := newDelegated(t)
	b.spec.Linux.CgroupsPath = "/" + b.id
	b.run().fails(t, "permission")
	b.wantGone()
}

func TestPlainLimitOutsideOfTheDelegatedFails(t *testing.T) {
	b := newDelegated(t, resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr(int64(50))} }))
	b.spec.Linux.CgroupsPath = "/system.slice/" + b.id
	b.run().fails(t, "permission")
	b.wantGone()
}

func TestPlainRelativePlaceIsBesideTheCallersCgroup(t *testing.T) {
	b := newDelegated(t)
	b.spec.Linux.CgroupsPath = b.id
	b.hold()
	want := filepath.Join(filepath.Dir(suite.prefix), b.id)
	if !holds("/proc/"+itoa(b.state().Pid)+"/cgroup", ":"+want+"\n") {
		t.Errorf("%s, want %s", readFile(t, "/proc/"+itoa(b.state().Pid)+"/cgroup"), want)
	}
}

func TestPlainControllerThatIsNotDelegatedIsRefused(t *testing.T) {
	b := newDelegated(t, resources(func(r *specs.LinuxResources) {
		r.HugepageLimits = []specs.LinuxHugepageLimit{{Pagesize: "2MB", Limit: 4 << 20}}
	}))
	have := readFile(t, filepath.Join("/sys/fs/cgroup", filepath.Dir(suite.prefix), "cgroup.controllers"))
	if slices.Contains(strings.Fields(have), "hugetlb") {
		skip(t, "hugetlb is delegated here")
	}
	b.run().fails(t, "linux.resources.hugepageLimits", "hugetlb")
	b.wantGone()
}

func TestPlainMemoryLimitKills(t *testing.T) {
	b := newDelegated(t, prog("alloc", "200"), resources(memory(specs.LinuxMemory{Limit: ptr(int64(50 << 20)), Swap: ptr(int64(50 << 20))})))
	b.run().status(t, 137)
	b.wantGone()
}

func TestPlainContainerWithoutACgroupNamespaceRuns(t *testing.T) {
	b := newDelegated(t, dropNS("cgroup"))
	if f := decode[report.Facts](t, b.run().ok(t).out); f.UID != [4]int{} {
		t.Errorf("%v", f.UID)
	}
}

// Without a bus of the user the system's is asked, which lets a user make no unit.
func TestPlainSystemdWithoutABusFails(t *testing.T) {
	needPlainCaller(t)
	if !exists("/run/systemd/system") {
		skip(t, "systemd does not run here")
	}
	b := newBundle(t)
	unitPath(b.spec)
	b.global = append(b.global, "--systemd-cgroup")
	b.write()
	cmd := b.cmd(b.line("run", nil)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	b.do(cmd).fails(t, "start unit", "ermission denied")
	b.wantGone()
}
