package integration

import (
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"tare/integration/report"
)

func wantCaps(t *testing.T, f report.Facts, set string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if !slices.Equal(f.Caps[set], want) {
		t.Errorf("%s: %v, want %v", set, f.Caps[set], want)
	}
}

func TestCapabilitySetsAreExactlyTheConfigured(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) {
		s.Process.Capabilities = &specs.LinuxCapabilities{
			Bounding: []string{"CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_FOWNER"}, Permitted: []string{"CAP_CHOWN", "CAP_KILL", "CAP_SETUID"},
			Effective: []string{"CAP_CHOWN", "CAP_KILL"}, Inheritable: []string{"CAP_CHOWN"}, Ambient: []string{"CAP_CHOWN"},
		}
	}, user(1000, 1000))
	f := b.facts() // execve of a program without file capabilities leaves a non-root user the ambient ones
	wantCaps(t, f, "bounding", "CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_FOWNER")
	wantCaps(t, f, "inheritable", "CAP_CHOWN")
	wantCaps(t, f, "ambient", "CAP_CHOWN")
	wantCaps(t, f, "permitted", "CAP_CHOWN")
	wantCaps(t, f, "effective", "CAP_CHOWN")
}

func TestRootHasTheBoundingSetAfterExecve(t *testing.T) {
	b := newBundle(t, capSets("CAP_KILL", "CAP_NET_RAW"))
	f := b.facts()
	for _, set := range []string{"bounding", "permitted", "effective"} {
		wantCaps(t, f, set, "CAP_KILL", "CAP_NET_RAW")
	}
	wantCaps(t, f, "inheritable")
	wantCaps(t, f, "ambient")
}

func TestNoCapabilitiesSectionMeansNone(t *testing.T) {
	not(t, "runc", "leaves them")
	b := newBundle(t, func(s *specs.Spec) { s.Process.Capabilities = nil })
	f := b.facts()
	for set := range f.Caps {
		wantCaps(t, f, set)
	}
}

func TestEmptyCapabilitiesMeanNone(t *testing.T) {
	b := newBundle(t, func(s *specs.Spec) { s.Process.Capabilities = &specs.LinuxCapabilities{} })
	f := b.facts()
	for set := range f.Caps {
		wantCaps(t, f, set)
	}
}

func TestNonRootUserHasNoCapabilitiesWithoutAmbient(t *testing.T) {
	b := newBundle(t, user(1000, 1000))
	f := b.facts()
	for _, set := range []string{"permitted", "effective", "inheritable", "ambient"} {
		wantCaps(t, f, set)
	}
	wantCaps(t, f, "bounding", dockerCaps...)
}

func TestAmbientCapabilitiesWorkForANonRootUser(t *testing.T) {
	b := newBundle(t, user(1000, 1000), func(s *specs.Spec) {
		c := []string{"CAP_NET_BIND_SERVICE"}
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: c, Permitted: c, Effective: c, Inheritable: c, Ambient: c}
	})
	b.edit(func(s *specs.Spec) { s.Linux.Sysctl = map[string]string{"net.ipv4.ip_unprivileged_port_start": "1024"} })
	if r := b.try("netbind"); r["netbind"] != "" {
		t.Errorf("%v", r)
	}
}

func TestWithoutNetBindServiceALowPortIsRefused(t *testing.T) {
	b := newBundle(t, user(1000, 1000), func(s *specs.Spec) {
		s.Linux.Sysctl = map[string]string{"net.ipv4.ip_unprivileged_port_start": "1024"}
	})
	if r := b.try("netbind"); r["netbind"] != "EACCES" {
		t.Errorf("%v", r)
	}
}

func TestAmbientWithoutInheritableIsWarnedOfAndLeftOut(t *testing.T) {
	b := newBundle(t, user(1000, 1000), func(s *specs.Spec) {
		c := []string{"CAP_KILL"}
		s.Process.Capabilities = &specs.LinuxCapabilities{Bounding: c, Permitted: c, Effective: c, Ambient: c}
	})
	wantCaps(t, b.facts(), "ambient")
}

func TestUnknownCapabilityIsIgnoredWithAWarning(t *testing.T) {
	b := newBundle(t, addCaps("CAP_TEA"), prog("facts"))
	log := b.dir + "/log"
	b.global = warningsTo(log)
	wantCaps(t, b.facts(), "bounding", dockerCaps...)
	if !holds(log, "CAP_TEA") || !holds(log, "level=warning") {
		t.Error("no warning in the log")
	}
}

func TestMissingCapabilityHasItsEffect(t *testing.T) {
	needIDs(t)
	b := newBundle(t, capSets("CAP_KILL"))
	b.mayLeave("data/n")
	r := b.try("mounttmpfs:/mnt", "sethostname:x", "mknodc:/data/n:1:3", "chown:/etc/passwd:5:5", "chroot:/mnt", "syscall:acct", "setuid:5")
	for op, errno := range r {
		if errno != "EPERM" {
			t.Errorf("%s: %q", op, errno)
		}
	}
}

func TestGrantedCapabilityHasItsEffect(t *testing.T) {
	b := newBundle(t, addCaps("CAP_SYS_ADMIN"))
	r := b.try("mounttmpfs:/mnt", "sethostname:x", "chroot:/mnt")
	for op, errno := range r {
		if errno != "" {
			t.Errorf("%s: %q", op, errno)
		}
	}
}

func TestFileCapabilitiesAreOutWithNoNewPrivileges(t *testing.T) {
	needSetuid(t)
	b := newBundle(t, user(1000, 1000), args("/suid", "facts"))
	copyProg(t, b, "suid", 0o4755)
	f := decode[report.Facts](t, b.run().ok(t).out)
	if f.UID[1] != 1000 {
		t.Errorf("setuid worked: %v", f.UID)
	}
}

func TestSetuidProgramsWorkWithoutNoNewPrivileges(t *testing.T) {
	needSetuid(t)
	b := newBundle(t, user(1000, 1000), args("/suid", "facts"), func(s *specs.Spec) { s.Process.NoNewPrivileges = false })
	copyProg(t, b, "suid", 0o4755)
	f := decode[report.Facts](t, b.run().ok(t).out)
	if f.UID[1] != 0 {
		t.Errorf("setuid did not work: %v", f.UID)
	}
	wantCaps(t, f, "effective", dockerCaps...)
}
