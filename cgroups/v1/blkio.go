package v1

import (
	"fmt"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

const atIO = "linux.resources.blockIO."

func isBlkioSet(r *specs.LinuxResources) bool {
	b := r.BlockIO
	return b != nil && (weightSet(b.Weight) || weightSet(b.LeafWeight) || len(b.WeightDevice) > 0 ||
		len(b.ThrottleReadBpsDevice)+len(b.ThrottleWriteBpsDevice)+len(b.ThrottleReadIOPSDevice)+len(b.ThrottleWriteIOPSDevice) > 0)
}

func weightSet(w *uint16) bool { return w != nil && *w != 0 }

func (m *Manager) setBlkio(w *ctl.Journal, d *cgroups.Dir, r *specs.LinuxResources) error {
	b := r.BlockIO
	if err := setWeights(w, d.Path, b); err != nil {
		return err
	}
	for _, t := range []struct {
		name, file string
		list       []specs.LinuxThrottleDevice
	}{
		{"throttleReadBpsDevice", "blkio.throttle.read_bps_device", b.ThrottleReadBpsDevice},
		{"throttleWriteBpsDevice", "blkio.throttle.write_bps_device", b.ThrottleWriteBpsDevice},
		{"throttleReadIOPSDevice", "blkio.throttle.read_iops_device", b.ThrottleReadIOPSDevice},
		{"throttleWriteIOPSDevice", "blkio.throttle.write_iops_device", b.ThrottleWriteIOPSDevice},
	} {
		for i, v := range t.list {
			if err := w.Write(d.Path, t.file, device(v.LinuxBlockIODevice)+" "+strconv.FormatUint(v.Rate, 10)); err != nil {
				return fmt.Errorf(atIO+"%s[%d]: %w", t.name, i, err)
			}
		}
	}
	return nil
}

func device(d specs.LinuxBlockIODevice) string {
	return strconv.FormatInt(d.Major, 10) + ":" + strconv.FormatInt(d.Minor, 10)
}

// weightFile is the file of the scheduler at hand: CFQ's (before Linux 5.0
// and of kernels that call BFQ's so) or BFQ's.
func weightFile(dir, suffix string) string {
	if f := "blkio.weight" + suffix; ctl.Has(dir, f) {
		return f
	}
	return "blkio.bfq.weight" + suffix
}

func setWeights(w *ctl.Journal, dir string, b *specs.LinuxBlockIO) error {
	if weightSet(b.Weight) {
		if err := writeWeight(w, dir, weightFile(dir, ""), "", b.Weight); err != nil {
			return fmt.Errorf(atIO+"weight: %w", err)
		}
	}
	if weightSet(b.LeafWeight) {
		if err := writeWeight(w, dir, "blkio.leaf_weight", "", b.LeafWeight); err != nil {
			return fmt.Errorf(atIO+"leafWeight: %w", err)
		}
	}
	for i, v := range b.WeightDevice {
		dev := device(v.LinuxBlockIODevice) + " "
		if weightSet(v.Weight) {
			if err := writeWeight(w, dir, weightFile(dir, "_device"), dev, v.Weight); err != nil {
				return fmt.Errorf(atIO+"weightDevice[%d].weight: %w", i, err)
			}
		}
		if weightSet(v.LeafWeight) {
			if err := writeWeight(w, dir, "blkio.leaf_weight_device", dev, v.LeafWeight); err != nil {
				return fmt.Errorf(atIO+"weightDevice[%d].leafWeight: %w", i, err)
			}
		}
	}
	return nil
}

func writeWeight(w *ctl.Journal, dir, file, dev string, v *uint16) error {
	return w.Write(dir, file, dev+strconv.FormatUint(uint64(*v), 10))
}
