package cgroups

import (
	"fmt"
	"path"
	"strings"

	"tare/cgroups/internal/ctl"
)

// OOMLevel says at which level of the hierarchy memory ran out.
type OOMLevel string

const (
	// OOMOwn: the cgroup's own limit.
	OOMOwn OOMLevel = "own"
	// OOMBelow: the limit of a cgroup below it.
	OOMBelow OOMLevel = "below"
	// OOMAncestor: the limit of a cgroup above it.
	OOMAncestor OOMLevel = "ancestor"
	// OOMOutside: no limit from the cgroup up to the mount; the whole machine,
	// or a cgroup that a cgroup namespace hides.
	OOMOutside OOMLevel = "outside"
)

// OOMCause says whose limit made the kernel kill.
type OOMCause struct {
	Level OOMLevel `json:"level"`
	// Cgroup whose limit it is, as a path below the mount; "" for OOMOutside,
	// and for OOMBelow on v2, which does not tell which.
	Cgroup string `json:"cgroup,omitempty"`
	// Limit is that in force when the counters were read, in bytes; 0 if that
	// is none, or not known.
	Limit uint64 `json:"limit,omitempty"`
	// Swap: the limit is that of memory and swap together (v1).
	Swap bool `json:"swap,omitempty"`
}

// String is a phrase such as: limit of its own cgroup, 4096 bytes.
func (c OOMCause) String() string {
	s := ""
	switch c.Level {
	case OOMOwn:
		s = "limit of its own cgroup"
	case OOMBelow:
		s = "limit of a cgroup below its own"
		if c.Cgroup != "" {
			s = fmt.Sprintf("limit of cgroup %q below its own", c.Cgroup)
		}
	case OOMAncestor:
		s = fmt.Sprintf("limit of cgroup %q above it", c.Cgroup)
	default:
		return "no limit of its cgroup or of those above it: the machine ran out of memory"
	}
	if c.Swap {
		s = "memory and swap " + s
	}
	if c.Limit != 0 {
		s += fmt.Sprintf(", %d bytes", c.Limit)
	}
	return s
}

// OOMReading is what the memory controller has counted, from a cgroup up to
// the mount, since each of these cgroups was made. The zero value is a
// reading of a cgroup just made, and of parents to which nothing has happened.
type OOMReading struct {
	// Kills are the processes in and below the cgroup that were killed.
	Kills  uint64
	levels []oomCount // the cgroup first, the outermost last
	below  []oomCount // the cgroups below; on v2 one that stands for all
}

// oomCount is one cgroup.
type oomCount struct {
	cgroup string
	memory oomCounter
	swap   oomCounter // v1: memory plus swap
}

type oomCounter struct {
	limit  uint64 // bytes; 0: none
	events uint64 // v2: failed allocations; v1: limit hits
	full   bool   // v1: it has been at its limit
}

// ReadOOM reads the counters for the Config's cgroup. Without a memory
// controller, or once the cgroup is gone, the reading is empty.
func ReadOOM(c Config) (OOMReading, error) {
	d := c.memory()
	if d == nil || !ctl.Exists(d.Path) {
		return OOMReading{}, nil
	}
	readBelow, readLocal := oomBelow2, oomLocal2
	if d.Version == 1 {
		readBelow, readLocal = oomBelow1, oomLocal1
	}
	var r OOMReading
	if err := readBelow(&r, d); err != nil {
		return OOMReading{}, err
	}
	for dir := d.Path; len(dir) > len(d.Mount); dir = path.Dir(dir) {
		n, err := readLocal(d, dir)
		if err != nil {
			return OOMReading{}, err
		}
		r.levels = append(r.levels, n)
	}
	if d.Version == 2 {
		r.below[0].memory.events -= min(r.below[0].memory.events, r.levels[0].memory.events)
	}
	return r, nil
}

// memory returns the directory that has the memory controller, nil for none.
func (c Config) memory() *Dir {
	var unified *Dir
	for i := range c.Dirs {
		switch d := &c.Dirs[i]; {
		case d.Has("memory"):
			return d
		case d.Version == 2:
			unified = d
		}
	}
	return unified
}

// oomBelow2 reads memory.events, the sums over d and all below it.
func oomBelow2(r *OOMReading, d *Dir) error {
	b, err := read(d.Path, "memory.events")
	r.Kills, _ = ctl.Pair(b, "oom_kill")
	r.below = make([]oomCount, 1)
	r.below[0].memory.events, _ = ctl.Pair(b, "oom")
	return err
}

func oomLocal2(d *Dir, dir string) (n oomCount, err error) {
	n.cgroup = strings.TrimPrefix(dir, d.Mount)
	b, err := read(dir, "memory.events.local") // since Linux 5.2
	if err != nil {
		return n, err
	}
	n.memory.events, _ = ctl.Pair(b, "oom")
	n.memory.limit, err = number(dir, "memory.max")
	return n, err
}

func oomBelow1(r *OOMReading, d *Dir) (err error) {
	if r.Kills, err = ctl.OOMKills(d.Path); err != nil {
		return err
	}
	todo, err := ctl.Children(nil, d.Path)
	for len(todo) > 0 && err == nil {
		dir := todo[len(todo)-1]
		var n oomCount
		if n, err = oomLocal1(d, dir); err != nil {
			break
		}
		r.below = append(r.below, n)
		todo, err = ctl.Children(todo[:len(todo)-1], dir)
	}
	return err
}

func oomLocal1(d *Dir, dir string) (n oomCount, err error) {
	n.cgroup = strings.TrimPrefix(dir, d.Mount)
	if n.memory, err = oomCounter1(dir, "memory."); err == nil {
		n.swap, err = oomCounter1(dir, "memory.memsw.")
	}
	return n, err
}

// oomCounter1 reads one counter of v1. Some kernels (6.18) leave failcnt at 0,
// so the peak has to tell as well. What did not fit may be a batch of pages.
func oomCounter1(dir, prefix string) (c oomCounter, err error) {
	const batch = 64 << 12
	if c.limit, err = number(dir, prefix+"limit_in_bytes"); err != nil || c.limit == 0 {
		return c, err
	}
	if c.events, err = number(dir, prefix+"failcnt"); err != nil {
		return c, err
	}
	peak, err := number(dir, prefix+"max_usage_in_bytes")
	c.full = peak+min(batch, c.limit/8) >= c.limit
	return c, err
}

// read is ctl.Read for a file that need not be there.
func read(dir, name string) ([]byte, error) {
	b, err := ctl.Read(dir, name, nil)
	if ctl.Gone(err) {
		return nil, nil
	}
	return b, err
}

// noLimit is where v1's "no limit" begins: the largest int64 in whole pages.
const noLimit = 1<<63 - 1<<16

// number reads a count or a limit; 0 if there is none.
func number(dir, name string) (uint64, error) {
	v, err := ctl.Uint(dir, name)
	if ctl.Gone(err) || v >= noLimit {
		return 0, nil
	}
	return v, err
}

// Cause tells, from what was counted since before, why a process of the
// cgroup was killed. Where several levels come into question it names the
// nearest. On v2 that is exact. v1 does not count failed allocations: there
// it is the level whose limit was hit since, else that which reached its
// limit since, else one that had reached it before.
func (r OOMReading) Cause(before OOMReading) OOMCause {
	best, cause := unsuspicious, OOMCause{Level: OOMOutside}
	suspect := func(level OOMLevel, n oomCount, old []oomCount) {
		was := find(old, n.cgroup)
		for _, c := range []struct {
			now, was oomCounter
			swap     bool
		}{{n.memory, was.memory, false}, {n.swap, was.swap, true}} {
			if s := c.now.since(c.was); s > best {
				best, cause = s, OOMCause{Level: level, Cgroup: n.cgroup, Limit: c.now.limit, Swap: c.swap}
			}
		}
	}
	for i, n := range r.levels {
		if i > 0 {
			suspect(OOMAncestor, n, before.levels)
			continue
		}
		suspect(OOMOwn, n, before.levels)
		for _, b := range r.below {
			suspect(OOMBelow, b, before.below)
		}
	}
	return cause
}

// How far a counter is under suspicion.
const (
	unsuspicious = iota
	wasFull
	becameFull
	failed
)

func (c oomCounter) since(was oomCounter) int {
	switch {
	case c.events > was.events:
		return failed
	case c.full && !was.full:
		return becameFull
	case c.full:
		return wasFull
	}
	return unsuspicious
}

func find(list []oomCount, cgroup string) oomCount {
	for _, n := range list {
		if n.cgroup == cgroup {
			return n
		}
	}
	return oomCount{}
}
