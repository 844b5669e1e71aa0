package v2

import (
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups/internal/ctl"
)

func isHugetlbSet(r *specs.LinuxResources) bool { return len(r.HugepageLimits) > 0 }

func setHugetlb(w *ctl.Journal, dir string, r *specs.LinuxResources) error {
	for i, h := range r.HugepageLimits {
		if err := ctl.SetHugetlb(w, dir, h.Pagesize, h.Limit, "max"); err != nil {
			return fmt.Errorf("linux.resources.hugepageLimits[%d].%w", i, err)
		}
	}
	return nil
}
