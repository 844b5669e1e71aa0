package integration

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// holdRootless runs the container detached as the user; cleanup deletes it as the user.
func (b *bundle) holdRootless(run func(line ...string) result) {
	b.t.Helper()
	b.edit(prog("hold"))
	b.write()
	mkdirs(b.t, b.dir+"/xdg")
	run(b.line("run", []string{"-d"})...).ok(b.t).waitOut(b.t, "ready")
	b.t.Cleanup(func() { run("delete", "-f", b.id) })
}

func (b *bundle) rootlessPid(run func(line ...string) result) int {
	b.t.Helper()
	return decode[specs.State](b.t, run("state", b.id).ok(b.t).out).Pid
}

func TestRootlessWithoutLimitsStaysInTheCallersCgroup(t *testing.T) {
	b := newRootless(t)
	b.holdRootless(b.rootless)
	if got, want := readFile(t, fmt.Sprintf("/proc/%d/cgroup", b.rootlessPid(b.rootless))), readFile(t, "/proc/self/cgroup"); got != want {
		t.Errorf("%s, the caller %s", got, want)
	}
}

func TestRootlessLimitWithoutDelegationIsRefused(t *testing.T) {
	onlyTare(t, "the words")
	for name, r := range map[string]specs.LinuxResources{"pids": pidsRes(50), "cpu": cpuRes(specs.LinuxCPU{Shares: ptr[uint64](512)}),
		"memory": memRes(specs.LinuxMemory{Limit: ptr[int64](64 << 20)}), "unified": uniRes("cgroup.max.depth", "4")} {
		t.Run(name, func(t *testing.T) {
			b := newRootless(t, args("/bin/true"), func(s *specs.Spec) { s.Linux.Resources = &r })
			b.rootlessRun().fails(t, "rootless needs no limits + no cgrouppath when no permission is granted for cgroups")
		})
	}
}

func TestRootlessDeviceRulesWithoutDelegationAreLeftAside(t *testing.T) {
	b := newRootless(t, args("/bin/true"), func(s *specs.Spec) {
		s.Linux.Resources = &specs.LinuxResources{Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}}
	})
	b.rootlessRun().ok(t)
}

// Without a cgroup there is nothing to freeze, count or limit: an error, and the container lives on.
func TestRootlessCommandsThatNeedACgroupSaySo(t *testing.T) {
	onlyTare(t, "the words")
	for name, line := range map[string][]string{"pause": {"pause"}, "update": {"update", "--pids-limit", "5"}, "stats": {"events", "--stats"}} {
		t.Run(name, func(t *testing.T) {
			b := newRootless(t)
			b.holdRootless(b.rootless)
			b.rootless(append(line, b.id)...).fails(t, "cgroup")
			b.rootless("exec", b.id, "/bin/true").ok(t)
		})
	}
}

func TestRootlessKillAllWithoutACgroupEndsTheContainer(t *testing.T) {
	b := newRootless(t)
	b.holdRootless(b.rootless)
	b.rootless("kill", "--all", b.id, "KILL")
	waitFor(t, "the end", func() bool {
		return decode[specs.State](t, b.rootless("state", b.id).ok(t).out).Status == specs.StateStopped
	})
}

// delegation is a cgroup that belongs to the user, as an administrator or systemd would make it, with a
// group in it for the caller.
type delegation struct {
	b           *bundle
	dir, caller string
}

// delegate makes one whose groups may have the controllers named.
func (b *bundle) delegate(controllers ...string) *delegation {
	b.t.Helper()
	needV2(b.t)
	top := filepath.Join("/sys/fs/cgroup", suite.prefix+"-"+b.id+"-user")
	d := &delegation{b: b, dir: top + "/own", caller: top + "/own/caller"}
	check(b.t, os.Mkdir(top, 0o755))
	b.t.Cleanup(func() {
		os.Remove(d.caller)
		os.Remove(d.dir)
		os.Remove(top)
	})
	for _, c := range controllers {
		check(b.t, os.WriteFile(top+"/cgroup.subtree_control", []byte("+"+c), 0))
	}
	check(b.t, errors.Join(os.Mkdir(d.dir, 0o755), os.Mkdir(d.caller, 0o755)))
	for _, dir := range []string{d.dir, d.caller} {
		check(b.t, os.Chown(dir, rootlessID, rootlessID))
		for _, name := range []string{"cgroup.procs", "cgroup.threads", "cgroup.subtree_control"} {
			check(b.t, os.Chown(filepath.Join(dir, name), rootlessID, rootlessID))
		}
	}
	return d
}

// run runs a command line as the user from inside the delegated cgroup.
func (d *delegation) run(line ...string) result {
	d.b.t.Helper()
	fd, err := unix.Open(d.caller, unix.O_PATH|unix.O_CLOEXEC, 0)
	check(d.b.t, err)
	defer unix.Close(fd)
	cmd := d.b.asUser(d.b.cmd(line...))
	cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, fd
	return d.b.do(cmd)
}

func (d *delegation) hold() string {
	d.b.t.Helper()
	d.b.holdRootless(d.run)
	return d.dir + "/" + d.b.id
}

func TestRootlessDelegatedLimitsReachTheirFiles(t *testing.T) {
	needV2(t)
	b := newRootless(t, func(s *specs.Spec) {
		s.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr[int64](60)}, Memory: &specs.LinuxMemory{Limit: ptr[int64](128 << 20)}}
	})
	dir := b.delegate("memory", "pids").hold()
	b.wantLine(dir, "pids.max", "60")
	b.wantLine(dir, "memory.max", "134217728")
}

func TestRootlessDelegatedUpdate(t *testing.T) {
	needV2(t)
	b := newRootless(t)
	d := b.delegate("memory", "pids")
	dir := d.hold()
	d.run("update", "--pids-limit", "70", "--memory", "96m", b.id).ok(t)
	b.wantLine(dir, "pids.max", "70")
	b.wantLine(dir, "memory.max", "100663296")
}

func TestRootlessDelegatedPauseAndResume(t *testing.T) {
	needV2(t)
	b := newRootless(t)
	d := b.delegate("pids")
	dir := d.hold()
	d.run("pause", b.id).ok(t)
	b.wantLine(dir, "cgroup.events", "frozen 1")
	d.run("resume", b.id).ok(t)
	b.wantLine(dir, "cgroup.events", "frozen 0")
}

func TestRootlessDelegatedExecJoins(t *testing.T) {
	needV2(t)
	b := newRootless(t)
	d := b.delegate("pids")
	dir := d.hold()
	d.run("exec", "-d", "--pid-file", b.dir+"/pid", b.id, "/bin/sleep", "1000").ok(t)
	pid, err := strconv.Atoi(readFile(t, b.dir+"/pid"))
	check(t, err)
	if got := "/sys/fs/cgroup" + cgroupOf(t, pid, ""); got != dir {
		t.Errorf("%s, want %s", got, dir)
	}
}

func TestRootlessDelegatedDeleteRemovesTheCgroup(t *testing.T) {
	needV2(t)
	b := newRootless(t)
	d := b.delegate("pids")
	dir := d.hold()
	d.run("delete", "--force", b.id).ok(t)
	if exists(dir) {
		t.Errorf("%s is left", dir)
	}
}

func TestRootlessControllerThatIsNotDelegatedIsNamed(t *testing.T) {
	needV2(t)
	onlyTare(t, "the words")
	b := newRootless(t, args("/bin/true"), func(s *specs.Spec) {
		s.Linux.Resources = &specs.LinuxResources{CPU: &specs.LinuxCPU{Cpus: "0"}}
	})
	d := b.delegate("pids")
	b.write()
	mkdirs(t, b.dir+"/xdg")
	d.run(b.line("run", nil)...).fails(t, "linux.resources.cpu", `cgroup controller "cpuset"`)
	if exists(d.dir + "/" + b.id) {
		t.Error("the cgroup is left")
	}
}

func TestRootlessCgroupsPathOutsideTheDelegationIsRefused(t *testing.T) {
	needV2(t)
	b := newRootless(t, args("/bin/true"))
	d := b.delegate("pids")
	b.spec.Linux.CgroupsPath = suite.prefix + "-" + b.id + "-elsewhere"
	b.write()
	mkdirs(t, b.dir+"/xdg")
	d.run(b.line("run", nil)...).fails(t, "cgroup")
}

func TestRootlessDelegatedOOMNamesTheOwnLimit(t *testing.T) {
	needV2(t)
	onlyTare(t, "no other tells")
	b := newRootless(t, func(s *specs.Spec) {
		s.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr[int64](50 << 20), Swap: ptr[int64](50 << 20)}}
	})
	d := b.delegate("memory", "pids")
	b.warnings()
	d.hold()
	if r := d.run("exec", b.id, "/testprog", "alloc", "200").status(t, 137); !strings.Contains(r.err, "limit of its own cgroup, 52428800 bytes") {
		t.Errorf("%v", r)
	}
}
