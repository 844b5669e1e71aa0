package step

// Barrier stops the init until the host lets it go on: the init says "arrived at Name", the host
// answers when it has come to Release of the same name.
type Barrier struct {
	Place
	Name string
}

// Fallback carries out First; when that fails with one of the errnos in On, it carries out Else
// instead. It is how a plan says what depends on what the kernel answers.
type Fallback struct {
	Place
	First []Step // exactly one step
	On    []uint32
	Else  []Step
}

// Unshare is unshare(2) with CLONE_NEW* bits, on the init's only thread that matters.
type Unshare struct {
	Place
	Flags uint64
}

// Loopback brings the interface lo of the network namespace up.
type Loopback struct{ Place }

// Hostname is sethostname(2).
type Hostname struct {
	Place
	Name string
}

// Domainname is setdomainname(2).
type Domainname struct {
	Place
	Name string
}

// Setsid makes the init a session leader.
type Setsid struct{ Place }

// Keyring joins a new session keyring with this name, labelled Label when not "", and makes it
// searchable by its possessor. ENOSYS is no error.
type Keyring struct {
	Place
	Name  string
	Label string
}

// Sysctl writes Value to the file Key (slashes, relative to proc/sys) of a procfs that is the
// init's own (fsopen), never of what is mounted at /proc.
type Sysctl struct {
	Place
	Key   string
	Value string
}

// Hook runs one createContainer or startContainer hook and waits for it. The state on its stdin is
// StateHead, the hook's pid namespace's number of the init in decimal, StateTail. A hook that
// outlives TimeoutMS (0: no limit) is killed. Its stdout and stderr go into the error.
type Hook struct {
	Place
	Name      string // "createContainer" or "startContainer"
	Path      string
	Args      []string
	Env       []string
	Dir       string // working directory; "" for the rootfs (createContainer)
	TimeoutMS uint64
	Stdout    FD // 0: its end goes into the error
	Stderr    FD
	StateHead []byte
	StateTail []byte
}

// Scheduler is sched_setattr(2) of the calling thread.
type Scheduler struct {
	Place
	Policy   uint32
	Flags    uint64
	Nice     int64
	Priority uint32
	Runtime  uint64 // ns
	Deadline uint64 // ns
	Period   uint64 // ns
}

// IOPriority is ioprio_set(2) of the process: class<<13 | level.
type IOPriority struct {
	Place
	Value uint32
}

// MemoryPolicy is set_mempolicy(2). Nodes is a bit mask in 64-bit words, little end first, of
// MaxNode bits.
type MemoryPolicy struct {
	Place
	Mode    uint32 // mode and flags
	Nodes   []byte // little-endian 64-bit words
	MaxNode uint64
}

// Affinity is sched_setaffinity(2); Mask as in MemoryPolicy.Nodes. An empty mask means all
// processors that the cpuset allows.
type Affinity struct {
	Place
	Mask []byte
}

// Personality is personality(2).
type Personality struct {
	Place
	Persona uint32
}

// Chdir changes into Dir of the container and proves that the result lies within its root
// (CVE-2024-21626). With Create a missing Dir is made, mode 0755. EPERM and EACCES are kept back
// when Retry is set: a second Chdir after the User step repeats it with the container's identity.
type Chdir struct {
	Place
	Dir    string
	Create bool
	Retry  bool
}

// ExecLabel asks the LSM for a label at the next execve, through an attr file of a verified procfs.
type ExecLabel struct {
	Place
	LSM   string // "apparmor" or "selinux"
	Label string
}

// NoNewPrivs is prctl(PR_SET_NO_NEW_PRIVS).
type NoNewPrivs struct{ Place }

// BoundingCaps drops every capability that Keep lacks from the bounding set.
type BoundingCaps struct {
	Place
	Keep uint64
}

// User is setgroups (when SetGroups), setgid, setuid and umask. Permitted capabilities are kept
// over the change (PR_SET_KEEPCAPS); Caps sets the final ones. The standard descriptors are given to
// the user first when ChownStdio is set.
type User struct {
	Place
	UID, GID  uint32
	Groups    []uint32
	SetGroups bool
	// GroupsDenied: a setgroups that the user namespace denies (proc_pid_setgroups(5)) is no error.
	GroupsDenied bool
	Umask        uint32
	ChownStdio   bool
}

// Caps sets the thread's capability sets, then the ambient ones. An ambient capability that the
// kernel refuses is a warning.
type Caps struct {
	Place
	Effective, Permitted, Inheritable, Ambient uint64
}

// FindExec resolves the program as execve will, with the final identity and working directory:
// Name with a slash as it is, else along the PATH entry of Env. Exec uses what it found.
type FindExec struct {
	Place
	Name string
	Path string // the value of PATH
}

// Seccomp installs a compiled filter: an array of struct sock_filter in host byte order. Flags are
// those of seccomp(2). With Notify the listener's descriptor is sent to the host.
type Seccomp struct {
	Place
	Filter []byte
	Flags  uint64
	Notify bool
}

// WaitStart waits for the start command: a connection to the listening socket Listener that says
// go. From then on failures are told on that connection.
type WaitStart struct {
	Place
	Listener FD
}

// PlaceFDs puts the given descriptors at 3, 4, … without close-on-exec; everything above them is
// closed.
type PlaceFDs struct {
	Place
	FDs []FD
}

// Exec is execve(2) of what FindExec found. When Home is set, HOME is added to Env from the
// container's /etc/passwd by the process's uid, "/" when it has no entry.
type Exec struct {
	Place
	Args []string
	Env  []string
	Home bool
}
