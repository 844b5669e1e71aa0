package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// A plain caller is not root. Then every case is rootless: its user namespace has the caller as root, and the caller's
// subordinate ids above, and its cgroup lies below the caller's own if that is delegated. What cannot be so skips.

// idMaps are for uids and gids.
type idMaps struct{ uid, gid []specs.LinuxIDMapping }

// unfit says why nothing can run here, or "".
func unfit() string {
	if os.Geteuid() == 0 {
		return ""
	}
	if exec.Command("unshare", "-U", "true").Run() != nil {
		return "not root, and no user namespaces"
	}
	return ""
}

func preparePlain() error {
	suite.plain, suite.user = true, uint32(os.Geteuid())
	suite.maps = idMaps{ownIDs("/etc/subuid", "newuidmap", os.Geteuid()), ownIDs("/etc/subgid", "newgidmap", os.Getegid())}
	return takeDelegated()
}

// ownIDs maps own to 0, and what file and the helper grant to the ids from 1 on.
func ownIDs(file, helper string, own int) []specs.LinuxIDMapping {
	ids := []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(own), Size: 1}}
	if _, err := exec.LookPath(helper); err != nil {
		return ids
	}
	data, _ := os.ReadFile(file)
	for _, line := range strings.Split(string(data), "\n") {
		f := strings.Split(line, ":")
		if len(f) != 3 || f[0] != os.Getenv("USER") && f[0] != strconv.Itoa(os.Geteuid()) {
			continue
		}
		first, err1 := strconv.ParseUint(f[1], 10, 32)
		size, err2 := strconv.ParseUint(f[2], 10, 32)
		if err1 == nil && err2 == nil && size > 1 {
			return append(ids, specs.LinuxIDMapping{ContainerID: 1, HostID: uint32(first), Size: uint32(size)})
		}
	}
	return ids
}

// takeDelegated makes the caller's own cgroup ready for children, if that is delegated: its processes go to a leaf, for
// only a cgroup without processes gives controllers away.
func takeDelegated() error {
	line, err := os.ReadFile("/proc/self/cgroup")
	if err != nil || layout != cgroup2 {
		return err
	}
	own := strings.TrimSpace(strings.TrimPrefix(string(line), "0::"))
	dir := filepath.Join("/sys/fs/cgroup", own)
	if unix.Access(dir+"/cgroup.subtree_control", unix.W_OK) != nil || unix.Access(dir, unix.W_OK) != nil {
		return nil
	}
	leaf := dir + "/tests"
	if err := os.MkdirAll(leaf, 0o755); err != nil {
		return err
	}
	procs, err := os.ReadFile(dir + "/cgroup.procs")
	if err != nil {
		return err
	}
	for _, pid := range strings.Fields(string(procs)) {
		if err := os.WriteFile(leaf+"/cgroup.procs", []byte(pid), 0); err != nil {
			return fmt.Errorf("leave %s: %w", dir, err)
		}
	}
	suite.prefix, suite.granted = filepath.Join(own, suite.prefix), true
	return nil
}

// rootlessSpec makes the default spec one for a plain caller.
func rootlessSpec(s *specs.Spec) {
	addNS("user")(s)
	s.Linux.UIDMappings, s.Linux.GIDMappings = slices.Clone(suite.maps.uid), slices.Clone(suite.maps.gid)
	if len(suite.maps.gid) == 1 { // no gid 5
		dropMount("/dev/pts")(s)
		addMount(mnt("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"))(s)
	}
	if !suite.granted {
		s.Linux.Resources, s.Linux.CgroupsPath = &specs.LinuxResources{}, ""
	}
}

// needGranted skips the case of a plain caller without a cgroup of its own.
func needGranted(t *testing.T) {
	t.Helper()
	if suite.plain && !suite.granted {
		skip(t, "not root, and no delegated cgroup")
	}
}

// needPrivilege skips a plain caller's case that root alone can carry out.
func needPrivilege(t *testing.T) {
	t.Helper()
	if !suite.plain {
		return
	}
	if why := forRoot(t.Name()); why != "" {
		skip(t, "for root: %s", why)
	}
	if !suite.granted && oneOf(t.Name(), "TestCgroupsPath", "TestEmptyCgroupsPath", "TestCreateInACgroup", "TestDeleteRemovesEveryCgroup",
		"TestProcessIsInItsCgroup", "TestUnifiedOnV1", "TestResourceFindings", "TestEventsStats", "TestPs", "TestCgroupMount",
		"TestForegroundRunRemovesItsCgroup", "TestExecCgroupOption", "TestExecJoinsTheCgroup", "TestUpdate", "TestInitKilledAtARandomMoment",
		"TestRunReapsOrphans", "TestRunWithoutSubreaper", "TestContention", "TestASigkillIsNot", "TestTwoContainersShareAParent",
		"TestAFailedCreateRemovesTheParents", "TestCreateBelowAFrozen", "TestStateOfAContainerBelowAFrozen", "TestPauseOfAForking",
		"TestConfigWithObsolete") {
		needGranted(t)
	}
}

// needPlain skips the plain caller's case whose process or mounts ask for more than the caller can have.
func needPlain(t *testing.T, s *specs.Spec) {
	t.Helper()
	if !suite.plain || s.Process == nil {
		return
	}
	u := s.Process.User
	if len(u.AdditionalGids) > 0 {
		skip(t, "for root: a plain caller is refused additional groups")
	}
	if u.UID != 0 || u.GID != 0 {
		needIDs(t)
	}
	pid := slices.ContainsFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == "pid" && n.Path == "" })
	if !pid && slices.ContainsFunc(s.Mounts, func(m specs.Mount) bool { return m.Type == "proc" }) {
		skip(t, "for root: proc of a pid namespace that belongs to another user namespace")
	}
}

// needIDs skips the case of a plain caller who has but one id to give.
func needIDs(t *testing.T) {
	t.Helper()
	if suite.plain && (len(suite.maps.uid) == 1 || len(suite.maps.gid) == 1) {
		skip(t, "needs more ids than one (newuidmap, newgidmap, /etc/subuid and /etc/subgid)")
	}
}

// forRoot says why a plain caller cannot carry the case out, or "".
func forRoot(name string) string {
	switch {
	case oneOf(name, "TestUserNamespace", "TestExecJoinsTheUserNamespace"):
		return "gives ids that only root may give (the caller's own are in the TestPlain cases)"
	case oneOf(name, "TestIdmappedTmpfs"):
		return "an idmapped mount"
	case oneOf(name, "TestUnlistedNamespaceIsTheCallers/user"):
		return "a plain caller must have a user namespace"
	case oneOf(name, "TestConfiguredDevice", "TestDevice", "TestLaterDeviceRule", "TestDefaultDeviceNodes"):
		return "device nodes and rules"
	case oneOf(name, "TestOldRootIsGone"):
		return "devices are binds in a user namespace"
	case oneOf(name, "TestExecAdditionalGroups", "TestExecProcessFileIsTakenWhole", "TestExecKeepsTheConfiguredProcess"):
		return "additional groups are refused to a plain caller"
	case oneOf(name, "TestDevptsWithAnUnmappedGid"):
		return "changes the mappings"
	case oneOf(name, "TestContainersShareANamespaceByPath"):
		return "a namespace that belongs to another user namespace"
	case oneOf(name, "TestRootlessDelegated", "TestRootlessControllerThat", "TestRootlessCgroupsPathOutside", "TestRootlessSystemd"):
		return "gives a cgroup to a user (the caller's own is in the TestPlain cases)"
	case suite.granted && oneOf(name, "TestRootlessLimitWithout", "TestRootlessWithoutLimits", "TestRootlessCommandsThatNeed", "TestRootlessKillAllWithout"):
		return "a user without a delegated cgroup"
	case oneOf(name, "TestReadonlyPathRefusesWrites"):
		return "writes what only the host's root may"
	case oneOf(name, "TestIOPriorityIsSet/IOPRIO_CLASS_RT"):
		return "the real-time class"
	case oneOf(name, "TestSysctlDomainnameNeedsUTSNamespace"):
		return "the file belongs to the host's root in every namespace"
	case oneOf(name, "TestLogService", "TestLogGoesTo", "TestLogOfSeveralLines", "TestRootlessWithoutMappings"):
		return "mounts something in the place of the machine's own"
	case oneOf(name, "TestCwdReadableOnlyByTheUser"):
		return "gives a file to another user"
	case oneOf(name, "TestEveryRlimitIsSet"):
		return "raises hard limits"
	case oneOf(name, "TestNoDeviceProgram"):
		return "asks the kernel for the programs of a cgroup"
	case oneOf(name, "TestCgroupBelongsTo", "TestDelegationStopsAt", "TestReadonlyCgroupMountDelegates", "TestDelegatedFilesBelong"):
		return "a plain caller's cgroup is the caller's, and so the container's root's"
	case oneOf(name, "TestCheckpointWithoutCRIU", "TestCheckpointOfAPaused", "TestHookOfCreateIsToldThatTheContainerIsBeingCreated/checkpoint"):
		return "a plain caller is refused before"
	case oneOf(name, "TestSpecSampleRuns"):
		return "the sample of `spec` without --rootless"
	}
	return ""
}

// onHost is the host's number for an id of a container of the default spec.
func onHost(maps []specs.LinuxIDMapping, id uint32) uint32 {
	for _, m := range maps {
		if id >= m.ContainerID && id-m.ContainerID < m.Size {
			return m.HostID + id - m.ContainerID
		}
	}
	return id
}

// oneOf tells whether the name of a case begins with one of the prefixes.
func oneOf(name string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
