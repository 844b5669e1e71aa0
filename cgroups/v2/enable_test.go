package v2

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A controller that is listed may still lack its files, until whoever is enabling it is done: only a write
// of one's own waits for that.
func TestSettleWaitsInTheParent(t *testing.T) {
	t.Parallel()
	mount := t.TempDir()
	m := &Manager{mount: mount, dir: filepath.Join(mount, "parent", "leaf")}
	need := []Need{{"pids", "linux.resources.pids"}, {"memory", "linux.resources.memory"}}
	err := m.settle(need)
	if !errors.Is(err, unix.ENOENT) || !strings.HasPrefix(err.Error(), "linux.resources.pids: ") {
		t.Errorf("without a parent: %v", err)
	}
	file := filepath.Join(mount, "parent", "cgroup.subtree_control")
	if err := errors.Join(os.Mkdir(filepath.Dir(file), 0o755), os.WriteFile(file, nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := m.settle(nil); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(file); err != nil || len(b) > 0 {
		t.Errorf("nothing is needed, and %q was written, %v", b, err)
	}
	if err := m.settle(need); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "+pids" {
		t.Errorf("written: %q, %v", b, err)
	}
}

func TestLacking(t *testing.T) {
	t.Parallel()
	got := lacking([]string{"cpu", "io", "memory", "rdma"}, "cpuset cpu io memory pids\n", "cpu pids\n")
	if !slices.Equal(got, []string{"io", "memory"}) {
		t.Errorf("%v", got)
	}
}

func FuzzParseControllers(f *testing.F) {
	f.Add("cpu memory pids", "cpuset cpu io memory pids\n", "cpu\n")
	f.Add("", "", "+cpu")
	f.Fuzz(func(t *testing.T, names, have, enabled string) {
		for _, n := range lacking(strings.Fields(names), have, enabled) {
			if !slices.Contains(strings.Fields(names), n) || !slices.Contains(strings.Fields(have), n) || slices.Contains(strings.Fields(enabled), n) {
				t.Fatalf("%q of %q, %q enabled: %q", names, have, enabled, n)
			}
		}
	})
}
