//go:build tarecover

package initstage

import (
	"bytes"
	"encoding/hex"
	cov "runtime/coverage"
	"strconv"
	"syscall"

	"tare/internal/sys"
)

// coverage saves the coverage counters of a binary built with -cover -covermode=atomic: execve and
// exit_group would lose them. The directory is opened before the root changes; the meta-data file is
// the host process's to write. With this tag the lane's import law does not hold: it is for test
// binaries only.
type coverage struct{ dir *sys.FD }

func openCoverage() coverage {
	path, ok := syscall.Getenv("GOCOVERDIR")
	if !ok || path == "" {
		return coverage{}
	}
	dir, err := sys.OpenAt(sys.AT_FDCWD, path, sys.O_PATH|syscall.O_DIRECTORY, 0)
	if err != nil {
		return coverage{}
	}
	return coverage{dir}
}

// save writes covcounters.HASH.PID.NANOS; HASH is that of the meta-data, which the header repeats.
func (c *coverage) save() {
	var b bytes.Buffer
	if !c.dir.Valid() || cov.WriteCounters(&b) != nil || b.Len() < 24 {
		return
	}
	name := "covcounters." + hex.EncodeToString(b.Bytes()[8:24]) + "." + strconv.Itoa(syscall.Getpid()) + "." +
		strconv.FormatInt(sys.ClockNanos(sys.CLOCK_REALTIME), 10)
	fd, err := sys.OpenAt(c.dir.Int(), name, syscall.O_CREAT|syscall.O_EXCL|syscall.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	defer fd.Close()
	sys.WriteAll(fd.Int(), b.Bytes())
}

// moveUp gives the directory's descriptor a number that is at least least.
func (c *coverage) moveUp(least int) { moveUp(&c.dir, least) }
