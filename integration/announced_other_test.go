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

func TestEveryAnnouncedMemoryPolicyIsSet(t *testing.T) {
	onlyTare(t, "what it announces")
	for nr, mode := range announced(t, newBundle(t)).Linux.MemoryPolicy.Modes { // in the order of their numbers
		p := &specs.LinuxMemoryPolicy{Mode: specs.MemoryPolicyModeType(mode), Nodes: "0"}
		if mode == "MPOL_DEFAULT" || mode == "MPOL_LOCAL" {
			p.Nodes = ""
		}
		b := newSerial(t, func(s *specs.Spec) { s.Linux.MemoryPolicy = p }, prog("facts"))
		r := b.run()
		if r.code != 0 && strings.Contains(r.err, "linux.memoryPolicy") && strings.Contains(r.err, "invalid argument") {
			t.Logf("%s: this kernel does not have it: %s", mode, r.err)
			continue
		}
		if got := decode[struct{ MemPolicy int }](t, r.ok(t).out).MemPolicy; got != nr {
			t.Errorf("%s: policy %d, want %d", mode, got, nr)
		}
	}
}

func TestEveryAnnouncedMemoryPolicyFlagIsSet(t *testing.T) {
	onlyTare(t, "what it announces")
	bits := map[string]int{"MPOL_F_STATIC_NODES": 1 << 15, "MPOL_F_RELATIVE_NODES": 1 << 14, "MPOL_F_NUMA_BALANCING": 1 << 13}
	for _, flag := range announced(t, newBundle(t)).Linux.MemoryPolicy.Flags {
		b := newSerial(t, func(s *specs.Spec) {
			s.Linux.MemoryPolicy = &specs.LinuxMemoryPolicy{Mode: "MPOL_BIND", Nodes: "0", Flags: []specs.MemoryPolicyFlagType{specs.MemoryPolicyFlagType(flag)}}
		}, prog("facts"))
		r := b.run()
		if r.code != 0 && strings.Contains(r.err, "linux.memoryPolicy") && strings.Contains(r.err, "invalid argument") {
			t.Logf("%s: this kernel does not have it: %s", flag, r.err)
			continue
		}
		if got := decode[struct{ MemPolicy int }](t, r.ok(t).out).MemPolicy; bits[flag] == 0 || got&bits[flag] == 0 {
			t.Errorf("%s: policy %#x", flag, got)
		}
	}
}

func TestNetDeviceMovesIntoTheContainer(t *testing.T) {
	onlyTare(t, "netDevices")
	b := newBundle(t)
	name := fmt.Sprintf("tit%d", os.Getpid()%100000)
	if out, err := exec.Command("busybox", "ip", "link", "add", name, "type", "veth").CombinedOutput(); err != nil {
		skip(t, "no veth pair can be made here: %s", out)
	}
	t.Cleanup(func() { exec.Command("busybox", "ip", "link", "del", name).Run() })
	b.edit(func(s *specs.Spec) { s.Linux.NetDevices = map[string]specs.LinuxNetDevice{name: {Name: "inside"}} })
	if links := b.facts().Links; !slices.Contains(links, "inside") {
		t.Errorf("%v", links)
	}
	if exists("/sys/class/net/inside") {
		t.Error("it is on the host, too")
	}
}

func TestDestNofollowMountsOnTheLink(t *testing.T) {
	onlyTare(t, "dest-nofollow, as crun has it")
	b := newBundle(t)
	src := b.hostFile("src", "shown")
	check(t, os.Symlink("/etc/passwd", b.inRoot("data/l")))
	b.edit(addMount(mnt("/data/l", "bind", src, "bind", "dest-nofollow")), sh("cat /data/l; head -c 4 /etc/passwd"))
	if out := b.run().ok(t).out; out != "shownroot" {
		t.Errorf("%q", out)
	}
}

func TestRidmapReachesSubmounts(t *testing.T) {
	onlyTare(t, "ridmap, as crun has it")
	if kernelBefore(t, 6, 3) {
		skip(t, "no idmapped tmpfs before Linux 6.3")
	}
	b := newBundle(t, userNS)
	src := b.tmpfs("src")
	sub := b.tmpfs("src/sub")
	writeFile(t, sub+"/f", "")
	check(t, os.Chown(sub+"/f", 5, 6))
	b.edit(addMount(mnt("/mnt", "bind", src, "rbind", "ridmap")))
	if st := b.stat("/mnt/sub/f")["/mnt/sub/f"]; st.UID != 5 || st.GID != 6 {
		t.Errorf("%+v", st)
	}
}

func TestFeaturesAnnotationsAreOfTheVersion(t *testing.T) {
	onlyTare(t, "what it announces")
	b := newBundle(t)
	version := b.tare("--version").ok(t).out
	for name, line := range map[string]string{"tare.version": "tare version ", "tare.commit": "commit: ",
		"io.github.seccomp.libseccomp.version": "libseccomp: "} {
		got := announced(t, b).Annotations[name]
		if got != "" && !strings.Contains(version, line+got+"\n") || got == "" && strings.Contains(version, line) {
			t.Errorf("%s: %q, and --version says %q", name, got, version)
		}
	}
}

// Other runtimes keep the bundle's path in such a label: it must not be taken from config.json.
func TestAnnotationsDoNotMoveTheBundle(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Annotations = map[string]string{"bundle": "/etc"} })
	b.create()
	if st := b.state(); st.Bundle != b.path {
		t.Errorf("%q", st.Bundle)
	}
}

// TestApparmorProfileIsTheProcesss loads a profile of its own.
func TestApparmorProfileIsTheProcesss(t *testing.T) {
	if data, _ := os.ReadFile("/sys/module/apparmor/parameters/enabled"); strings.TrimSpace(string(data)) != "Y" {
		skip(t, "AppArmor is not on")
	}
	needTool(t, "apparmor_parser")
	b := newBundle(t, sh("cat /proc/self/attr/current; echo x >/tmp/denied"))
	name := "tare-it-" + filepath.Base(b.dir)
	profile := b.hostFile("profile", "profile "+name+" flags=(attach_disconnected) {\n  file,\n  capability,\n  network,\n  signal,\n  deny /tmp/denied w,\n}\n")
	if out, err := exec.Command("apparmor_parser", "-r", profile).CombinedOutput(); err != nil {
		skip(t, "apparmor_parser: %s", out)
	}
	t.Cleanup(func() { exec.Command("apparmor_parser", "-R", profile).Run() })
	b.edit(func(s *specs.Spec) { s.Process.ApparmorProfile = name })
	r := b.run()
	if r.code == 0 || !strings.HasPrefix(r.out, name+" (enforce)") || !strings.Contains(r.err, "ermission denied") {
		t.Errorf("%v", r)
	}
}
