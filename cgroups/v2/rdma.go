package v2

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups/internal/ctl"
)

func isRdmaSet(r *specs.LinuxResources) bool { return len(r.Rdma) > 0 }

func setRdma(w *ctl.Journal, dir string, r *specs.LinuxResources) error {
	for _, name := range ctl.RdmaNames(r.Rdma) {
		if err := ctl.SetRdma(w, dir, name, r.Rdma[name]); err != nil {
			return err
		}
	}
	return nil
}
