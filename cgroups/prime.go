package cgroups

import (
	"fmt"

	"golang.org/x/sys/unix"

	"tare/cgroups/internal/ctl"
)

// Prime writes the calling process into the cgroup that it is in, which
// changes nothing. The kernel waits for an RCU grace period, 6 to 12 ms, at
// the first such write after some 20 ms without one on the machine, whatever
// the hierarchy; the Join that follows a Prime finds that wait over. It may
// run beside other work, but mkdir and rmdir of cgroups wait for it. An error
// says only that the Join will be slow.
func (l *Layout) Prime() error {
	own, err := Of(0)
	if err != nil {
		return err
	}
	for i := range l.Hierarchies {
		h := &l.Hierarchies[i]
		if h.Has("memory") || h.Has("pids") {
			continue
		}
		if dir := dirOf(h, own); dir != "" {
			return ctl.Write(dir, "cgroup.procs", "0")
		}
	}
	return fmt.Errorf("own cgroup: %w", unix.ENOENT)
}
