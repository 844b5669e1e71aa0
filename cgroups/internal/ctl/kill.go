package ctl

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// KillAll sends SIGKILL to each process but the caller itself. One that has
// ended meanwhile is no error.
func KillAll(pids []int) error {
	var first error
	for _, pid := range pids {
		if pid == os.Getpid() {
			continue
		}
		if err := unix.Kill(pid, unix.SIGKILL); err != nil && err != unix.ESRCH && first == nil {
			first = fmt.Errorf("kill %d: %w", pid, err)
		}
	}
	return first
}

// Threads lists the threads of a threaded cgroup, whose processes cannot be
// listed.
func Threads(dir string) ([]int, error) {
	b, err := Read(dir, "cgroup.threads", nil)
	if err != nil {
		if Gone(err) {
			return nil, nil
		}
		return nil, err
	}
	return ParsePids(nil, b)
}
