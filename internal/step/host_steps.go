package step

// CgroupCreate makes the container's cgroup in every hierarchy.
type CgroupCreate struct {
	Place
	Path string // cgroup path or unit, for people: the manager knows the details
}

// CgroupLimits writes the limits that linux.resources asks for.
type CgroupLimits struct{ Place }

// JoinPhase says which hierarchies a CgroupJoin covers.
type JoinPhase = uint32

// The phases of joining. On v2 there is one hierarchy, and JoinAll is the only one that does anything.
const (
	JoinAll   JoinPhase = iota // every hierarchy
	JoinEarly                  // v1: all that charge nothing to a process
	JoinLate                   // v1: memory and pids; v2: all
)

// CgroupJoin moves the init into the container's cgroup.
type CgroupJoin struct {
	Place
	Phase JoinPhase
	Sub   string // sub-cgroup: of exec --cgroup, or made for the program (run.oci.delegate-cgroup)
}

// CgroupDelegate gives the cgroup to the container's root.
type CgroupDelegate struct {
	Place
	UID uint32 // host uid
	Sub string // of the container's cgroup, "" for that itself
}

// How a user namespace of the init gets its id maps.
const (
	MapNone    uint32 = iota // there is no new user namespace
	MapParent                // the runtime writes the maps while the clone waits
	MapHelpers               // newuidmap(1) and newgidmap(1), while the door waits
)

// Join is a namespace that the door enters.
type Join struct {
	Types uint64 // CLONE_NEW* bit; several for a pidfd
	Path  string // the namespace's file, which the host opens for it
}

// IDMap is a line of /proc/PID/uid_map.
type IDMap struct{ Container, Host, Size uint32 }

// Spawn starts the init stage.
type Spawn struct {
	Place
	// Clone are the namespaces (CLONE_NEW*) that clone3(2) itself makes.
	Clone uint64
	// IntoCgroup: the process is born in the cgroup (CLONE_INTO_CGROUP).
	IntoCgroup bool
	// Door: the C constructor has work to do before Go starts: Joins in this order, then Unshare,
	// then TimeOffsets, then with Fork one clone, whose child goes on.
	Door        bool
	Joins       []Join
	Unshare     uint64
	TimeOffsets string // the text for timens_offsets
	Fork        bool
	// Maps of a user namespace among Clone or Unshare.
	MapHow       uint32
	UIDMap       []IDMap
	GIDMap       []IDMap
	DenySetgroup bool
	// The ids in the user namespace (new or joined) that the init takes on before anything else.
	Become   bool
	UID, GID uint32
	// NonDumpable: set before the first join, so that a hostile process inside cannot trace it.
	NonDumpable bool
}

// Await waits until the init has arrived at the barrier Name.
type Await struct {
	Place
	Name string
}

// Release lets the init go on from the barrier Name.
type Release struct {
	Place
	Name string
}

// Rlimit is prlimit(2) on the init. ^0 is infinity.
type Rlimit struct {
	Place
	Name       string
	Resource   uint32
	Soft, Hard uint64
}

// OOMScore writes oom_score_adj of the init.
type OOMScore struct {
	Place
	Value int64
}

// NetDevice moves a network interface into the container's network namespace.
type NetDevice struct {
	Place
	Host string // name on the host
	Name string // name inside; "" keeps it
}

// HostHook runs one prestart, createRuntime, poststart or poststop hook.
type HostHook struct {
	Place
	Name      string
	Path      string
	Args      []string
	Env       []string
	EnvSet    bool // env was given, even if empty: else the runtime's own is passed on
	TimeoutMS uint64
}

// IntelRdt puts the init into a resource control group of resctrl(5).
type IntelRdt struct {
	Place
	CLOS string
}
