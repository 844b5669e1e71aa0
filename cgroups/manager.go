package cgroups

import (
	"context"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Phase selects the hierarchies that a process joins at one time.
type Phase uint8

const (
	// Early are the v1 hierarchies that charge nothing to a joining process:
	// all but memory and pids. None on v2.
	Early Phase = 1 << iota
	// Late are v1 memory and pids, and all of v2.
	Late
	// All hierarchies, the early ones first.
	All = Early | Late
)

// CreateOptions are what a manager may need to know when it creates.
type CreateOptions struct {
	// Resources that Set will get: v2 enables their controllers or fails,
	// systemd starts the unit with them. Nil is fine.
	Resources *specs.LinuxResources
	// PID is a process for a systemd scope, which cannot be without one (see
	// Manager.NeedsPID); systemd moves it in. Any will do that lives until
	// another has joined. Other managers ignore it.
	PID int
	// Description of a systemd unit, for humans.
	Description string
	// Annotations of config.json, of which systemd takes
	// org.systemd.property.NAME: see package systemd.
	Annotations map[string]string
}

// Manager owns one cgroup: a directory, of one name, in each hierarchy.
//
// A method that waits takes a context and returns soon after its end. Methods
// may be called from any goroutine, but not two at a time.
type Manager interface {
	// Config describes the cgroup. It is constant from the constructor on.
	Config() Config
	// Paths is Config().Paths().
	Paths() map[string]string
	// NeedsPID reports whether Create needs CreateOptions.PID.
	NeedsPID() bool

	// Create makes the directories, parents too, prepared for processes and
	// limits. A cgroup that existed is taken over, unless it is ErrNotEmpty
	// or ErrFrozen. On an error nothing that it made remains.
	Create(ctx context.Context, o CreateOptions) error
	// Undo removes what this Manager's Create made: the cgroup with all that
	// is below it, and parents that are still unused. It removes nothing that
	// existed before, and does nothing in a process that did not create.
	Undo(ctx context.Context) error
	// Destroy removes the cgroup with all that is below it. It waits for the
	// processes inside to end (10 s if ctx has no earlier deadline; EBUSY
	// then) but kills none. What is gone already is no error.
	Destroy(ctx context.Context) error
	// Exists reports whether any of the directories exists.
	Exists() bool

	// Set applies the limits in r, whatever devices it holds left aside: see
	// SetDevices. What r does not mention is not touched. An error names the
	// place in config.json; limits before it have been applied. The strings
	// are warnings about values that no kernel honours any more.
	Set(ctx context.Context, r *specs.LinuxResources) ([]string, error)
	// Update is Set for a cgroup in use: if it fails, what it has changed is
	// put back, also what another than Set had put there.
	Update(ctx context.Context, r *specs.LinuxResources) ([]string, error)
	// SetDevices makes rules, on top of a default of deny, and followed by
	// the devices that every container has, the whole device policy.
	SetDevices(ctx context.Context, rules []specs.LinuxDeviceCgroup) ([]string, error)

	// Join moves the process, with all its threads, into the cgroup.
	Join(pid int, p Phase) error
	// FD opens the cgroup2 directory for CLONE_INTO_CGROUP. On Hybrid that
	// covers only this hierarchy. The caller closes it. ErrNotSupported on V1.
	FD() (int, error)

	// Pids lists the processes in the cgroup and, if recursive, below it. A
	// cgroup that does not exist has none.
	Pids(recursive bool) ([]int, error)
	// Kill sends SIGKILL to every process in and below the cgroup and leaves
	// it thawed. It does not wait for them to end.
	Kill(ctx context.Context) error
	// Freeze stops every process in and below the cgroup and returns once all
	// are stopped; if ctx ends before, it thaws them.
	Freeze(ctx context.Context) error
	// Thaw undoes Freeze. It cannot undo the freezing of a parent.
	Thaw(ctx context.Context) error
	// Frozen reports whether the cgroup is frozen, by itself or by a parent.
	// One that does not exist is not.
	Frozen() (bool, error)

	// Stat reads what the cgroup has used. What the kernel does not offer is
	// absent (nil or zero).
	Stat() (*Stats, error)
	// StatOf is Stat for some of the controllers: the files of the others are
	// not opened, and their part of the Stats is zero.
	StatOf(which StatSet) (*Stats, error)
	// OOMKills returns how many processes in and below the cgroup the memory
	// controller has killed.
	OOMKills() (uint64, error)
	// WatchOOM calls notify, from this goroutine, each time the cgroup has run
	// out of memory: on v2 when OOMKills has risen, on v1 just before the
	// kernel looks for a victim. It returns when ctx ends (its error), or the
	// cgroup is removed or, where there is cgroup2, empty (nil).
	WatchOOM(ctx context.Context, notify func(kills uint64)) error
}
