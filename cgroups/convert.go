package cgroups

import (
	"fmt"
	"math"
	"strconv"
)

// CPUWeight converts v1 cpu shares (2 to 262144, default 1024) to a v2 weight
// (1 to 10000, default 100): ceil(10^((l²+125l)/612 - 7/34)) with l = log2
// of the shares, which maps both ends and the default onto each other.
// 0, meaning unset, stays 0.
func CPUWeight(shares uint64) uint64 {
	switch {
	case shares == 0:
		return 0
	case shares <= 2:
		return 1
	case shares >= 262144:
		return 10000
	}
	l := math.Log2(float64(shares))
	return uint64(math.Ceil(math.Pow(10, (l*l+125*l)/612-7.0/34)))
}

// IOWeight converts a blkio weight (10 to 1000) to a v2 io.weight (1 to
// 10000), linearly. 0, meaning unset, stays 0.
func IOWeight(weight uint16) uint64 {
	if weight == 0 {
		return 0
	}
	return 1 + (max(uint64(weight), 10)-10)*9999/990
}

// Limit formats a v2 limit: -1 and below is "max".
func Limit(v int64) string {
	if v < 0 {
		return "max"
	}
	return strconv.FormatInt(v, 10)
}

// PidsLimit is the value for pids.max: -1 (and below) is "max", and 0, at
// which no process could be, is the one process that a container is at least.
func PidsLimit(v int64) string {
	if v == 0 {
		return "1"
	}
	return Limit(v)
}

// SwapMax converts linux.resources.memory.swap, which v1 counts as memory
// plus swap, to the swap alone that v2 limits. Both are bytes and -1 is
// unlimited; set is false if nothing is to be written. A limit of -1 lifts
// the swap limit too unless one is given.
func SwapMax(limit, swap int64) (value int64, set bool, err error) {
	const at = "linux.resources.memory.swap"
	switch {
	case swap == 0:
		return -1, limit == -1, nil
	case swap == -1:
		return -1, true, nil
	case swap < -1:
		return 0, false, fmt.Errorf("%s: invalid value %d", at, swap)
	case limit <= 0:
		return 0, false, fmt.Errorf("%s: unable to set swap limit without memory limit", at)
	case swap < limit:
		return 0, false, fmt.Errorf("%s: %d is below the memory limit %d that it includes", at, swap, limit)
	}
	return swap - limit, true, nil
}

// CheckBurst returns an error if burst is above a positive quota: neither
// version takes it (config-linux.md, "CPU").
func CheckBurst(burst *uint64, quota *int64) error {
	if burst != nil && quota != nil && *quota > 0 && *burst > uint64(*quota) {
		return fmt.Errorf("linux.resources.cpu.burst: %d is above the quota %d", *burst, *quota)
	}
	return nil
}
