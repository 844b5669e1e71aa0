package spec

import (
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func (c *checker) blockIO(at *node, b *specs.LinuxBlockIO) {
	c.weight(at.field("weight"), b.Weight)
	c.weight(at.field("leafWeight"), b.LeafWeight)
	for i := range b.WeightDevice {
		d, devAt := &b.WeightDevice[i], at.field("weightDevice").at(i)
		c.blockDevice(devAt, d.LinuxBlockIODevice)
		c.weight(devAt.field("weight"), d.Weight)
		c.weight(devAt.field("leafWeight"), d.LeafWeight)
		if d.Weight == nil && d.LeafWeight == nil {
			c.fail(devAt, "", "neither weight nor leafWeight")
		}
	}
	for _, t := range [...]struct {
		name string
		list []specs.LinuxThrottleDevice
	}{
		{"throttleReadBpsDevice", b.ThrottleReadBpsDevice},
		{"throttleWriteBpsDevice", b.ThrottleWriteBpsDevice},
		{"throttleReadIOPSDevice", b.ThrottleReadIOPSDevice},
		{"throttleWriteIOPSDevice", b.ThrottleWriteIOPSDevice},
	} {
		for i := range t.list {
			c.blockDevice(at.field(t.name).at(i), t.list[i].LinuxBlockIODevice)
		}
	}
}

// weight checks a proportional weight; 0 means unset.
func (c *checker) weight(at *node, w *uint16) {
	if w != nil && *w != 0 && (*w < 10 || *w > 1000) {
		c.fail(at, strconv.Itoa(int(*w)), "not in 10..1000")
	}
}

func (c *checker) blockDevice(at *node, d specs.LinuxBlockIODevice) {
	c.deviceNumber(at.field("major"), d.Major, 0, maxMajor)
	c.deviceNumber(at.field("minor"), d.Minor, 0, maxMinor)
}
