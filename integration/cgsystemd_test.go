package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// newScope makes a case whose cgroup is a scope of systemd's.
func newScope(t *testing.T, edits ...func(*specs.Spec)) *bundle {
	t.Helper()
	if suite.plain {
		skip(t, "for root: the system's systemd")
	}
	b := newBundle(t)
	if !exists("/run/systemd/system") {
		skip(t, "systemd does not run here")
	}
	b.global = []string{"--systemd-cgroup"}
	b.spec.Linux.CgroupsPath = "system.slice:tare:" + b.id
	b.edit(edits...)
	return b
}

func (b *bundle) unit() string { return "tare-" + b.id + ".scope" }

// scopeDir is the scope's directory of a controller.
func (b *bundle) scopeDir(controller string) string {
	if layout == cgroup2 {
		return "/sys/fs/cgroup/system.slice/" + b.unit()
	}
	return filepath.Join("/sys/fs/cgroup", controller, "system.slice", b.unit())
}

// shown are properties of a unit, sorted, as NAME=VALUE.
func shown(t *testing.T, unit string, names ...string) []string {
	t.Helper()
	out, err := exec.Command("systemctl", "show", unit, "-p", strings.Join(names, ",")).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(lines)
	return lines
}

func wantShown(t *testing.T, unit string, want ...string) {
	t.Helper()
	var names []string
	for _, w := range want {
		name, _, _ := strings.Cut(w, "=")
		names = append(names, name)
	}
	slices.Sort(want)
	if got := shown(t, unit, names...); !slices.Equal(got, want) {
		t.Errorf("%s: %q, want %q", unit, got, want)
	}
}

func TestSystemdScopeHoldsTheContainer(t *testing.T) {
	b := newScope(t)
	b.hold()
	wantShown(t, b.unit(), "ActiveState=active", "Delegate=yes", "Slice=system.slice", "LoadState=loaded", "Transient=yes")
	if got := cgroupOf(t, b.state().Pid, "memory"); got != "/system.slice/"+b.unit() {
		t.Errorf("init is in %s", got)
	}
}

func TestSystemdScopeIsGoneAfterDelete(t *testing.T) {
	b := newScope(t)
	b.hold()
	b.tare("delete", "--force", b.id).ok(t)
	wantShown(t, b.unit(), "ActiveState=inactive", "LoadState=not-found")
	b.wantNoCgroups()
}

func TestSystemdScopeIsGoneAfterAFailedCreate(t *testing.T) {
	b := newScope(t, args("/none/such"))
	b.run().fails(t, "/none/such")
	wantShown(t, b.unit(), "ActiveState=inactive", "LoadState=not-found")
	b.wantGone()
}

func TestSystemdForegroundRun(t *testing.T) {
	b := newScope(t, args("/bin/sh", "-c", "exit 7"))
	b.run().status(t, 7)
	b.wantGone()
}

func TestSystemdDefaultUnitIsNamedAfterTheContainer(t *testing.T) {
	not(t, "runc", "another prefix")
	b := newScope(t, func(s *specs.Spec) { s.Linux.CgroupsPath = "" })
	b.hold()
	wantShown(t, b.unit(), "ActiveState=active", "Slice=system.slice")
}

func TestSystemdSliceIsMadeWithItsParents(t *testing.T) {
	b := newScope(t)
	b.spec.Linux.CgroupsPath = "tareit-deep.slice:tare:" + b.id
	b.hold()
	if got := cgroupOf(t, b.state().Pid, "memory"); got != "/tareit.slice/tareit-deep.slice/"+b.unit() {
		t.Errorf("init is in %s", got)
	}
	b.tare("delete", "--force", b.id).ok(t)
	exec.Command("systemctl", "stop", "tareit.slice").Run()
}

func TestSystemdPathOfAnotherFormFails(t *testing.T) {
	for _, path := range []string{"/system.slice/x", "system.slice", "system.slice:tare", "a/b.slice:tare:x", "system.slice:tare:"} {
		t.Run(path, func(t *testing.T) {
			b := newScope(t, args("/bin/true"))
			b.spec.Linux.CgroupsPath = path
			b.run().fails(t, "cgroupsPath")
		})
	}
}

// Each limit is in the kernel's file, and systemd knows it, so that its next reload does not undo it.
func TestSystemdKnowsTheLimit(t *testing.T) {
	const mib = 1 << 20
	for name, row := range map[string]struct {
		controller, file, want, property string
		set, update                      specs.LinuxResources
		after, propertyAfter             string
	}{
		"memory": {"memory", "memory.max", "134217728", "MemoryMax=134217728", memRes(specs.LinuxMemory{Limit: ptr[int64](128 * mib)}),
			memRes(specs.LinuxMemory{Limit: ptr[int64](256 * mib)}), "268435456", "MemoryMax=268435456"},
		"swap": {"memory", "memory.swap.max", "33554432", "MemorySwapMax=33554432", limitSwap(64*mib, 96*mib), limitSwap(64*mib, 64*mib), "0", "MemorySwapMax=0"},
		"reservation": {"memory", "memory.low", "16777216", "MemoryLow=16777216", memRes(specs.LinuxMemory{Reservation: ptr[int64](16 * mib)}),
			memRes(specs.LinuxMemory{Reservation: ptr[int64](-1)}), "max", "MemoryLow=infinity"},
		"shares": {"cpu", "cpu.weight", "59", "CPUWeight=59", cpuRes(specs.LinuxCPU{Shares: ptr[uint64](512)}), cpuRes(specs.LinuxCPU{Shares: ptr[uint64](1024)}), "100", "CPUWeight=100"},
		"quota in whole percents": {"cpu", "cpu.max", "34000 100000", "CPUQuotaPerSecUSec=340ms", cpuRes(specs.LinuxCPU{Quota: ptr[int64](33333)}),
			cpuRes(specs.LinuxCPU{Quota: ptr[int64](-1)}), "max 100000", "CPUQuotaPerSecUSec=infinity"},
		"period": {"cpu", "cpu.max", "50000 200000", "CPUQuotaPeriodUSec=200ms", cpuRes(specs.LinuxCPU{Quota: ptr[int64](50000), Period: ptr[uint64](200000)}),
			cpuRes(specs.LinuxCPU{Period: ptr[uint64](100000)}), "50000 100000", "CPUQuotaPeriodUSec=100ms"},
		"cpus":         {"cpuset", "cpuset.cpus", "0", "AllowedCPUs=0", cpuRes(specs.LinuxCPU{Cpus: "0"}), cpuRes(specs.LinuxCPU{Cpus: "1"}), "1", "AllowedCPUs=1"},
		"pids":         {"pids", "pids.max", "50", "TasksMax=50", pidsRes(50), pidsRes(-1), "max", "TasksMax=infinity"},
		"pids of 0":    {"pids", "pids.max", "60", "TasksMax=60", pidsRes(60), pidsRes(0), "1", "TasksMax=1"},
		"weight of io": {"io", "io.weight", "default 1", "IOWeight=1", ioRes(specs.LinuxBlockIO{Weight: ptr[uint16](10)}), ioRes(specs.LinuxBlockIO{Weight: ptr[uint16](1000)}), "default 10000", "IOWeight=10000"},
		"unified":      {"memory", "memory.high", "50331648", "MemoryHigh=50331648", uniRes("memory.high", "50331648"), uniRes("memory.high", "max"), "max", "MemoryHigh=infinity"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newScope(t)
			needV2(t)
			needController(t, row.controller)
			b.edit(resources(func(r *specs.LinuxResources) {
				row.set.Devices = r.Devices
				*r = row.set
			}))
			b.hold()
			b.needFile(b.scopeDir(row.controller), row.file)
			b.wantLine(b.scopeDir(row.controller), row.file, row.want)
			wantShown(t, b.unit(), row.property)
			b.update(row.update).ok(t)
			b.wantLine(b.scopeDir(row.controller), row.file, row.after)
			wantShown(t, b.unit(), row.propertyAfter)
		})
	}
}

func TestSystemdReloadKeepsLimitsAndDevices(t *testing.T) {
	b := newScope(t, device("/dev/kmsgx", "c", 1, 11), resources(func(r *specs.LinuxResources) {
		r.Pids, r.CPU = &specs.LinuxPids{Limit: ptr[int64](55)}, &specs.LinuxCPU{Quota: ptr[int64](50000)}
	}))
	b.hold()
	if out, err := exec.Command("systemctl", "daemon-reload").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b.wantLine(b.scopeDir("pids"), "pids.max", "55")
	if layout == cgroup2 {
		b.wantLine(b.scopeDir("cpu"), "cpu.max", "50000 100000")
	}
	if r := b.tryIn("openw:/dev/kmsgx", "write:/dev/null:x"); r["openw:/dev/kmsgx"] != "EPERM" || r["write:/dev/null:x"] != "" {
		t.Errorf("%v", r)
	}
}

func TestSystemdUpdateThatFailsPutsThePropertiesBack(t *testing.T) {
	b := newScope(t, resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr[int64](55)} }))
	b.hold()
	change := onDevice(func(io *specs.LinuxBlockIO, d []specs.LinuxThrottleDevice) { io.ThrottleReadBpsDevice = d })
	change.Pids = &specs.LinuxPids{Limit: ptr[int64](66)}
	b.update(change).fails(t, "throttleReadBpsDevice[0]")
	b.wantLine(b.scopeDir("pids"), "pids.max", "55")
	wantShown(t, b.unit(), "TasksMax=55")
}

// The name is taken by a unit elsewhere in the tree, so that its cgroup does not give it away.
func TestSystemdUnitThatExistsIsRefused(t *testing.T) {
	onlyTare(t, "the words")
	b := newScope(t, args("/bin/true"))
	other := exec.Command("systemd-run", "--quiet", "--scope", "--slice=tareitother.slice", "--unit="+b.unit(), "sleep", "1000")
	check(t, other.Start())
	t.Cleanup(func() {
		exec.Command("systemctl", "stop", b.unit()).Run()
		other.Wait()
	})
	waitFor(t, "the other scope", func() bool { return slices.Contains(shown(t, b.unit(), "ActiveState"), "ActiveState=active") })
	b.run().fails(t, b.unit(), "exists already")
	wantShown(t, b.unit(), "ActiveState=active", "Slice=tareitother.slice")
	b.tare("state", b.id).fails(t, "does not exist")
}

func TestSystemdUnitOfALiveContainerIsRefused(t *testing.T) {
	b := newScope(t)
	b.hold()
	other := newSerial(t, args("/bin/true"))
	other.global, other.spec.Linux.CgroupsPath = b.global, b.spec.Linux.CgroupsPath
	other.run().fails(t, "container's cgroup is not empty")
	b.wantStatus(specs.StateRunning)
	wantShown(t, b.unit(), "ActiveState=active")
}

func TestSystemdAnnotationsBecomeProperties(t *testing.T) {
	b := newScope(t, annotate("org.systemd.property.TimeoutStopUSec", "uint64 7000000"), annotate("org.systemd.property.Description", "'a case'"),
		annotate("org.systemd.property.CollectMode", "'inactive-or-failed'"))
	b.hold()
	wantShown(t, b.unit(), "TimeoutStopUSec=7s", "Description=a case", "CollectMode=inactive-or-failed")
}

func TestSystemdAnnotationThatDoesNotParseFails(t *testing.T) {
	b := newScope(t, args("/bin/true"), annotate("org.systemd.property.TimeoutStopUSec", "uint64 seven"))
	b.run().fails(t, "org.systemd.property.TimeoutStopUSec")
	wantShown(t, b.unit(), "ActiveState=inactive")
}

func TestSystemdSubgroupHoldsTheContainer(t *testing.T) {
	not(t, "runc", "knows no such annotation")
	b := newScope(t, annotate("run.oci.systemd.subgroup", "container"), resources(func(r *specs.LinuxResources) { r.Pids = &specs.LinuxPids{Limit: ptr[int64](50)} }))
	b.hold()
	if got := cgroupOf(t, b.state().Pid, "memory"); got != "/system.slice/"+b.unit()+"/container" {
		t.Errorf("init is in %s", got)
	}
	b.wantLine(b.scopeDir("pids")+"/container", "pids.max", "50")
	b.tare("delete", "--force", b.id).ok(t)
	b.wantNoCgroups()
}

func TestSystemdExecJoinsTheScope(t *testing.T) {
	b := newScope(t)
	b.hold()
	b.execWith([]string{"-d", "--pid-file", b.dir + "/pid"}, "/bin/sleep", "1000").ok(t)
	var pid int
	_, err := fmt.Sscan(readFile(t, b.dir+"/pid"), &pid)
	check(t, err)
	if got := cgroupOf(t, pid, "memory"); got != "/system.slice/"+b.unit() {
		t.Errorf("%s", got)
	}
}

func TestSystemdPauseResumeAndKillAll(t *testing.T) {
	b := newScope(t)
	b.hold("children=1")
	b.tare("pause", b.id).ok(t)
	b.wantStatus("paused")
	b.tare("resume", b.id).ok(t)
	b.tare("pause", b.id).ok(t)
	b.tare("kill", "--all", b.id, "KILL").ok(t)
	b.waitStopped()
}

func TestSystemdStopOfTheScopeEndsTheContainer(t *testing.T) {
	b := newScope(t)
	b.hold()
	if out, err := exec.Command("systemctl", "stop", b.unit()).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	b.waitStopped()
	b.tare("delete", b.id).ok(t)
	b.wantGone()
}

func TestSystemdSmallLimitsRunAProgram(t *testing.T) {
	not(t, "runc", "needs more")
	b := newScope(t, args("/bin/true"), resources(func(r *specs.LinuxResources) {
		r.Pids, r.Memory = &specs.LinuxPids{Limit: ptr[int64](1)}, &specs.LinuxMemory{Limit: ptr[int64](1 << 20)}
	}))
	b.run().ok(t)
	b.wantGone()
}

func TestSystemdOOMGroupBecomesThePolicy(t *testing.T) {
	needV2(t)
	b := newScope(t, resources(func(r *specs.LinuxResources) { r.Unified = map[string]string{"memory.oom.group": "1"} }))
	b.hold()
	b.wantLine(b.scopeDir(""), "memory.oom.group", "1")
	wantShown(t, b.unit(), "OOMPolicy=kill")
}

func TestSystemdEventsTellTheOwnLimit(t *testing.T) {
	needController(t, "memory")
	onlyTare(t, "no other tells")
	b := newScope(t, memoryOnly(50<<20))
	b.hold()
	if e := b.oomOf(); e.Data.Level != "own" || e.Data.Cgroup != "/system.slice/"+b.unit() {
		t.Errorf("%+v", e)
	}
}

// asSession is asUser with the bus of the user's systemd.
func (b *bundle) asSession(line ...string) result {
	b.t.Helper()
	cmd := b.asUser(b.cmd(line...))
	for i, e := range cmd.Env {
		if strings.HasPrefix(e, "XDG_RUNTIME_DIR=") {
			cmd.Env[i] = fmt.Sprintf("XDG_RUNTIME_DIR=/run/user/%d", rootlessID)
		}
	}
	return b.do(cmd)
}

func newSession(t *testing.T, edits ...func(*specs.Spec)) *bundle {
	t.Helper()
	needV2(t)
	if !exists(fmt.Sprintf("/run/user/%d/bus", rootlessID)) {
		tally.add(t)
		skip(t, "user %d has no systemd", rootlessID)
	}
	b := newRootless(t, edits...)
	b.global = []string{"--systemd-cgroup"}
	return b
}

func TestRootlessSystemdScopeIsTheUsers(t *testing.T) {
	b := newSession(t, func(s *specs.Spec) {
		s.Linux.Resources = &specs.LinuxResources{Pids: &specs.LinuxPids{Limit: ptr[int64](60)}}
	})
	b.holdRootless(b.asSession)
	path := cgroupOf(t, b.rootlessPid(b.asSession), "")
	want := fmt.Sprintf("/user.slice/user-%d.slice/user@%d.service/user.slice/%s", rootlessID, rootlessID, b.unit())
	if path != want {
		t.Errorf("%s, want %s", path, want)
	}
	b.wantLine("/sys/fs/cgroup"+path, "pids.max", "60")
	b.asSession("update", "--pids-limit", "70", b.id).ok(t)
	b.wantLine("/sys/fs/cgroup"+path, "pids.max", "70")
	b.asSession("delete", "--force", b.id).ok(t)
	if exists("/sys/fs/cgroup" + path) {
		t.Errorf("%s is left", path)
	}
}

func TestRootlessSystemdWithoutAnyBusSaysSo(t *testing.T) {
	needV1(t) // where there is a systemd its bus would be asked instead
	if exists("/run/systemd/system") {
		skip(t, "systemd runs here")
	}
	onlyTare(t, "the words")
	b := newRootless(t, args("/bin/true"))
	b.global = []string{"--systemd-cgroup"}
	r := b.rootlessRun()
	r.fails(t, "bus")
	if _, err := os.Stat(filepath.Join(b.root, b.id)); err == nil {
		t.Error("state is left")
	}
}

func TestSystemdKnowsTheWeightOfADevice(t *testing.T) {
	b := newScope(t)
	needV2(t)
	major, minor := b.bfqDisk()
	d := specs.LinuxWeightDevice{Weight: ptr[uint16](300)}
	d.Major, d.Minor = major, minor
	b.edit(resources(func(r *specs.LinuxResources) {
		r.BlockIO = &specs.LinuxBlockIO{WeightDevice: []specs.LinuxWeightDevice{d}}
	}))
	b.hold()
	b.wantLine(b.scopeDir("io"), "io.bfq.weight", fmt.Sprintf("%d:%d 300", major, minor))
	wantShown(t, b.unit(), fmt.Sprintf("IODeviceWeight=/dev/block/%d:%d 2300", major, minor))
}
