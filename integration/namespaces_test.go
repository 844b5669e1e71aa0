package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// ownNS is the link text of one of the caller's namespaces.
func ownNS(t *testing.T, name string) string {
	t.Helper()
	link, err := os.Readlink("/proc/self/ns/" + name)
	check(t, err)
	return link
}

// nsFile is the name in /proc/PID/ns of a namespace type.
func nsFile(typ specs.LinuxNamespaceType) string {
	switch typ {
	case "network":
		return "net"
	case "mount":
		return "mnt"
	}
	return string(typ)
}

func TestListedNamespaceIsNew(t *testing.T) {
	for _, typ := range []specs.LinuxNamespaceType{"pid", "network", "mount", "ipc", "uts", "cgroup", "user", "time"} {
		t.Run(string(typ), func(t *testing.T) {
			b := newBundle(t)
			switch typ {
			case "user":
				b.edit(userNS)
			case "time":
				not(t, "runc", "1.1 has no time namespaces")
				b.edit(addNS(typ))
			default:
				b.edit(addNS(typ))
			}
			if got := b.facts().NS[nsFile(typ)]; got == ownNS(t, nsFile(typ)) {
				t.Errorf("shares %s", got)
			}
		})
	}
}

func TestUnlistedNamespaceIsTheCallers(t *testing.T) {
	for _, typ := range []specs.LinuxNamespaceType{"pid", "network", "ipc", "uts", "cgroup", "user", "time"} {
		t.Run(string(typ), func(t *testing.T) {
			b := newBundle(t, dropNS(typ))
			switch typ {
			case "uts":
				b.edit(func(s *specs.Spec) { s.Hostname = "" })
			case "ipc":
				b.edit(dropMount("/dev/mqueue"))
			case "cgroup":
				if layout == cgroup2 {
					b.edit(dropMount("/sys/fs/cgroup"))
				}
			}
			if got, want := b.facts().NS[nsFile(typ)], ownNS(t, nsFile(typ)); got != want {
				t.Errorf("%s, caller %s", got, want)
			}
		})
	}
}

// holder starts a process with new namespaces and returns its pid; cleanup ends it.
func holder(t *testing.T, flags uintptr) int {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: 0}
	check(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd.Process.Pid
}

func TestNamespaceByPathIsJoined(t *testing.T) {
	for typ, flag := range map[specs.LinuxNamespaceType]uintptr{"network": syscall.CLONE_NEWNET, "ipc": syscall.CLONE_NEWIPC,
		"uts": syscall.CLONE_NEWUTS, "pid": syscall.CLONE_NEWPID, "cgroup": syscall.CLONE_NEWCGROUP} {
		t.Run(string(typ), func(t *testing.T) {
			b := newBundle(t)
			path := fmt.Sprintf("/proc/%d/ns/%s", holder(t, flag), nsFile(typ))
			want, err := os.Readlink(path)
			check(t, err)
			b.edit(joinNS(typ, path))
			if got := b.facts().NS[nsFile(typ)]; got != want {
				t.Errorf("in %s, want %s", got, want)
			}
		})
	}
}

func TestJoinedNamespacesSurviveTheContainer(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	pid := holder(t, syscall.CLONE_NEWNET|syscall.CLONE_NEWUTS)
	b.edit(joinNS("network", fmt.Sprintf("/proc/%d/ns/net", pid)), joinNS("uts", fmt.Sprintf("/proc/%d/ns/uts", pid)))
	b.run().ok(t)
	b.run().ok(t)
	if !alive(pid) {
		t.Error("holder is dead")
	}
}

func TestContainersShareANamespaceByPath(t *testing.T) {
	b := newBundle(t)
	b.hold()
	pid := b.state().Pid
	b2 := newSerial(t, joinNS("network", fmt.Sprintf("/proc/%d/ns/net", pid)), joinNS("ipc", fmt.Sprintf("/proc/%d/ns/ipc", pid)))
	f := b2.facts()
	for _, name := range []string{"net", "ipc"} {
		if want, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, name)); f.NS[name] != want {
			t.Errorf("%s is %s, want %s", name, f.NS[name], want)
		}
	}
}

func TestNamespaceByPathOfAnotherTypeFails(t *testing.T) {
	b := newBundle(t, joinNS("network", "/proc/self/ns/ipc"))
	b.run().fails(t)
	b.wantGone()
}

func TestNamespaceByPathThatIsNoNamespaceFails(t *testing.T) {
	b := newBundle(t)
	b.edit(joinNS("network", b.hostFile("plain", "")))
	b.run().fails(t)
	b.wantGone()
}

func TestNamespaceByMissingPathFails(t *testing.T) {
	b := newBundle(t, joinNS("network", "/no/such/ns"))
	b.run().fails(t, "no such file or directory")
	b.wantGone()
}

func TestDuplicateNamespaceFails(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "pid"})
	})
	b.run().fails(t, "pid")
	b.wantGone()
}

func TestUnknownNamespaceFails(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) {
		s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: "colour"})
	})
	b.run().fails(t, "colour")
	b.wantGone()
}

func TestInitIsPid1OfItsPidNamespace(t *testing.T) {
	b := newBundle(t)
	if f := b.facts(); f.PID != 1 || f.PPID != 0 {
		t.Errorf("pid %d, parent %d", f.PID, f.PPID)
	}
}

func TestLoopbackIsUpInANewNetworkNamespace(t *testing.T) {
	b := newBundle(t)
	f := b.facts()
	if !f.LoUp || !slices.Contains(f.Links, "lo") {
		t.Errorf("up %v, links %v", f.LoUp, f.Links)
	}
}

func TestHostnameAndDomainnameAreSet(t *testing.T) {
	not(t, "runc", "1.1 has no domainname")
	b := newBundle(t, func(s *specs.Spec) { s.Hostname, s.Domainname = "inner", "dom.example" })
	host, _ := os.Hostname()
	f := b.facts()
	if f.Hostname != "inner" || f.Domainname != "dom.example" {
		t.Errorf("%q %q", f.Hostname, f.Domainname)
	}
	if now, _ := os.Hostname(); now != host {
		t.Errorf("the host is now called %q", now)
	}
}

func TestHostnameWithoutUTSNamespaceFails(t *testing.T) {
	b := newBundle(t, dropNS("uts"))
	b.run().fails(t, "hostname")
	b.wantGone()
}

func TestDomainnameWithoutUTSNamespaceFails(t *testing.T) {
	not(t, "runc", "1.1 has no domainname")
	b := newBundle(t, dropNS("uts"), func(s *specs.Spec) { s.Hostname, s.Domainname = "", "d" })
	b.run().fails(t, "domainname")
}

func TestTimeOffsetsShiftTheClocks(t *testing.T) {
	not(t, "runc", "1.1 has no time namespaces")
	b := newBundle(t, addNS("time"), func(s *specs.Spec) {
		s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 1000000}, "monotonic": {Secs: 500, Nanosecs: 7}}
	})
	f := b.facts()
	if f.Uptime < 1000000 {
		t.Errorf("uptime %v", f.Uptime)
	}
	if got := strings.Join(strings.Fields(f.TimeOffsets), " "); got != "monotonic 500 7 boottime 1000000 0" {
		t.Errorf("offsets %q", got)
	}
}

func TestTimeOffsetsWithoutTimeNamespaceFail(t *testing.T) {
	not(t, "runc", "1.1 has no time namespaces")
	b := newBundle(t, func(s *specs.Spec) {
		s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 1}}
	})
	b.run().fails(t, "time")
	b.wantGone()
}

func TestTimeOffsetOutOfRangeFails(t *testing.T) {
	onlyTare(t, "its own text")
	b := newBundle(t, addNS("time"), func(s *specs.Spec) {
		s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"monotonic": {Secs: -99999999}}
	})
	b.run().fails(t, "run: linux.timeOffsets: write", "numerical result out of range")
	b.wantGone()
}

func TestTimeOffsetsWithAPathFail(t *testing.T) {
	not(t, "runc", "1.1 has no time namespaces")
	b := newBundle(t, joinNS("time", "/proc/self/ns/time"), func(s *specs.Spec) {
		s.Linux.TimeOffsets = map[string]specs.LinuxTimeOffset{"boottime": {Secs: 1}}
	})
	b.run().fails(t, "time")
	b.wantGone()
}

func TestCgroupNamespaceRootIsTheContainersCgroup(t *testing.T) {
	b := newBundle(t, addNS("cgroup"))
	for _, line := range b.facts().Cgroup {
		if !strings.HasSuffix(line, ":/") && !strings.HasPrefix(line, "0::") && !strings.Contains(line, "name=") {
			t.Errorf("%q is not at the root", line)
		}
	}
}

func TestNewMountNamespaceHidesTheHostsMounts(t *testing.T) {
	b := newBundle(t)
	for _, m := range b.facts().Mounts {
		if strings.HasPrefix(m.Target, "/sys/fs/cgroup") || strings.HasPrefix(m.Target, suite.base) {
			t.Errorf("sees %s", m.Target)
		}
	}
}

func TestMountPropagationIntoContainerFollowsRootfsPropagation(t *testing.T) {
	for prop, want := range map[string]string{"": "master:", "rslave": "master:", "rprivate": "", "rshared": "shared:"} {
		t.Run("["+prop+"]", func(t *testing.T) {
			b := newBundle(t, func(s *specs.Spec) { s.Linux.RootfsPropagation = prop })
			src := b.sharedMount("src")
			b.edit(addMount(mnt("/mnt", "bind", src, "rbind")))
			m := findMount(b.facts().Mounts, "/mnt")
			got := strings.Join(m.Optional, " ")
			if (want == "" && got != "") || !strings.Contains(got, want) {
				t.Errorf("/mnt is %q, want %q", got, want)
			}
		})
	}
}

func TestMountsMadeInsideDoNotReachTheHost(t *testing.T) {
	b := newBundle(t, addCaps("CAP_SYS_ADMIN"), func(s *specs.Spec) { s.Linux.RootfsPropagation = "rprivate" })
	b.edit(sh("mount -t tmpfs inner /mnt && mount -t tmpfs inner2 /data && echo done"))
	src := b.sharedMount("src")
	b.edit(addMount(mnt("/mnt", "bind", src, "rbind", "rslave")))
	if out := b.run().ok(t).out; out != "done\n" {
		t.Fatal(out)
	}
	for _, line := range mountLines() {
		if strings.Contains(line, b.dir) && strings.Contains(line, "inner") {
			t.Errorf("host has %s", line)
		}
	}
}

func TestSharedMountCarriesNewHostMountsIn(t *testing.T) {
	b := newBundle(t, prog("hold"))
	src := b.sharedMount("src")
	mkdirs(t, src+"/later")
	b.edit(addMount(mnt("/mnt", "bind", src, "rbind", "rslave")))
	r := b.detach()
	r.waitOut(t, "ready")
	check(t, syscall.Mount("late", src+"/later", "tmpfs", 0, ""))
	t.Cleanup(func() { syscall.Unmount(src+"/later", syscall.MNT_DETACH) })
	writeFile(t, src+"/later/file", "x")
	b.exec("/bin/cat", "/mnt/later/file").ok(t)
}

// sharedMount makes a shared tmpfs on the host below the case's directory; cleanup unmounts it.
func (b *bundle) sharedMount(name string) string {
	b.t.Helper()
	dir := b.tmpfs(name)
	check(b.t, syscall.Mount("", dir, "", syscall.MS_SHARED, ""))
	return dir
}

// tmpfs mounts a private tmpfs on the host below the case's directory; cleanup unmounts it.
func (b *bundle) tmpfs(name string) string {
	b.t.Helper()
	dir := b.hostDir(name)
	check(b.t, syscall.Mount("case", dir, "tmpfs", 0, "mode=755"))
	b.t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	check(b.t, syscall.Mount("", dir, "", syscall.MS_PRIVATE, ""))
	return filepath.Clean(dir)
}

// idmappable makes a directory on a file system that takes id-mapped mounts: tmpfs does since Linux 6.3, before that the
// directory of all cases must.
func (b *bundle) idmappable(name string) string {
	b.t.Helper()
	if kernelBefore(b.t, 6, 3) {
		return b.hostDir(name)
	}
	return b.tmpfs(name)
}
