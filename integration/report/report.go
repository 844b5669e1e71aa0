// Package report holds the JSON that testprog prints inside a container and that the cases decode.
package report

// Facts is all that `testprog facts` says about its own process.
type Facts struct {
	UID          [4]int              // real, effective, saved, filesystem
	GID          [4]int              // real, effective, saved, filesystem
	Groups       []int               // supplementary groups, sorted
	Caps         map[string][]string // inheritable, permitted, effective, bounding, ambient: sorted CAP_ names
	NoNewPrivs   bool
	Seccomp      int // 0 none, 1 strict, 2 filter
	Filters      int // number of attached seccomp filters
	Umask        int
	OOMScoreAdj  int
	Rlimits      map[string][2]uint64 // RLIMIT_ name: soft, hard (soft NOFILE is raised by the Go runtime)
	Env          []string
	Args         []string
	Cwd          string
	FDs          map[int]string // number: link text
	Mounts       []Mount
	NS           map[string]string // file name in /proc/self/ns: link text
	UIDMap       [][3]int
	GIDMap       [][3]int
	Setgroups    string
	Hostname     string
	Domainname   string
	PID          int
	PPID         int
	SID          int
	PGID         int
	Policy       int // scheduling policy
	Nice         int
	Priority     int // real-time priority
	IOPrio       int // class<<13 | level
	Personality  int
	Affinity     []int
	TimeOffsets  string // text of /proc/self/timens_offsets
	Uptime       float64
	Cgroup       []string // lines of /proc/self/cgroup
	SigBlocked   string   // hexadecimal mask
	Keyring      string   // description of the session keyring
	KeyringLabel string   // its security label, "" for none
	MemPolicy    int
	MemNodes     []int
	LoUp         bool
	Links        []string // network interface names
	PDeathSig    int
	Dumpable     int
}

// Mount is one line of mountinfo.
type Mount struct {
	Root, Target, FSType, Source string
	Options, Optional, Super     []string
}

// TTY is what `testprog tty` says about its terminal.
type TTY struct {
	IsTTY      [3]bool
	Name       [3]string // link text of fds 0-2
	Rows, Cols int
	Controls   bool // fd 0 is the controlling terminal
	Foreground bool // own process group is its foreground group
	ONLCR      bool
	Console    Stat // /dev/console
}

// Stat is what `testprog stat PATH` says about one path. Err is the errno name, "" when it is there.
type Stat struct {
	Err        string
	Type       string // file, dir, link, char, block, fifo, sock
	Mode       uint32 // permission bits with setuid, setgid, sticky
	UID, GID   int
	Major      uint32
	Minor      uint32
	Size       int64
	Link       string // link text
	FSType     int64  // statfs magic of what the path leads to
	MountFlags int64  // statfs flags of what the path leads to
}

// Hook is what `testprog hook FILE` appends to FILE, one JSON object a line.
type Hook struct {
	Tag    string // value of the argument tag=
	State  string // stdin
	Args   []string
	Env    []string
	Cwd    string
	PID    int
	NS     map[string]string
	FDs    map[int]string
	InitNS map[string]string // namespaces of the pid named by the state, as far as readable
	Status string            // State line of that pid in /proc
	Root   []string          // names in /
	Exe    string            // what /proc/<state pid>/exe links to
}
