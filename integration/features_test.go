package integration

import (
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go/features"
)

func featuresOf(t *testing.T) features.Features {
	t.Helper()
	b := newBundle(t)
	return decode[features.Features](t, b.tare("features").ok(t).out)
}

func TestFeaturesVersions(t *testing.T) {
	f := featuresOf(t)
	if f.OCIVersionMin != "1.0.0" || !strings.HasPrefix(f.OCIVersionMax, "1.") {
		t.Errorf("%s to %s", f.OCIVersionMin, f.OCIVersionMax)
	}
}

func TestFeaturesHooksAreTheSix(t *testing.T) {
	got := featuresOf(t).Hooks
	want := slices.Clone(hookNames)
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

func TestFeaturesMountOptionsAreSortedAndHaveRro(t *testing.T) {
	got := featuresOf(t).MountOptions
	if !slices.IsSorted(got) || !slices.Contains(got, "rro") || !slices.Contains(got, "rbind") {
		t.Errorf("%v", got)
	}
}

func TestFeaturesNamespaces(t *testing.T) {
	f := featuresOf(t)
	if f.Linux == nil || !slices.Contains(f.Linux.Namespaces, "user") || !slices.Contains(f.Linux.Namespaces, "cgroup") {
		t.Fatalf("%+v", f.Linux)
	}
	if !slices.Contains(f.Linux.Namespaces, "time") {
		not(t, "runc", "1.1 has no time namespaces")
		t.Errorf("%v", f.Linux.Namespaces)
	}
}

func TestFeaturesCapabilitiesAreAllOfTheKernels(t *testing.T) {
	if got := featuresOf(t).Linux.Capabilities; len(got) != 41 || !slices.Contains(got, "CAP_CHECKPOINT_RESTORE") {
		t.Errorf("%d: %v", len(got), got)
	}
}

func TestFeaturesCgroup(t *testing.T) {
	c := featuresOf(t).Linux.Cgroup
	if c == nil || c.V1 == nil || !*c.V1 || c.V2 == nil || !*c.V2 || c.Systemd == nil || !*c.Systemd {
		t.Errorf("%+v", c)
	}
}

func TestFeaturesSeccomp(t *testing.T) {
	s := featuresOf(t).Linux.Seccomp
	if s == nil || s.Enabled == nil || !*s.Enabled || !slices.Contains(s.Actions, "SCMP_ACT_NOTIFY") ||
		!slices.Contains(s.Operators, "SCMP_CMP_MASKED_EQ") || !slices.Contains(s.Archs, "SCMP_ARCH_AARCH64") {
		t.Errorf("%+v", s)
	}
}

func TestFeaturesSeccompFlags(t *testing.T) {
	not(t, "runc", "1.1 has none")
	s := featuresOf(t).Linux.Seccomp
	if !slices.Contains(s.KnownFlags, "SECCOMP_FILTER_FLAG_LOG") || !slices.Contains(s.SupportedFlags, "SECCOMP_FILTER_FLAG_LOG") {
		t.Errorf("%+v", s)
	}
}

func TestFeaturesIdmapAndNetDevices(t *testing.T) {
	not(t, "runc", "1.1 has neither")
	l := featuresOf(t).Linux
	if l.MountExtensions == nil || l.MountExtensions.IDMap == nil || l.MountExtensions.IDMap.Enabled == nil || !*l.MountExtensions.IDMap.Enabled {
		t.Errorf("%+v", l.MountExtensions)
	}
	if l.NetDevices == nil || l.NetDevices.Enabled == nil || !*l.NetDevices.Enabled {
		t.Errorf("%+v", l.NetDevices)
	}
}
