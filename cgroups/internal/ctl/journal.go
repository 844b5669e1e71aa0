package ctl

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Journal writes control files and remembers what they held, so that a
// sequence of writes that fails can be undone. A nil Journal only writes.
type Journal struct {
	done []change
}

type change struct {
	dir, name, restore string
}

// Write is the function Write, with the old content noted.
func (j *Journal) Write(dir, name, value string) error {
	if j == nil {
		return Write(dir, name, value)
	}
	old, rerr := Line(dir, name)
	if err := Write(dir, name, value); err != nil {
		return err
	}
	if rerr == nil {
		j.done = append(j.done, change{dir, name, restoring(name, value, old)})
	}
	return nil
}

// Rollback writes the old contents back, the last first: each value is then
// valid beside the others, as it was on the way.
func (j *Journal) Rollback() error {
	var errs []error
	for i := len(j.done) - 1; i >= 0; i-- {
		c := j.done[i]
		if err := c.undo(); err != nil {
			errs = append(errs, fmt.Errorf("restore: %w", err))
		}
	}
	j.done = nil
	return errors.Join(errs...)
}

// undo writes the old content. A cpuset with processes cannot become empty
// again, which on v2 meant all that the parent has: then that is spelt out.
func (c change) undo() error {
	err := Write(c.dir, c.name, c.restore)
	if !errors.Is(err, unix.ENOSPC) || c.restore != emptyList {
		return err
	}
	all, rerr := Line(path.Dir(c.dir), c.name+".effective")
	if rerr != nil {
		return err
	}
	return Write(c.dir, c.name, all)
}

// emptyList empties a cpuset file; a write of nothing would be none.
const emptyList = "\n"

// restoring returns what to write to bring the file name from value back to
// old. A file with a line for each device takes and needs only the one line.
func restoring(name, value, old string) string {
	key, _, keyed := strings.Cut(value, " ")
	if !keyed || !perKey(name) {
		if line := lineOf(old, "default"); line != "" {
			return line // a weight, above the devices' own
		}
		if old == "" && strings.HasPrefix(name, "cpuset.") {
			return emptyList
		}
		return old
	}
	if line := lineOf(old, key); line != "" {
		return line
	}
	switch {
	case name == "io.max":
		return key + " rbps=max wbps=max riops=max wiops=max"
	case name == "rdma.max":
		return key + " hca_handle=max hca_object=max"
	case strings.Contains(name, "weight"):
		return key + " default"
	}
	return key + " 0" // a v1 throttle; a network priority
}

func perKey(name string) bool {
	switch name {
	case "io.max", "io.low", "io.latency", "io.weight", "io.bfq.weight", "rdma.max", "misc.max", "net_prio.ifpriomap":
		return true
	}
	return strings.HasPrefix(name, "blkio.") && strings.HasSuffix(name, "_device")
}

func lineOf(text, key string) string {
	for line := range strings.SplitSeq(text, "\n") {
		if first, _, _ := strings.Cut(line, " "); first == key {
			return line
		}
	}
	return ""
}
