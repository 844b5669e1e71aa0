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

func (m *Manager) setBlkio(d *cgroups.Dir, r *specs.LinuxResources) error {
	b := r.BlockIO
	if err := setWeights(d.Path, b); err != nil {
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
			if err := ctl.Write(d.Path, t.file, device(v.LinuxBlockIODevice)+" "+strconv.FormatUint(v.Rate, 10)); err != nil {
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

func setWeights(dir string, b *specs.LinuxBlockIO) error {
	if weightSet(b.Weight) {
		if err := writeWeight(dir, weightFile(dir, ""), "", b.Weight); err != nil {
			return fmt.Errorf(atIO+"weight: %w", err)
		}
	}
	if weightSet(b.LeafWeight) {
		if err := writeWeight(dir, "blkio.leaf_weight", "", b.LeafWeight); err != nil {
			return fmt.Errorf(atIO+"leafWeight: %w", err)
		}
	}
	for i, w := range b.WeightDevice {
		dev := device(w.LinuxBlockIODevice) + " "
		if weightSet(w.Weight) {
			if err := writeWeight(dir, weightFile(dir, "_device"), dev, w.Weight); err != nil {
				return fmt.Errorf(atIO+"weightDevice[%d].weight: %w", i, err)
			}
		}
		if weightSet(w.LeafWeight) {
			if err := writeWeight(dir, "blkio.leaf_weight_device", dev, w.LeafWeight); err != nil {
				return fmt.Errorf(atIO+"weightDevice[%d].leafWeight: %w", i, err)
			}
		}
	}
	return nil
}

func writeWeight(dir, file, dev string, w *uint16) error {
	return ctl.Write(dir, file, dev+strconv.FormatUint(uint64(*w), 10))
}
