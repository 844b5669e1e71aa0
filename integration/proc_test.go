package integration

import (
	"strconv"
	"strings"
	"testing"
)

// procField reads one field of /proc/PID/status.
func procField(t *testing.T, pid int, name string) string {
	t.Helper()
	for _, line := range strings.Split(readFile(t, "/proc/"+strconv.Itoa(pid)+"/status"), "\n") {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(v)
		}
	}
	t.Fatalf("no %s in status of %d", name, pid)
	return ""
}

// execFailure is the status of an exec that fails before its command runs.
func execFailure() int {
	if suite.subject == "crun" {
		return 1
	}
	return 255
}

func itoa(n int) string { return strconv.Itoa(n) }
