package libcontainer

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/internal/host"
	"tare/internal/proc"
)

// Stats is what a container uses, marshalled as the data of a stats event.
type Stats struct {
	cgroups.Stats
	// IntelRdt is empty without linux.intelRdt.
	IntelRdt RdtStats `json:"intel_rdt"`
	// NetworkInterfaces are those of the container's own network namespace, lo aside.
	NetworkInterfaces []NetStats `json:"network_interfaces"`
}

// RdtStats is what resctrl says about a container.
type RdtStats = host.RdtStats

// NetStats are the counters of a network interface.
type NetStats = host.NetStats

// Stats reads what the container uses now. An ErrStatus when it does not run.
func (c *Container) Stats() (*Stats, error) {
	l, err := c.load()
	if err != nil {
		return nil, err
	}
	defer l.close()
	if err := c.mustLive(l); err != nil {
		return nil, err
	}
	s, err := l.stats()
	if err != nil {
		// The files go away with the container.
		if gone := c.mustLive(l); gone != nil {
			return nil, gone
		}
		return nil, fmt.Errorf("stats of container %q: %w", c.id, err)
	}
	return s, nil
}

// mustLive refuses a container whose init is not there, or not there yet.
func (c *Container) mustLive(l *loaded) error {
	alive, err := l.alive()
	if err != nil {
		return err
	}
	switch {
	case !alive:
		return c.wrong(Stopped, "container with id %s is not running", c.id)
	case !l.record.CreateDone:
		return c.wrong(Creating, "container with id %s is not running", c.id)
	}
	return nil
}

func (l *loaded) stats() (*Stats, error) {
	used, err := l.mgr.Stat()
	if err != nil {
		return nil, err
	}
	s := &Stats{Stats: *used}
	if s.Hugetlb == nil {
		s.Hugetlb = map[string]cgroups.HugetlbStats{} // an object in any case, as engines know it
	}
	if g := l.record.IntelRdt; g != nil {
		root, err := host.ResctrlRoot()
		if err != nil {
			return nil, fmt.Errorf("linux.intelRdt: %w", err)
		}
		rdt, err := (&host.RdtGroup{Dir: g.Group, Mon: g.Mon}).Stat(root)
		if err != nil {
			return nil, fmt.Errorf("linux.intelRdt: %w", err)
		}
		s.IntelRdt = *rdt
	}
	s.NetworkInterfaces, err = host.NetworkStats(l.record.Pid)
	return s, err
}

// WaitStopped waits until the container's init has ended, whoever its parent is. It does not tell how:
// see Wait.
func (c *Container) WaitStopped(ctx context.Context) error {
	l, err := c.load()
	if err != nil {
		return err
	}
	defer l.close()
	pidfd, err := l.pidfd()
	if errors.Is(err, proc.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	return waitEnd(ctx, pidfd)
}
