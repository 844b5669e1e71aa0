package step

// SetPropagation is mount(2) with MS_* propagation Flags on Path of the init's present root ("/").
type SetPropagation struct {
	Place
	Path  string
	Flags uint64
}

// OpenRootfs makes the rootfs a mount of its own and opens it: all later steps work beneath that
// descriptor. Path is the rootfs on the host, absolute and clean. Tree, when given, is a detached
// clone of it that the host made. Before that the mount that Path lies on is made Parent (MS_PRIVATE
// or MS_SLAVE), so that nothing leaks to the host.
//
// Ephemeral lays an overlay over it, whose upper layer is a tmpfs; UserXattr makes that overlay keep its marks in
// user.* attributes, as it must in a user namespace.
type OpenRootfs struct {
	Place
	Path                 string
	Tree                 FD
	Parent               uint64
	Ephemeral, UserXattr bool
}

// MountKind says how a Mount gets its tree.
type MountKind = uint32

// The ways to get the tree of a mount.
const (
	MountFS      MountKind = iota // a new instance of FSType
	MountBind                     // a clone of Source, or of the descriptor Tree
	MountRemount                  // change what is mounted on Target already
)

// Option bits of a Mount.
const (
	MountRecursive    uint64 = 1 << iota // bind: the whole tree (rbind)
	MountCopyUp                          // tmpfs: fill it with what it hides
	MountCopySymlink                     // bind: a symlink source is made again, not mounted
	MountSrcNoFollow                     // bind: a symlink source is mounted itself
	MountDestNoFollow                    // the last component of Target is not followed
	MountNoSymlinks                      // Target must be a real directory, with no link anywhere (/proc, /sys)
	MountProcGuard                       // Target lies under /proc: it may be mounted on only when the plan says so
	MountSourceProc                      // bind: the source must be a procfs
	MountKeepFlags                       // bind: the source's nosuid, nodev, noexec, ro stay, as in a user namespace
	MountOptional                        // a missing source or target is no error
)

// Mount makes one mount of the container. Target is a path of the container, resolved beneath the
// rootfs's descriptor; a missing one is created (directory 0755, or file 0644 when the source is no
// directory). Source is a path of the host, or the file system's source string.
//
// Set and Clear are MS_* flags that were asked for and asked to be cleared; they become mount
// attributes. RecSet and RecClr are MOUNT_ATTR_* bits for the whole tree, applied after them.
// Propagation are MS_SHARED…MS_REC values, applied in order after that. Data are the file
// system's own options, one `key` or `key=value` each.
type Mount struct {
	Place
	Type        MountKind
	Source      string
	Target      string
	FSType      string
	Set, Clear  uint64
	Data        []string
	Label       string // SELinux label of a new file system's root, for one without a context= option
	RecSet      uint64
	RecClr      uint64
	Propagation []uint32
	Opts        uint64
	Tree        FD
	IDMap       FD // user namespace for an idmapped mount
	IDMapRec    bool
}

// Unmount detaches what is mounted on Target, with all that is mounted below it. Target is a path of the
// container; its root cannot be detached.
type Unmount struct {
	Place
	Target string
}

// Symlink makes a symbolic link Path → Target in the container. With Replace whatever
// non-directory is there gives way; without, an existing one is kept.
type Symlink struct {
	Place
	Path    string
	Target  string
	Replace bool
}

// Device makes a device node, or binds the host's.
type Device struct {
	Place
	Path         string
	Type         uint32 // S_IFCHR, S_IFBLK or S_IFIFO
	Major, Minor uint32
	Mode         uint32 // permission bits
	UID, GID     uint32 // container ids
	// Bind: bind Source (a host path) instead of mknod. Otherwise mknod, and when that gives EPERM
	// and Source is not "", the bind after all.
	Bind   bool
	Source string
}

// Console makes a pseudo terminal from the devpts of the container, makes it the controlling
// terminal and descriptors 0-2 and, with BindConsole, mounts it on /dev/console. The master goes to the
// host. Sizes are set only when both are not 0.
type Console struct {
	Place
	Rows, Cols  uint32
	BindConsole bool
	UID         uint32
}

// MaskPath hides Path: a directory under an empty read-only tmpfs, anything else under the
// container's verified /dev/null. A missing one is skipped.
type MaskPath struct {
	Place
	Path  string
	Label string
}

// ReadonlyPath makes the tree at Path read-only. A missing one is skipped.
type ReadonlyPath struct {
	Place
	Path string
}

// ReadonlyRoot makes the root mount read-only, its locked flags kept.
type ReadonlyRoot struct{ Place }

// PivotRoot makes the rootfs the root with pivot_root(2) and detaches the old one.
type PivotRoot struct{ Place }

// MoveRoot makes the rootfs the root with MS_MOVE and chroot(2), after it has hidden the procfs
// and sysfs mounts of the host that would stay reachable.
type MoveRoot struct{ Place }
