package v2

import (
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

const atIO = "linux.resources.blockIO."

func isIOSet(r *specs.LinuxResources) bool {
	b := r.BlockIO
	return b != nil && (b.Weight != nil && *b.Weight != 0 || b.LeafWeight != nil && *b.LeafWeight != 0 || len(b.WeightDevice) > 0 ||
		len(b.ThrottleReadBpsDevice)+len(b.ThrottleWriteBpsDevice)+len(b.ThrottleReadIOPSDevice)+len(b.ThrottleWriteIOPSDevice) > 0)
}

func setIO(w *ctl.Journal, dir string, r *specs.LinuxResources) error {
	b := r.BlockIO
	if b.LeafWeight != nil && *b.LeafWeight != 0 {
		return fmt.Errorf(atIO+"leafWeight: cgroup v2: %w", cgroups.ErrNotSupported)
	}
	if err := setIOWeights(w, dir, b); err != nil {
		return err
	}
	for _, t := range []struct {
		name, key string
		list      []specs.LinuxThrottleDevice
	}{
		{"throttleReadBpsDevice", "rbps", b.ThrottleReadBpsDevice},
		{"throttleWriteBpsDevice", "wbps", b.ThrottleWriteBpsDevice},
		{"throttleReadIOPSDevice", "riops", b.ThrottleReadIOPSDevice},
		{"throttleWriteIOPSDevice", "wiops", b.ThrottleWriteIOPSDevice},
	} {
		for i, d := range t.list {
			if err := w.Write(dir, "io.max", device(d.LinuxBlockIODevice)+" "+t.key+"="+rate(d.Rate)); err != nil {
				return fmt.Errorf(atIO+"%s[%d]: %w", t.name, i, err)
			}
		}
	}
	return nil
}

func device(d specs.LinuxBlockIODevice) string {
	return strconv.FormatInt(d.Major, 10) + ":" + strconv.FormatInt(d.Minor, 10)
}

// rate formats a throttle; 0 lifts it, as it does on v1.
func rate(v uint64) string {
	if v == 0 {
		return "max"
	}
	return strconv.FormatUint(v, 10)
}

// setIOWeights prefers the BFQ scheduler's file, whose range is the spec's,
// and else converts for io.weight (the iocost controller).
func setIOWeights(w *ctl.Journal, dir string, b *specs.LinuxBlockIO) error {
	weight := b.Weight != nil && *b.Weight != 0
	if !weight && len(b.WeightDevice) == 0 {
		return nil
	}
	file, convert := "io.bfq.weight", func(w uint16) string { return strconv.FormatUint(uint64(w), 10) }
	if !ctl.Has(dir, file) {
		file, convert = "io.weight", func(w uint16) string { return strconv.FormatUint(cgroups.IOWeight(w), 10) }
	}
	if weight {
		if err := w.Write(dir, file, convert(*b.Weight)); err != nil {
			return fmt.Errorf(atIO+"weight: %w", err)
		}
	}
	for i, d := range b.WeightDevice {
		if d.LeafWeight != nil && *d.LeafWeight != 0 {
			return fmt.Errorf(atIO+"weightDevice[%d].leafWeight: cgroup v2: %w", i, cgroups.ErrNotSupported)
		}
		if d.Weight == nil || *d.Weight == 0 {
			continue
		}
		if err := w.Write(dir, file, device(d.LinuxBlockIODevice)+" "+convert(*d.Weight)); err != nil {
			return fmt.Errorf(atIO+"weightDevice[%d].weight: %w", i, err)
		}
	}
	return nil
}
