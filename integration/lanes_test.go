package integration

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// The init of a container in which nothing is unusual is made ready by system calls alone: while it waits for
// start it has one thread, and little memory of its own.
func TestCreatedInitHasOneThreadAndLittleMemory(t *testing.T) {
	onlyTare(t, "of the init's size")
	notCovered(t) // it has a Go runtime there
	b := newBundle(t)
	b.create()
	dir := filepath.Join("/proc", strconv.Itoa(b.state().Pid))
	status := readFile(t, filepath.Join(dir, "status"))
	if got := line(status, "Threads"); got != "1" {
		t.Errorf("%s threads", got)
	}
	kib, err := strconv.Atoi(strings.TrimSuffix(line(status, "RssAnon"), " kB"))
	if err != nil || kib > 600 {
		t.Errorf("RssAnon is %d KiB (%v)", kib, err)
	}
}

// line is the value of a line of /proc/PID/status.
func line(status, key string) string {
	_, rest, _ := strings.Cut(status, "\n"+key+":")
	value, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(value)
}

// What the init has open while it waits can be found as /proc/1/fd/N by whoever is inside already. A procfs or
// directory there would be a way round the masks.
func TestCreatedInitHoldsNothingButSocketsAndStdio(t *testing.T) {
	notCovered(t) // it has the counters' directory open
	b := newBundle(t, masked("/proc/kcore", "/sys/firmware", "/proc/timer_list"), func(s *specs.Spec) {
		s.Linux.Sysctl = map[string]string{"net.ipv4.ip_forward": "1"}
	})
	b.create()
	dir := filepath.Join("/proc", strconv.Itoa(b.state().Pid), "fd")
	list, err := os.ReadDir(dir)
	check(t, err)
	for _, e := range list {
		to, err := os.Readlink(filepath.Join(dir, e.Name()))
		check(t, err)
		if n, _ := strconv.Atoi(e.Name()); n > 2 && !strings.HasPrefix(to, "socket:") && !strings.Contains(to, "exec.fifo") {
			t.Errorf("descriptor %s is %s", e.Name(), to)
		}
	}
}

// Each of these leaves the fast lane at another place: the Go lane must find everything as it was left.
func TestGoLaneTakesOverWhereTheFastLaneLeaves(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*specs.Spec)
		args []string
		want string
	}{
		"at the first mount":     {addMount(mnt("/made/by/hand", "tmpfs", "t")), []string{"cat", "/proc/mounts"}, "t /made/by/hand tmpfs"},
		"in the midst of mounts": {addMount(mnt("/etc", "tmpfs", "t", "tmpcopyup")), []string{"ls", "/etc"}, ""},
		"after the masks":        {masked("/proc/kcore", "/sys/firmware"), []string{"ls", "-A", "/sys/firmware"}, ""},
		"at the capabilities": {func(s *specs.Spec) {
			s.Process.Capabilities.Ambient = []string{"CAP_SYS_TIME"}
		}, []string{"echo", "runs"}, "runs"},
		"at the working directory": {func(s *specs.Spec) { s.Process.Cwd = "/not/there/yet" }, []string{"pwd"}, "/not/there/yet"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, c.edit, args(c.args...))
			b.mayLeave("made", "not", "etc")
			if got := b.run().ok(t).out; !strings.Contains(got, c.want) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
