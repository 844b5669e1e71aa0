package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// proof is the test of what features announces: one of this package, or one elsewhere as
// "package directory TestName".
type proof struct {
	item      string // as announcedItems has it; a final * stands for the elements of a list that the test goes through
	test      func(*testing.T)
	elsewhere string
}

func proofs() []proof {
	return []proof{
		{item: "ociVersionMin:1.0.0", test: TestFeaturesVersions},
		{item: "ociVersionMax:1.3.0", test: TestFeaturesVersions},
		{item: "hooks:*", test: TestEveryAnnouncedHookRuns},
		{item: "mountOptions:*", test: TestEveryAnnouncedMountOptionHasItsEffect},
		{item: "linux.namespaces:*", test: TestEveryAnnouncedNamespaceIsNew},
		{item: "linux.capabilities:*", test: TestEveryAnnouncedCapabilityIsGiven},
		{item: "linux.cgroup.v1:true", elsewhere: "cgroups/manager TestSet"},
		{item: "linux.cgroup.v2:true", elsewhere: "cgroups/manager TestSet"},
		{item: "linux.cgroup.systemd:true", elsewhere: "cgroups/manager TestSystemdProperties"},
		{item: "linux.cgroup.systemdUser:true", elsewhere: "cgroups/systemd TestVersionAndUserBus"},
		{item: "linux.cgroup.rdma:true", elsewhere: "cgroups/manager TestSet"},
		{item: "linux.seccomp.enabled:true", test: TestSeccompFilterIsAttached},
		{item: "linux.seccomp.actions:*", test: TestEveryAnnouncedSeccompActionActs},
		{item: "linux.seccomp.operators:*", test: TestEveryAnnouncedSeccompOperatorCompares},
		{item: "linux.seccomp.archs:*", test: TestEveryAnnouncedSeccompArchIsTaken},
		{item: "linux.seccomp.knownFlags:*", test: TestEveryAnnouncedSeccompFlagIsTaken},
		{item: "linux.seccomp.supportedFlags:*", test: TestEveryAnnouncedSeccompFlagIsTaken},
		{item: "linux.apparmor.enabled:true", test: TestApparmorProfileIsTheProcesss},
		{item: "linux.selinux.enabled:true", test: TestSelinuxLabelIsTheProcesss},
		{item: "linux.intelRdt.enabled:true", elsewhere: "internal/host TestRdtOwn"},
		{item: "linux.intelRdt.schemata:true", elsewhere: "internal/host TestRdtUpdate"},
		{item: "linux.intelRdt.monitoring:true", elsewhere: "internal/host TestRdtStat"},
		{item: "linux.memoryPolicy.modes:*", test: TestEveryAnnouncedMemoryPolicyIsSet},
		{item: "linux.memoryPolicy.flags:*", test: TestEveryAnnouncedMemoryPolicyFlagIsSet},
		{item: "linux.mountExtensions.idmap.enabled:true", test: TestIdmappedBindTranslatesOwners},
		{item: "linux.netDevices.enabled:true", test: TestNetDeviceMovesIntoTheContainer},
		{item: "annotations.io.github.seccomp.libseccomp.version", test: TestFeaturesAnnotationsAreOfTheVersion},
		{item: "annotations.tare.version", test: TestFeaturesAnnotationsAreOfTheVersion},
		{item: "annotations.tare.commit", test: TestFeaturesAnnotationsAreOfTheVersion},
		{item: "annotations.org.opencontainers.runc.checkpoint.enabled", test: TestFeaturesTellWhetherThereIsCRIU},
		{item: "potentiallyUnsafeConfigAnnotations:bundle", test: TestAnnotationsDoNotMoveTheBundle},
		{item: "potentiallyUnsafeConfigAnnotations:org.criu.config", test: TestRestoredContainerGoesOnWhereItWas},
		{item: "potentiallyUnsafeConfigAnnotations:org.systemd.property.", elsewhere: "cgroups/systemd TestAnnotated"},
		{item: "potentiallyUnsafeConfigAnnotations:run.oci.", test: TestPidfdReceiverAnnotation},
		{item: "potentiallyUnsafeConfigAnnotations:tare.boot", test: TestBootGivesAnInitItsPlaces},
	}
}

// announcedItems are the leaves of what features prints: "path:value", of annotations "annotations.name".
func announcedItems(path string, v any) []string {
	switch v := v.(type) {
	case map[string]any:
		var out []string
		for k, e := range v {
			if path == "annotations" {
				out = append(out, path+"."+k)
				continue
			}
			out = append(out, announcedItems(strings.TrimPrefix(path+"."+k, "."), e)...)
		}
		return out
	case []any:
		var out []string
		for _, e := range v {
			out = append(out, fmt.Sprintf("%s:%v", path, e))
		}
		return out
	}
	return []string{fmt.Sprintf("%s:%v", path, v)}
}

func TestEverythingThatFeaturesAnnouncesHasATest(t *testing.T) {
	onlyTare(t, "what it announces")
	b := newBundle(t)
	items := announcedItems("", decode[any](t, b.tare("features").ok(t).out))
	if len(items) < 150 {
		t.Errorf("only %d items: %q", len(items), items)
	}
	for _, item := range items {
		if !slices.ContainsFunc(proofs(), func(p proof) bool {
			list, isList := strings.CutSuffix(p.item, "*")
			return p.item == item || isList && strings.HasPrefix(item, list)
		}) {
			t.Errorf("%s is announced, and no test is named for it", item)
		}
	}
	for _, p := range proofs() {
		if p.elsewhere != "" {
			wantTestIn(t, p.elsewhere)
		}
	}
}

// wantTestIn looks for a test in the sources, where there are any.
func wantTestIn(t *testing.T, where string) {
	t.Helper()
	dir, name, _ := strings.Cut(where, " ")
	files, _ := filepath.Glob(filepath.Join(testdata, "../..", dir, "*_test.go"))
	if len(files) == 0 {
		if !exists(filepath.Join(testdata, "../../go.mod")) {
			return // only the built test is here
		}
		t.Errorf("%s: no such tests", where)
	}
	for _, f := range files {
		if data, err := os.ReadFile(f); err == nil && strings.Contains(string(data), "\nfunc "+name+"(t *testing.T)") {
			return
		}
	}
	t.Errorf("%s: no such test", where)
}
