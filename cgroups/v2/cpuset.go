package v2

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups/internal/ctl"
)

func isCpusetSet(r *specs.LinuxResources) bool {
	return r.CPU != nil && (r.CPU.Cpus != "" || r.CPU.Mems != "")
}

func setCpuset(w *ctl.Journal, dir string, r *specs.LinuxResources) error {
	if r.CPU.Cpus != "" {
		if err := w.Write(dir, "cpuset.cpus", r.CPU.Cpus); err != nil {
			return fmt.Errorf(atCPU+"cpus: %w", err)
		}
	}
	if r.CPU.Mems != "" {
		if err := w.Write(dir, "cpuset.mems", r.CPU.Mems); err != nil {
			return fmt.Errorf(atCPU+"mems: %w", err)
		}
	}
	return nil
}
