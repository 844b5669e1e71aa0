// Package host carries out the steps of a plan that the runtime does from outside the container: limits
// of the init, network interfaces, id maps by helper, resource control groups. Each effect that would
// outlive a failed create comes with its undo. Errors do not repeat the step's config path.
package host

import (
	"fmt"
	"os"
	"strconv"

	"tare/internal/step"

	"golang.org/x/sys/unix"
)

// Rlimit sets a resource limit of the process pid.
func Rlimit(pid int, s *step.Rlimit) error {
	l := unix.Rlimit{Cur: s.Soft, Max: s.Hard}
	if err := unix.Prlimit(pid, int(s.Resource), &l, nil); err != nil {
		return fmt.Errorf("prlimit %s soft %s hard %s: %w", s.Name, limit(s.Soft), limit(s.Hard), err)
	}
	return nil
}

func limit(v uint64) string {
	if v == unix.RLIM_INFINITY {
		return "unlimited"
	}
	return strconv.FormatUint(v, 10)
}

// OOMScore sets oom_score_adj of the process pid.
func OOMScore(pid int, s *step.OOMScore) error {
	path := "/proc/" + strconv.Itoa(pid) + "/oom_score_adj"
	value := strconv.FormatInt(s.Value, 10)
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString(value); err != nil {
		return fmt.Errorf("write %s %q: %w", path, value, errnoOf(err))
	}
	return nil
}

// errnoOf takes the errno out of an *os.PathError, whose path the caller's text has already.
func errnoOf(err error) error {
	if pe, ok := err.(*os.PathError); ok {
		return pe.Err
	}
	return err
}
