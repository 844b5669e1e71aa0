package integration

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestUserNamespaceHasTheConfiguredMaps(t *testing.T) {
	b := newBundle(t, userNS, func(s *specs.Spec) {
		s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 100000, Size: 1000}, {ContainerID: 1000, HostID: 200000, Size: 1}}
		s.Linux.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 300000, Size: 1000}}
	})
	f := b.facts()
	if fmt.Sprint(f.UIDMap, f.GIDMap) != "[[0 100000 1000] [1000 200000 1]] [[0 300000 1000]]" {
		t.Errorf("maps %v %v", f.UIDMap, f.GIDMap)
	}
	if f.UID != [4]int{} || f.GID != [4]int{} {
		t.Errorf("ids %v %v", f.UID, f.GID)
	}
	if f.Setgroups != "allow" {
		t.Errorf("setgroups %q", f.Setgroups)
	}
}

func TestUserNamespaceRootIsUnprivilegedOutside(t *testing.T) {
	b := newBundle(t, userNS)
	b.hold()
	if got := procField(t, b.state().Pid, "Uid"); got != "100000\t100000\t100000\t100000" {
		t.Errorf("host sees uids %q", got)
	}
}

func TestUserNamespaceRootHasFullConfiguredCapabilities(t *testing.T) {
	b := newBundle(t, userNS, addCaps("CAP_SYS_ADMIN"))
	r := b.try("mounttmpfs:/mnt", "sethostname:new", "openw:/etc/passwd")
	if r["mounttmpfs:/mnt"] != "" || r["sethostname:new"] != "" {
		t.Errorf("%v", r)
	}
	if r["openw:/etc/passwd"] != "EACCES" {
		t.Errorf("wrote to a file of the host's root: %v", r)
	}
}

func TestUserNamespaceHasUsableDevices(t *testing.T) {
	b := newBundle(t, userNS)
	r := b.try("write:/dev/null:x", "read:/dev/zero", "read:/dev/urandom", "openr:/dev/full", "openr:/dev/ptmx")
	for op, errno := range r {
		if errno != "" {
			t.Errorf("%s: %s", op, errno)
		}
	}
	st := b.stat("/dev/null")["/dev/null"]
	if st.Type != "char" || st.Major != 1 || st.Minor != 3 {
		t.Errorf("%+v", st)
	}
}

func TestUserNamespaceWithoutMappingsFails(t *testing.T) {
	b := newBundle(t, addNS("user"))
	b.run().fails(t, "apping")
	b.wantGone()
}

func TestMappingsWithoutUserNamespaceFail(t *testing.T) {
	not(t, "runc", "1.1 ignores them")
	b := newBundle(t, userNS, dropNS("user"))
	b.run().fails(t)
	b.wantGone()
}

func TestUserNamespaceByPathIsJoined(t *testing.T) {
	b := newBundle(t, dropMount("/sys"))
	pid := usernsHolder(t, true)
	path := fmt.Sprintf("/proc/%d/ns/user", pid)
	want, err := os.Readlink(path)
	check(t, err)
	b.edit(joinNS("user", path))
	not(t, "runc", "1.1 needs mappings beside a path")
	f := b.facts()
	if f.NS["user"] != want {
		t.Errorf("in %s, want %s", f.NS["user"], want)
	}
	if fmt.Sprint(f.UIDMap) != "[[0 100000 65536]]" {
		t.Errorf("map %v", f.UIDMap)
	}
}

func TestUserNamespaceByPathThatDeniesSetgroupsIsJoined(t *testing.T) {
	not(t, "runc", "1.1 needs mappings beside a path")
	b := newBundle(t, dropMount("/sys"), joinNS("user", fmt.Sprintf("/proc/%d/ns/user", usernsHolder(t, false))))
	if f := b.facts(); f.Setgroups != "deny" || len(f.Groups) != 0 {
		t.Errorf("%s %v", f.Setgroups, f.Groups)
	}
}

func TestUserNamespaceByPathWithTheSameMappingsIsTolerated(t *testing.T) {
	not(t, "runc", "1.1 differs")
	b := newBundle(t, userNS)
	pid := usernsHolder(t, true)
	b.edit(joinNS("user", fmt.Sprintf("/proc/%d/ns/user", pid)))
	b.facts()
}

func TestUserNamespaceByPathWithOtherMappingsFails(t *testing.T) {
	not(t, "runc", "1.1 differs")
	b := newBundle(t, userNS)
	pid := usernsHolder(t, true)
	b.edit(joinNS("user", fmt.Sprintf("/proc/%d/ns/user", pid)), func(s *specs.Spec) { s.Linux.UIDMappings[0].HostID = 5 })
	b.run().fails(t)
	b.wantGone()
}

// usernsHolder starts a process in a user namespace with the mapping of userNS; cleanup ends it.
func usernsHolder(t *testing.T, setgroups bool) int {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 65536}}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: ids, GidMappings: ids,
		GidMappingsEnableSetgroups: setgroups}
	check(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd.Process.Pid
}

func TestUnmappedUserFails(t *testing.T) {
	not(t, "runc", "1.1 does not name the id")
	b := newBundle(t, userNS, user(70000, 0))
	b.run().fails(t, "cannot setuid to unmapped uid 70000 in user namespace")
	b.wantGone()
}

func TestUnmappedGroupFails(t *testing.T) {
	not(t, "runc", "1.1 says only: invalid argument")
	b := newBundle(t, userNS, user(0, 70000))
	b.run().fails(t, "70000")
	b.wantGone()
}

func TestUnmappedAdditionalGroupFails(t *testing.T) {
	b := newBundle(t, userNS, user(0, 0, 70000))
	b.run().fails(t)
	b.wantGone()
}

func TestUserNamespaceProcessMayBeAnyMappedUser(t *testing.T) {
	b := newBundle(t, userNS, user(1000, 1001, 7, 8))
	f := b.facts()
	if f.UID != [4]int{1000, 1000, 1000, 1000} || f.GID != [4]int{1001, 1001, 1001, 1001} || fmt.Sprint(f.Groups) != "[7 8]" {
		t.Errorf("%v %v %v", f.UID, f.GID, f.Groups)
	}
}

func TestUserNamespaceWithoutOwnNetworkGetsSysByBind(t *testing.T) {
	not(t, "runc", "1.1 fails with EPERM")
	b := newBundle(t, userNS, dropNS("network"))
	st := b.stat("/sys/kernel")["/sys/kernel"]
	if st.Type != "dir" || st.FSType != 0x62656572 {
		t.Errorf("%+v", st)
	}
}

func TestUserNamespaceOwnsItsNetworkNamespace(t *testing.T) {
	b := newBundle(t, userNS, addCaps("CAP_NET_ADMIN"))
	r := b.try("write:/proc/sys/net/ipv4/ip_forward:1", "netbind")
	if r["write:/proc/sys/net/ipv4/ip_forward:1"] != "" || r["netbind"] != "" {
		t.Errorf("%v", r)
	}
}

func TestUserNamespaceMayHoldManyMappings(t *testing.T) {
	b := newBundle(t, addNS("user"))
	var want strings.Builder
	for i := range 300 {
		m := specs.LinuxIDMapping{ContainerID: uint32(i), HostID: uint32(100000 + 2*i), Size: 1}
		b.spec.Linux.UIDMappings = append(b.spec.Linux.UIDMappings, m)
		fmt.Fprintf(&want, "[%d %d 1] ", i, 100000+2*i)
	}
	b.spec.Linux.GIDMappings = []specs.LinuxIDMapping{{HostID: 100000, Size: 65536}}
	if got := strings.Trim(fmt.Sprint(b.facts().UIDMap), "[]"); got != strings.Trim(want.String(), "[] ") {
		t.Errorf("map has %d bytes, want %d", len(got), want.Len())
	}
}

func TestMoreThan340MappingsFail(t *testing.T) {
	b := newBundle(t, userNS)
	b.spec.Linux.UIDMappings = nil
	for i := range 341 {
		b.spec.Linux.UIDMappings = append(b.spec.Linux.UIDMappings, specs.LinuxIDMapping{ContainerID: uint32(i), HostID: uint32(100000 + 2*i), Size: 1})
	}
	b.run().fails(t)
	b.wantGone()
}

func TestOverlappingMappingsFail(t *testing.T) {
	b := newBundle(t, userNS, func(s *specs.Spec) {
		s.Linux.UIDMappings = append(s.Linux.UIDMappings, specs.LinuxIDMapping{ContainerID: 10, HostID: 900000, Size: 5})
	})
	b.run().fails(t)
	b.wantGone()
}

func TestExecJoinsTheUserNamespace(t *testing.T) {
	b := newBundle(t, userNS)
	b.hold()
	f := b.execFacts()
	if f.UID != [4]int{} || fmt.Sprint(f.UIDMap) != "[[0 100000 65536]]" {
		t.Errorf("%v in %v", f.UID, f.UIDMap)
	}
	if want, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/user", b.state().Pid)); f.NS["user"] != want {
		t.Errorf("in %s, want %s", f.NS["user"], want)
	}
}
