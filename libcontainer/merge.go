package libcontainer

import (
	"maps"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// merge gives the limits that hold once change has been applied on top of old. What change does not
// mention, and a 0 where that means "not set", is old's. Neither argument is changed.
func merge(old, change *specs.LinuxResources) *specs.LinuxResources {
	r := new(specs.LinuxResources)
	if old != nil {
		*r = *old
	}
	if change == nil {
		return r
	}
	if len(change.Devices) > 0 {
		r.Devices = change.Devices // an ordered list: it counts as a whole
	}
	r.Memory = mergeMemory(r.Memory, change.Memory)
	r.CPU = mergeCPU(r.CPU, change.CPU)
	if change.Pids != nil && change.Pids.Limit != nil {
		r.Pids = change.Pids
	}
	r.BlockIO = mergeBlockIO(r.BlockIO, change.BlockIO)
	r.HugepageLimits = upsert(r.HugepageLimits, change.HugepageLimits, func(a, b *specs.LinuxHugepageLimit) bool {
		return a.Pagesize == b.Pagesize
	})
	r.Network = mergeNetwork(r.Network, change.Network)
	r.Rdma = overlay(r.Rdma, change.Rdma)
	r.Unified = overlay(r.Unified, change.Unified)
	return r
}

func mergeMemory(old, change *specs.LinuxMemory) *specs.LinuxMemory {
	if change == nil {
		return old
	}
	m := new(specs.LinuxMemory)
	if old != nil {
		*m = *old
	}
	setNumber(&m.Limit, change.Limit)
	setNumber(&m.Reservation, change.Reservation)
	setNumber(&m.Swap, change.Swap)
	if m.Limit != nil && *m.Limit == -1 && !isSet(change.Swap) && m.Swap != nil {
		m.Swap = new(int64(-1)) // memory and swap together cannot be less than memory alone
	}
	setValue(&m.Kernel, change.Kernel)
	setValue(&m.KernelTCP, change.KernelTCP)
	setValue(&m.Swappiness, change.Swappiness)
	setValue(&m.DisableOOMKiller, change.DisableOOMKiller)
	setValue(&m.UseHierarchy, change.UseHierarchy)
	setValue(&m.CheckBeforeUpdate, change.CheckBeforeUpdate)
	return m
}

func mergeCPU(old, change *specs.LinuxCPU) *specs.LinuxCPU {
	if change == nil {
		return old
	}
	c := new(specs.LinuxCPU)
	if old != nil {
		*c = *old
	}
	setNumber(&c.Shares, change.Shares)
	setNumber(&c.Quota, change.Quota)
	setNumber(&c.Period, change.Period)
	setValue(&c.Burst, change.Burst)
	setNumber(&c.RealtimeRuntime, change.RealtimeRuntime)
	setNumber(&c.RealtimePeriod, change.RealtimePeriod)
	setValue(&c.Idle, change.Idle)
	if change.Cpus != "" {
		c.Cpus = change.Cpus
	}
	if change.Mems != "" {
		c.Mems = change.Mems
	}
	return c
}

func mergeBlockIO(old, change *specs.LinuxBlockIO) *specs.LinuxBlockIO {
	if change == nil {
		return old
	}
	b := new(specs.LinuxBlockIO)
	if old != nil {
		*b = *old
	}
	setNumber(&b.Weight, change.Weight)
	setNumber(&b.LeafWeight, change.LeafWeight)
	b.WeightDevice = upsert(b.WeightDevice, change.WeightDevice, func(a, b *specs.LinuxWeightDevice) bool {
		return a.Major == b.Major && a.Minor == b.Minor
	})
	sameDevice := func(a, b *specs.LinuxThrottleDevice) bool { return a.Major == b.Major && a.Minor == b.Minor }
	b.ThrottleReadBpsDevice = upsert(b.ThrottleReadBpsDevice, change.ThrottleReadBpsDevice, sameDevice)
	b.ThrottleWriteBpsDevice = upsert(b.ThrottleWriteBpsDevice, change.ThrottleWriteBpsDevice, sameDevice)
	b.ThrottleReadIOPSDevice = upsert(b.ThrottleReadIOPSDevice, change.ThrottleReadIOPSDevice, sameDevice)
	b.ThrottleWriteIOPSDevice = upsert(b.ThrottleWriteIOPSDevice, change.ThrottleWriteIOPSDevice, sameDevice)
	return b
}

func mergeNetwork(old, change *specs.LinuxNetwork) *specs.LinuxNetwork {
	if change == nil {
		return old
	}
	n := new(specs.LinuxNetwork)
	if old != nil {
		*n = *old
	}
	setNumber(&n.ClassID, change.ClassID)
	n.Priorities = upsert(n.Priorities, change.Priorities, func(a, b *specs.LinuxInterfacePriority) bool { return a.Name == b.Name })
	return n
}

// isSet: 0 counts as unset where a limit of nothing would make no sense.
func isSet[T int64 | uint64 | uint32 | uint16](v *T) bool { return v != nil && *v != 0 }

func setNumber[T int64 | uint64 | uint32 | uint16](dst **T, v *T) {
	if isSet(v) {
		*dst = v
	}
}

func setValue[T any](dst **T, v *T) {
	if v != nil {
		*dst = v
	}
}

// upsert replaces the entries of old that change has, too, and adds the others.
func upsert[T any](old, change []T, same func(a, b *T) bool) []T {
	if len(change) == 0 {
		return old
	}
	out := slices.Clone(old)
	for i := range change {
		at := slices.IndexFunc(out, func(o T) bool { return same(&o, &change[i]) })
		if at < 0 {
			out = append(out, change[i])
		} else {
			out[at] = change[i]
		}
	}
	return out
}

func overlay[V any](old, change map[string]V) map[string]V {
	if len(change) == 0 {
		return old
	}
	out := make(map[string]V, len(old)+len(change))
	maps.Copy(out, old)
	maps.Copy(out, change)
	return out
}
