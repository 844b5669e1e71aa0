// Package plan decides what is to be done to the kernel for a container or an exec, and in which
// order. It is pure: a plan is a function of the validated spec, of facts about the host that were
// gathered before, and of the caller's options. It reads no file, makes no system call, asks no clock
// and no environment, and resolves no path of a container: those stay as they are until the init
// stage opens them beneath the root's descriptor.
package plan

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/internal/step"
)

// Plan is all that will be done. Host and Init meet at barriers of the same names in the same order.
type Plan struct {
	// Cgroup is who manages the container's cgroup, and why; zero for an exec, which finds it made.
	Cgroup CgroupChoice
	Host   []step.Step
	Init   []step.Step
	// FDs is the table of descriptors that the init gets: step.FD n names FDs[n-1].
	FDs []FDSource
	// Warnings are sentences for the user, with their config path.
	Warnings []string
}

// FDKind says how the host opens an entry of the table.
type FDKind string

// The kinds of descriptors that travel to the init.
const (
	FDListener FDKind = "listener" // the listening socket that the start command connects to
	FDFile     FDKind = "file"     // IO.ExtraFiles[Index]
	FDTree     FDKind = "tree"     // a detached clone of the mount tree at Path
	FDNewFS    FDKind = "new fs"   // a detached mount of a new FSType with Data, Path being its source
	FDUserNS   FDKind = "userns"   // a user namespace with the maps UIDMap and GIDMap, or at Path
	FDAppend   FDKind = "append"   // the file at Path, made where it is missing, to append to
)

// FDSource is an entry of the table.
type FDSource struct {
	At        string // config path
	Kind      FDKind
	Path      string
	Index     int
	Recursive bool
	NoFollow  bool
	FSType    string
	Data      []string
	IDMap     *IDMap
}

// IDMap is the user namespace of an idmapped mount: the one at Path, or a new one with these maps.
type IDMap struct {
	Path      string
	UID, GID  []step.IDMap
	Recursive bool // the whole tree is mapped
}

// Options are the caller's choices.
type Options struct {
	ID     string
	Bundle string // absolute
	// Rootfs is root.path made absolute.
	Rootfs       string
	NoPivot      bool
	NoNewKeyring bool
	// Extra is how many descriptors follow the standard ones; the first Listen of them are for
	// socket activation.
	Extra, Listen int
	// NotifyDir is the host directory with the notify socket, "" for none.
	NotifyDir string
	// ConsoleRows and ConsoleCols are used when the spec gives no size.
	ConsoleRows, ConsoleCols uint32
	// Filter is the compiled seccomp program, nil for none.
	Filter *Filter
	// CgroupPath is what people call the container's cgroup.
	CgroupPath string
	// CgroupSub is a sub-cgroup for exec.
	CgroupSub string
}

// Filter is a compiled seccomp program.
type Filter struct {
	Program []byte // struct sock_filter, host byte order
	Flags   uint64 // SECCOMP_FILTER_FLAG_*
	Notify  bool
}

// Facts is what a plan depends on beside the spec. package facts fills it, for what Needs names.
type Facts struct {
	// Privileged: the caller has CAP_SYS_ADMIN over its own mount namespace.
	Privileged bool
	// InUserNS: the caller is not in the host's first user namespace.
	InUserNS bool
	// GroupsDenied: the caller's user namespace denies setgroups(2), and all below it do.
	GroupsDenied bool
	// ForeignMounts: the caller's mount namespace belongs to another user namespace than the caller's, so that
	// no tree of it can be cloned.
	ForeignMounts bool
	// Resource: the caller has CAP_SYS_RESOURCE, so that prlimit(2) reaches processes of any user.
	Resource   bool
	EUID, EGID uint32
	LastCap    uint32 // highest capability number of the kernel
	AppArmor   bool   // the LSM is on
	SELinux    bool
	Kcore      bool // /proc/kcore exists
	// Cgroup is the mounted hierarchies and the container's place in them.
	Cgroup CgroupFacts
	// HostNamespaces are those namespace paths of the spec that lead to the caller's own
	// namespace: joining them would change nothing.
	HostNamespaces []string
	// JoinedUser are the id maps of the user namespace that the spec joins, when they can be told.
	JoinedUser *UserMaps
}

// UserMaps are the id maps of a user namespace.
type UserMaps struct{ UID, GID []specs.LinuxIDMapping }

// CgroupFacts is how the host's cgroups look.
type CgroupFacts struct {
	Mode        string // "v1", "v2", "hybrid", "none"
	Manager     string // "cgroupfs", "systemd", "disabled"
	Why         string // what made it that manager, as a sentence's part
	Disabled    bool   // nothing is to be done about cgroups
	NeedsPID    bool   // the manager makes the cgroup around a process (systemd)
	Into        bool   // CLONE_INTO_CGROUP covers all that a process must join
	NoJoin      bool   // the caller has no permission: the container runs without a cgroup of its own
	Hierarchies []Hierarchy
}

// CgroupChoice says who manages a container's cgroup.
type CgroupChoice struct {
	Manager string // "cgroupfs", "systemd"; "disabled": nobody, there is none
	Mode    string // as in CgroupFacts
	Path    string // for people; "" when there is none
	Why     string
}

// Hierarchy is one mounted cgroup hierarchy.
type Hierarchy struct {
	Mount       string // mount point on the host
	Dir         string // the container's directory in it, absolute on the host
	Version     int
	Controllers []string // v1
}

// Needs says which facts a spec asks for, beyond those that cost nothing.
type Needs struct {
	LSM            bool
	Kcore          bool
	NamespacePaths []NamespacePath
}

// NamespacePath is a namespace that the spec joins.
type NamespacePath struct {
	At    string
	Path  string
	Types uint64
}
