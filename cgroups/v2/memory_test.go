package v2

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/cgroups/internal/ctl"
)

// A limit of a cgroup in use does not become an OOM kill: what cannot be reclaimed refuses it.
func TestALimitBelowTheUsageIsRefused(t *testing.T) {
	t.Parallel()
	yes, no := true, false
	for _, c := range []struct {
		name    string
		w       *ctl.Journal
		limit   int64
		check   *bool
		reclaim bool // the kernel has the file
		refused bool
	}{
		{"update", &ctl.Journal{}, 1000, nil, true, true},
		{"update that fits", &ctl.Journal{}, 6000, nil, true, false},
		{"update to none", &ctl.Journal{}, -1, nil, true, false},
		{"update, the kernel may kill", &ctl.Journal{}, 1000, &no, true, false},
		{"update, checked", &ctl.Journal{}, 1000, &yes, false, true},
		{"update, old kernel", &ctl.Journal{}, 1000, nil, false, false},
		{"new cgroup", nil, 1000, nil, true, false},
	} {
		dir := t.TempDir()
		files := map[string]string{"memory.current": "5000\n", "memory.max": "max\n"}
		if c.reclaim {
			files["memory.reclaim"] = ""
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := setMemory(c.w, dir, &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: &c.limit, CheckBeforeUpdate: c.check}})
		limit, _ := ctl.Line(dir, "memory.max")
		if !c.refused {
			if err != nil || limit == "max" && c.limit > 0 {
				t.Errorf("%s: %v, memory.max is %s", c.name, err, limit)
			}
			continue
		}
		if !errors.Is(err, unix.EBUSY) || !strings.HasPrefix(err.Error(), "linux.resources.memory.limit: 1000 is below the usage of 5000 bytes") || limit != "max" {
			t.Errorf("%s: %v, memory.max is %s", c.name, err, limit)
		}
	}
}
