package state

import (
	"errors"
	"fmt"
	"time"
)

// Version is that of the record's form. A newer one than this is refused.
const Version = 1

// Record is what tare remembers of a container. Its JSON names are in codec.go.
type Record struct {
	Version    int
	ID         string
	OCIVersion string
	Bundle     string // absolute
	Rootfs     string // absolute
	Created    time.Time
	// Pid is the init's in the runtime's pid namespace, 0 until it is known; StartTime is field 22
	// of its /proc/PID/stat, never 0 when Pid is not.
	Pid       int
	StartTime uint64
	// CreateDone: create has finished; before, the container is `creating`, or half-made.
	CreateDone bool
	// Cgroup is the cgroup manager's description of what it made or is about to make, JSON that
	// only it reads; nil when no cgroup is used. It is saved before the first mkdir.
	Cgroup      []byte
	Annotations map[string]string
	OwnerUID    uint32 // effective uid of who created it
	NoPivot     bool
	// Rootless: created without the host's privilege, so that missing cgroup rights are tolerated.
	Rootless bool
	// IntelRdt is nil without linux.intelRdt.
	IntelRdt *IntelRdt
	// NetDevices are the names inside the container of the interfaces that were moved into it.
	NetDevices []string
	// StdioNames are the targets of the init's /proc/PID/fd/{0,1,2} at create.
	StdioNames [3]string
}

// IntelRdt is the container's place in resctrl: directories below the mount.
type IntelRdt struct {
	Group string // control group, absolute path
	Own   bool   // made for this container, to be removed with it
	Mon   string // monitoring group made for it, absolute path, "" for none
}

func (r *Record) check() error {
	switch {
	case r.Version < 1 || r.Version > Version:
		return fmt.Errorf("version %d of the record is not known (made by another version of tare)", r.Version)
	case CheckID(r.ID) != nil:
		return fmt.Errorf("id %q: %w", r.ID, ErrID)
	case r.Pid < 0:
		return fmt.Errorf("pid %d: impossible", r.Pid)
	case r.Pid > 0 && r.StartTime == 0:
		return errors.New("pid without startTime")
	}
	return nil
}
