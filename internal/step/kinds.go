package step

// Kind is the tag of a step's struct in the binary form. Host and init are always the same binary,
// so the numbers are free to change between versions.
type Kind uint8

// The kinds. The host's come last.
const (
	kindNone Kind = iota
	KindBarrier
	KindFallback
	KindUnshare
	KindLoopback
	KindHostname
	KindDomainname
	KindSetsid
	KindKeyring
	KindSetPropagation
	KindOpenRootfs
	KindMount
	KindUnmount
	KindSymlink
	KindDevice
	KindConsole
	KindMaskPath
	KindReadonlyPath
	KindReadonlyRoot
	KindPivotRoot
	KindMoveRoot
	KindSysctl
	KindHook
	KindScheduler
	KindIOPriority
	KindMemoryPolicy
	KindAffinity
	KindPersonality
	KindChdir
	KindExecLabel
	KindNoNewPrivs
	KindBoundingCaps
	KindUser
	KindCaps
	KindFindExec
	KindSeccomp
	KindWaitStart
	KindPlaceFDs
	KindExec

	KindCgroupCreate
	KindCgroupLimits
	KindCgroupJoin
	KindCgroupDelegate
	KindSpawn
	KindAwait
	KindRelease
	KindRlimit
	KindOOMScore
	KindNetDevice
	KindHostHook
	KindIntelRdt
	kindEnd
)

// newStep makes the empty struct of kind k, nil for an unknown one.
func newStep(k Kind) Step {
	switch k {
	case KindBarrier:
		return new(Barrier)
	case KindFallback:
		return new(Fallback)
	case KindUnshare:
		return new(Unshare)
	case KindLoopback:
		return new(Loopback)
	case KindHostname:
		return new(Hostname)
	case KindDomainname:
		return new(Domainname)
	case KindSetsid:
		return new(Setsid)
	case KindKeyring:
		return new(Keyring)
	case KindSetPropagation:
		return new(SetPropagation)
	case KindOpenRootfs:
		return new(OpenRootfs)
	case KindMount:
		return new(Mount)
	case KindUnmount:
		return new(Unmount)
	case KindSymlink:
		return new(Symlink)
	case KindDevice:
		return new(Device)
	case KindConsole:
		return new(Console)
	case KindMaskPath:
		return new(MaskPath)
	case KindReadonlyPath:
		return new(ReadonlyPath)
	case KindReadonlyRoot:
		return new(ReadonlyRoot)
	case KindPivotRoot:
		return new(PivotRoot)
	case KindMoveRoot:
		return new(MoveRoot)
	case KindSysctl:
		return new(Sysctl)
	case KindHook:
		return new(Hook)
	case KindScheduler:
		return new(Scheduler)
	case KindIOPriority:
		return new(IOPriority)
	case KindMemoryPolicy:
		return new(MemoryPolicy)
	case KindAffinity:
		return new(Affinity)
	case KindPersonality:
		return new(Personality)
	case KindChdir:
		return new(Chdir)
	case KindExecLabel:
		return new(ExecLabel)
	case KindNoNewPrivs:
		return new(NoNewPrivs)
	case KindBoundingCaps:
		return new(BoundingCaps)
	case KindUser:
		return new(User)
	case KindCaps:
		return new(Caps)
	case KindFindExec:
		return new(FindExec)
	case KindSeccomp:
		return new(Seccomp)
	case KindWaitStart:
		return new(WaitStart)
	case KindPlaceFDs:
		return new(PlaceFDs)
	case KindExec:
		return new(Exec)
	}
	return newHostStep(k)
}

func newHostStep(k Kind) Step {
	switch k {
	case KindCgroupCreate:
		return new(CgroupCreate)
	case KindCgroupLimits:
		return new(CgroupLimits)
	case KindCgroupJoin:
		return new(CgroupJoin)
	case KindCgroupDelegate:
		return new(CgroupDelegate)
	case KindSpawn:
		return new(Spawn)
	case KindAwait:
		return new(Await)
	case KindRelease:
		return new(Release)
	case KindRlimit:
		return new(Rlimit)
	case KindOOMScore:
		return new(OOMScore)
	case KindNetDevice:
		return new(NetDevice)
	case KindHostHook:
		return new(HostHook)
	case KindIntelRdt:
		return new(IntelRdt)
	}
	return nil
}

// String is the kind's name as the text form, the JSON form and error messages write it.
func (k Kind) String() string {
	switch k {
	case KindBarrier:
		return "barrier"
	case KindFallback:
		return "fallback"
	case KindUnshare:
		return "unshare"
	case KindLoopback:
		return "loopback-up"
	case KindHostname:
		return "sethostname"
	case KindDomainname:
		return "setdomainname"
	case KindSetsid:
		return "setsid"
	case KindKeyring:
		return "session-keyring"
	case KindSetPropagation:
		return "set-propagation"
	case KindOpenRootfs:
		return "open-rootfs"
	case KindMount:
		return "mount"
	case KindUnmount:
		return "unmount"
	case KindSymlink:
		return "symlink"
	case KindDevice:
		return "device"
	case KindConsole:
		return "console"
	case KindMaskPath:
		return "mask-path"
	case KindReadonlyPath:
		return "readonly-path"
	case KindReadonlyRoot:
		return "readonly-root"
	case KindPivotRoot:
		return "pivot-root"
	case KindMoveRoot:
		return "move-root"
	case KindSysctl:
		return "sysctl"
	case KindHook:
		return "hook"
	case KindScheduler:
		return "scheduler"
	case KindIOPriority:
		return "io-priority"
	case KindMemoryPolicy:
		return "memory-policy"
	case KindAffinity:
		return "cpu-affinity"
	case KindPersonality:
		return "personality"
	case KindChdir:
		return "chdir"
	case KindExecLabel:
		return "exec-label"
	case KindNoNewPrivs:
		return "no-new-privs"
	case KindBoundingCaps:
		return "bounding-set"
	case KindUser:
		return "user"
	case KindCaps:
		return "capabilities"
	case KindFindExec:
		return "find-executable"
	case KindSeccomp:
		return "seccomp"
	case KindWaitStart:
		return "wait-start"
	case KindPlaceFDs:
		return "place-fds"
	case KindExec:
		return "exec"
	}
	return hostKindString(k)
}

func hostKindString(k Kind) string {
	switch k {
	case KindCgroupCreate:
		return "cgroup-create"
	case KindCgroupLimits:
		return "cgroup-limits"
	case KindCgroupJoin:
		return "cgroup-join"
	case KindCgroupDelegate:
		return "cgroup-delegate"
	case KindSpawn:
		return "spawn"
	case KindAwait:
		return "await"
	case KindRelease:
		return "release"
	case KindRlimit:
		return "rlimit"
	case KindOOMScore:
		return "oom-score"
	case KindNetDevice:
		return "net-device"
	case KindHostHook:
		return "host-hook"
	case KindIntelRdt:
		return "intel-rdt"
	}
	return "unknown"
}
