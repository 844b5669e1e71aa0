package integration

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func sampleSpec(t *testing.T, flags ...string) *specs.Spec {
	t.Helper()
	b := newBundle(t)
	dir := b.hostDir("sample")
	b.tare(append([]string{"spec", "--bundle", dir}, flags...)...).ok(t)
	s := decode[specs.Spec](t, readFile(t, filepath.Join(dir, "config.json")))
	return &s
}

func TestSpecWritesASampleConfig(t *testing.T) {
	s := sampleSpec(t)
	if s.Version == "" || s.Process == nil || !slices.Equal(s.Process.Args, []string{"sh"}) || !s.Process.Terminal || !s.Process.NoNewPrivileges {
		t.Errorf("%+v", s.Process)
	}
	if s.Root == nil || s.Root.Path != "rootfs" || !s.Root.Readonly || len(s.Mounts) != 7 {
		t.Errorf("%+v, %d mounts", s.Root, len(s.Mounts))
	}
	if c := s.Process.Capabilities; c == nil || len(c.Bounding) != 3 || len(c.Inheritable) != 0 {
		t.Errorf("%+v", c)
	}
	if len(s.Process.Rlimits) != 1 || s.Process.Rlimits[0] != (specs.POSIXRlimit{Type: "RLIMIT_NOFILE", Soft: 1024, Hard: 1024}) {
		t.Errorf("%+v", s.Process.Rlimits)
	}
	if s.Linux == nil || len(s.Linux.MaskedPaths) == 0 || len(s.Linux.ReadonlyPaths) == 0 {
		t.Errorf("%+v", s.Linux)
	}
}

func TestSpecHasNoAmbientCapabilities(t *testing.T) {
	not(t, "runc", "1.1 sets them")
	if c := sampleSpec(t).Process.Capabilities; len(c.Ambient) != 0 {
		t.Errorf("%+v", c)
	}
}

func TestSpecSampleRuns(t *testing.T) {
	b := newBundle(t)
	check(t, os.RemoveAll(filepath.Join(b.path, "config.json")))
	b.tare("spec", "--bundle", b.path).ok(t)
	s := decode[specs.Spec](t, readFile(t, filepath.Join(b.path, "config.json")))
	s.Process.Terminal, s.Process.Args = false, []string{"true"}
	s.Linux.CgroupsPath = b.spec.Linux.CgroupsPath
	b.spec = &s
	b.run().ok(t)
}

func TestSpecRefusesToOverwrite(t *testing.T) {
	b := newBundle(t)
	b.write()
	before := readFile(t, filepath.Join(b.path, "config.json"))
	b.tare("spec", "-b", b.path).fails(t, "File config.json exists. Remove it first")
	if readFile(t, filepath.Join(b.path, "config.json")) != before {
		t.Error("overwritten all the same")
	}
}

func TestSpecRootlessHasAUserNamespaceAndNoNetwork(t *testing.T) {
	s := sampleSpec(t, "--rootless")
	types := map[specs.LinuxNamespaceType]bool{}
	for _, n := range s.Linux.Namespaces {
		types[n.Type] = true
	}
	if !types["user"] || types["network"] || len(s.Linux.UIDMappings) != 1 || s.Linux.UIDMappings[0].Size != 1 {
		t.Errorf("%+v", s.Linux)
	}
	if s.Linux.Resources != nil {
		t.Errorf("%+v", s.Linux.Resources)
	}
}

func TestSpecToAnotherFile(t *testing.T) {
	onlyTare(t, "spec --file, as crun has it")
	b := newBundle(t)
	file := filepath.Join(b.dir, "other.json")
	b.tare("spec", "--file", file).ok(t)
	decode[specs.Spec](t, readFile(t, file))
}

func TestPlanPrintsWhatACreateWouldDo(t *testing.T) {
	onlyTare(t, "plan")
	b := newBundle(t, addMount(mnt("/mnt", "tmpfs", "planned-source")))
	b.write()
	out := b.tare("plan", b.path).ok(t).out
	for _, want := range []string{"planned-source", "/mnt"} {
		if !holdsText(out, want) {
			t.Errorf("no %s in %q", want, out)
		}
	}
	b.wantNoCgroups()
	b.tare("state", b.id).fails(t, "does not exist")
}

func TestPlanJSONIsJSON(t *testing.T) {
	onlyTare(t, "plan")
	b := newBundle(t, addMount(mnt("/mnt", "tmpfs", "planned-source")))
	b.write()
	out := b.tare("plan", "--json", b.path).ok(t).out
	if p := decode[struct{ Cgroup struct{ Manager, Why string } }](t, out); p.Cgroup.Manager == "" || p.Cgroup.Why == "" {
		t.Errorf("%+v", p)
	}
	if !holdsText(out, "planned-source") {
		t.Errorf("%q", out)
	}
}

func TestPlanIsTheSameTwice(t *testing.T) {
	onlyTare(t, "plan")
	b := newBundle(t, masked("/proc/keys"), readonly("/proc/sys"), sysctl("net.ipv4.ip_forward", "1"), sysctl("kernel.msgmax", "8000"))
	b.write()
	if one, two := b.tare("plan", b.path).ok(t).out, b.tare("plan", b.path).ok(t).out; one != two {
		t.Errorf("%q\n%q", one, two)
	}
}

func TestPlanOfABadConfigFails(t *testing.T) {
	onlyTare(t, "plan")
	b := newBundle(t, args())
	b.write()
	b.tare("plan", b.path).fails(t, "args must not be empty")
}

func TestPlanOfAMissingBundleFails(t *testing.T) {
	onlyTare(t, "plan")
	b := newBundle(t)
	b.tare("plan", b.dir+"/none").fails(t)
}
