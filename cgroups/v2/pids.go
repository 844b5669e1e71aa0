package v2

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

func isPidsSet(r *specs.LinuxResources) bool { return r.Pids != nil && r.Pids.Limit != nil }

func setPids(w *ctl.Journal, dir string, r *specs.LinuxResources) error {
	if err := w.Write(dir, "pids.max", cgroups.PidsLimit(*r.Pids.Limit)); err != nil {
		return fmt.Errorf("linux.resources.pids.limit: %w", err)
	}
	return nil
}
