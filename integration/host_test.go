package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

type cgroupLayout int

const (
	cgroup1 cgroupLayout = iota // v1 or hybrid: limits are in v1 hierarchies
	cgroup2
)

var layout = detectLayout()

func detectLayout() cgroupLayout {
	var fs unix.Statfs_t
	if unix.Statfs("/sys/fs/cgroup", &fs) == nil && fs.Type == unix.CGROUP2_SUPER_MAGIC {
		return cgroup2
	}
	return cgroup1
}

// cgroupMounts are the mount points of all hierarchies.
func cgroupMounts() []string {
	var out []string
	for _, line := range mountLines() {
		f := strings.Fields(line)
		_, right, _ := strings.Cut(line, " - ")
		if strings.HasPrefix(right, "cgroup") && len(f) > 4 {
			out = append(out, f[4])
		}
	}
	return out
}

func mountLines() []string {
	data, _ := os.ReadFile("/proc/self/mountinfo")
	return strings.Split(strings.TrimSpace(string(data)), "\n")
}

// cgroupDir is the host directory of the container's cgroup for a controller.
func (b *bundle) cgroupDir(controller string) string {
	b.t.Helper()
	needGranted(b.t)
	if layout == cgroup2 {
		return filepath.Join("/sys/fs/cgroup", b.spec.Linux.CgroupsPath)
	}
	return filepath.Join("/sys/fs/cgroup", controller, b.spec.Linux.CgroupsPath)
}

// cgroupFile reads a control file: its v1 name in the controller's hierarchy, or its v2 name.
func (b *bundle) cgroupFile(controller, v1, v2 string) string {
	b.t.Helper()
	name := v1
	if layout == cgroup2 {
		name = v2
	}
	return strings.TrimSpace(readFile(b.t, filepath.Join(b.cgroupDir(controller), name)))
}

// needController skips the case when neither layout offers the controller here.
func needController(t *testing.T, name string) {
	t.Helper()
	needGranted(t)
	if suite.plain && name == "devices" {
		skip(t, "device rules are for root")
	}
	if layout == cgroup2 {
		if name == "devices" || name == "freezer" { // no controllers there: every cgroup has them
			return
		}
		data, _ := os.ReadFile(filepath.Join("/sys/fs/cgroup", filepath.Dir(suite.prefix), "cgroup.controllers"))
		if !slices.Contains(strings.Fields(string(data)), name) {
			skip(t, "no %s controller", name)
		}
	} else if !exists("/sys/fs/cgroup/" + name) {
		skip(t, "no %s hierarchy", name)
	}
}

// needFile skips the case when a v1 hierarchy has no such control file below its root: some come with a module.
func needFile(t *testing.T, controller, file string) {
	t.Helper()
	dir := filepath.Join("/sys/fs/cgroup", controller, suite.prefix, "probe")
	check(t, os.MkdirAll(dir, 0o755))
	defer os.Remove(dir)
	if !exists(filepath.Join(dir, file)) {
		skip(t, "the kernel has no %s", file)
	}
}

func needV1(t *testing.T) {
	t.Helper()
	if layout != cgroup1 {
		skip(t, "needs cgroup v1")
	}
}

func needV2(t *testing.T) {
	t.Helper()
	if layout != cgroup2 {
		skip(t, "needs cgroup v2")
	}
}

// needSetuid skips the case where setuid bits and file capabilities mean nothing.
func needSetuid(t *testing.T) {
	t.Helper()
	var fs unix.Statfs_t
	if unix.Statfs(suite.base, &fs) == nil && fs.Flags&unix.ST_NOSUID != 0 {
		skip(t, "%s is on a nosuid mount (TMPDIR names another place)", suite.base)
	}
}

// pids are the processes of the container's cgroup (none while there is no cgroup).
func (b *bundle) pids() []int {
	b.t.Helper()
	var out []int
	data, _ := os.ReadFile(filepath.Join(b.cgroupDir("pids"), "cgroup.procs"))
	for _, f := range strings.Fields(string(data)) {
		pid, err := strconv.Atoi(f)
		check(b.t, err)
		out = append(out, pid)
	}
	return out
}

// state asks the runtime.
func (b *bundle) state() specs.State {
	b.t.Helper()
	return decode[specs.State](b.t, b.tare("state", b.id).ok(b.t).out)
}

// wantStatus ends the case unless the container has the status now.
func (b *bundle) wantStatus(want specs.ContainerState) specs.State {
	b.t.Helper()
	st := b.state()
	if st.Status != want {
		b.t.Fatalf("status %s, want %s", st.Status, want)
	}
	return st
}

// waitStopped waits until init is dead.
func (b *bundle) waitStopped() {
	b.t.Helper()
	waitFor(b.t, "the container to stop", func() bool { return b.state().Status == specs.StateStopped })
}

// wantGone ends the case unless the runtime knows nothing of the container and no cgroup of it is left.
func (b *bundle) wantGone() {
	b.t.Helper()
	b.tare("state", b.id).fails(b.t, "does not exist")
	b.wantNoCgroups()
	if exists(filepath.Join(b.root, b.id)) {
		b.t.Fatal("state directory is left")
	}
}

func (b *bundle) wantNoCgroups() {
	b.t.Helper()
	if left := cgroupsNamed(b.id); len(left) > 0 {
		b.t.Fatalf("cgroups left: %v", left)
	}
}

func alive(pid int) bool {
	data, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	_, after, _ := strings.Cut(string(data), ") ")
	return !strings.HasPrefix(after, "Z") && !strings.HasPrefix(after, "X")
}

// kernelBefore compares the release of the running kernel.
func kernelBefore(t *testing.T, major, minor int) bool {
	t.Helper()
	var name unix.Utsname
	check(t, unix.Uname(&name))
	var is [2]int
	_, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &is[0], &is[1])
	check(t, err)
	return is[0] < major || is[0] == major && is[1] < minor
}

func signalOf(st *os.ProcessState) syscall.Signal {
	return st.Sys().(syscall.WaitStatus).Signal()
}
