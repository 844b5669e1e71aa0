package integration

import (
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"tare/integration/report"
)

const bootKey = "tare.boot"

// newInit is a container whose process is to be an init system.
func newInit(t *testing.T, edits ...func(*specs.Spec)) *bundle {
	t.Helper()
	onlyTare(t, "others know no such annotation")
	needGranted(t)
	return newBundle(t, append([]func(*specs.Spec){cgroupMount("ro"), annotate(bootKey, "true")}, edits...)...)
}

func mountAt(f report.Facts, target string) *report.Mount {
	i := slices.IndexFunc(f.Mounts, func(m report.Mount) bool { return m.Target == target })
	if i < 0 {
		return nil
	}
	return &f.Mounts[i]
}

func TestBootGivesAnInitItsPlaces(t *testing.T) {
	b := newInit(t)
	f := b.facts()
	for _, target := range []string{"/run", "/tmp"} {
		if m := mountAt(f, target); m == nil || m.FSType != "tmpfs" || !slices.Contains(m.Options, "nosuid") {
			t.Errorf("%s: %+v", target, m)
		}
	}
	if !slices.Contains(f.Env, "container=oci") {
		t.Errorf("environment %q", f.Env)
	}
	if r := b.try("create:/run/x", "create:/tmp/x"); r["create:/run/x"] != "" || r["create:/tmp/x"] != "" {
		t.Errorf("%v", r)
	}
}

func TestBootKeepsWhatConfigJSONSays(t *testing.T) {
	b := newInit(t, addMount(mnt("/run/", "tmpfs", "own", "ro")), func(s *specs.Spec) { s.Process.Env = append(s.Process.Env, "container=mine") })
	f := b.facts()
	if m := mountAt(f, "/run"); m == nil || m.Source != "own" || !slices.Contains(m.Options, "ro") {
		t.Errorf("/run: %+v", m)
	}
	if !slices.Contains(f.Env, "container=mine") || slices.Contains(f.Env, "container=oci") {
		t.Errorf("environment %q", f.Env)
	}
}

// What the image or the engine mounts below /run lies on the tmpfs, not under it.
func TestBootMountsComeFirst(t *testing.T) {
	b := newInit(t, addMount(mnt("/run/secret", "tmpfs", "secret")))
	if m := mountAt(b.facts(), "/run/secret"); m == nil || m.Source != "secret" {
		t.Errorf("%+v", m)
	}
	if got := b.stat("/run/secret")["/run/secret"]; got.Err != "" {
		t.Errorf("%+v", got)
	}
}

func TestBootLetsAnInitManageItsCgroups(t *testing.T) {
	needV2(t)
	b := newInit(t)
	if r := b.try("mkdir:/sys/fs/cgroup/service", "rmdir:/sys/fs/cgroup/service"); r["mkdir:/sys/fs/cgroup/service"] != "" || r["rmdir:/sys/fs/cgroup/service"] != "" {
		t.Errorf("%v", r)
	}
}

func TestBootedContainerIsToldToHalt(t *testing.T) {
	b := newInit(t)
	r := b.hold()
	b.tare("kill", b.id).ok(t)
	r.waitOut(t, "got SIG37")
	b.tare("kill", b.id, "USR1").ok(t)
	r.waitOut(t, "got SIGUSR1")
}

func TestBootRefusesWhatNoInitCanLiveIn(t *testing.T) {
	for name, row := range map[string]struct {
		edit func(*specs.Spec)
		want string
	}{
		"no cgroup namespace": {dropNS(specs.CgroupNamespace), "cgroup namespace"},
		"no pid namespace":    {dropNS(specs.PIDNamespace), "pid namespace"},
		"no cgroup mount": {func(s *specs.Spec) {
			s.Mounts = slices.DeleteFunc(s.Mounts, func(m specs.Mount) bool { return m.Type == "cgroup" })
		}, "a mount of type cgroup"},
		"another value": {annotate(bootKey, "systemd"), "must be true or false"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newInit(t, row.edit)
			b.run().fails(t, `annotations["tare.boot"]`, row.want)
		})
	}
}
