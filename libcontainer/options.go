package libcontainer

import (
	"os"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Driver names who manages cgroups.
type Driver string

// The drivers.
const (
	Cgroupfs Driver = "cgroupfs" // tare writes the cgroup file systems itself; the zero value means the same
	Systemd  Driver = "systemd"  // transient scopes of systemd
	Disabled Driver = "disabled" // no cgroup is touched at all
)

// Rootless says whether missing privilege for cgroups is tolerated.
type Rootless string

// The modes; the zero value is RootlessAuto.
const (
	RootlessAuto Rootless = "auto" // tolerated when the runtime is not the host's root
	RootlessYes  Rootless = "true"
	RootlessNo   Rootless = "false"
)

// Config is how a Runtime works. The zero value is usable by root.
type Config struct {
	// Root is the directory that holds the containers' states, absolute. "" is DefaultRoot().
	Root string
	// Binary is the tare binary that is executed as the init stage. "" is the running program
	// itself, which must then import tare/nsenter in its main package.
	Binary string
	// Cgroups is the cgroup driver.
	Cgroups Driver
	// Rootless is the tolerance towards missing cgroup privilege.
	Rootless Rootless
	// Warn is called with each warning, one line of text; nil drops them. It may be called from
	// several goroutines when several containers are handled at once.
	Warn func(msg string)
	// Debug is called with what happens inside, step by step; nil costs nothing.
	Debug func(Event)
}

// Event is a line of the debug log.
type Event struct {
	Time      time.Time
	Container string
	Stage     string // "host" or "init"
	Message   string
}

// IO are the descriptors of a container's or exec's process, borrowed for the duration of the call.
type IO struct {
	// Stdin, Stdout and Stderr go to the process as they are; nil is /dev/null. With a terminal
	// they are not used.
	Stdin, Stdout, Stderr *os.File
	// ExtraFiles become descriptors 3, 4, … of the process.
	ExtraFiles []*os.File
	// ListenFDs says that the first so many of ExtraFiles are sockets of socket activation: the
	// process gets LISTEN_FDS and LISTEN_PID=1.
	ListenFDs int
	// ConsoleSocket is the path of an AF_UNIX socket that gets the master of the terminal.
	ConsoleSocket string
	// Console is called with the master when there is a terminal and no ConsoleSocket; it owns
	// the file. It is called before the process starts.
	Console func(master *os.File) error
	// ConsoleSize is used when the spec gives none.
	ConsoleSize specs.Box
	// PidFile gets the pid, "" for none. It is written before the call returns.
	PidFile string
	// PidfdSocket is the path of an AF_UNIX socket that gets a pidfd of the process.
	PidfdSocket string
}

// CreateOptions say what Create makes.
type CreateOptions struct {
	IO
	// Bundle is the bundle directory, "" is the working directory.
	Bundle string
	// ConfigFile is used instead of config.json in Bundle.
	ConfigFile string
	// Spec is used instead of any file.
	Spec *specs.Spec
	// NoPivot uses MS_MOVE and chroot(2) instead of pivot_root(2).
	NoPivot bool
	// NoNewKeyring keeps the session keyring of the caller.
	NoNewKeyring bool
	// NotifySocket is the path of a sd_notify(3) socket to relay readiness to, "" for none.
	NotifySocket string
}

// ExecOptions say what Exec runs.
type ExecOptions struct {
	IO
	// Process is what to run; Container.Process gives one to start from.
	Process *specs.Process
	// IgnorePaused allows a paused container: the process then stays frozen with it.
	IgnorePaused bool
	// Cgroup is a sub-cgroup below the container's, as `[controller[,controller]:]path`.
	Cgroup []string
	// NoNewKeyring keeps the session keyring of the caller.
	NoNewKeyring bool
	// Started is called with the process before it executes its program; what Exec returns is the same
	// process. Nil is fine.
	Started func(*Process)
}

// KillOptions say whom Kill reaches.
type KillOptions struct {
	// All signals every process of the container, and is no error when the init is gone.
	All bool
}
