package systemd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

// target is what properties depend on besides the limits.
type target struct {
	version int  // of systemd
	unified bool // the limits are cgroup2's
	start   bool // the unit is being started, not changed
	bfq     bool // the weights of I/O are BFQ's
	// quota and period in force, µs (quota < 0: none), for a change of one.
	quota  int64
	period uint64
}

// properties maps limits to unit properties, and returns r itself or a copy
// whose quota is what systemd will make of it: it counts in whole percents of
// a CPU, and what is written to the files must not differ.
func properties(r *specs.LinuxResources, t target) ([]Property, *specs.LinuxResources, error) {
	if r == nil {
		return nil, nil, nil
	}
	var list []Property
	add := func(name string, value any) { list = append(list, prop(name, value)) }
	if err := memory(r.Memory, t, add); err != nil {
		return nil, nil, err
	}
	r = bandwidth(r, t, add)
	if err := cpus(r.CPU, t, add); err != nil {
		return nil, nil, err
	}
	if r.Pids != nil && r.Pids.Limit != nil {
		add("TasksMax", tasks(*r.Pids.Limit))
	}
	blockIO(r.BlockIO, t, add)
	if t.unified {
		if err := unified(r.Unified, t, add); err != nil {
			return nil, nil, err
		}
		isWeight := func(p Property) bool { return p.Name == "CPUWeight" }
		if endsIdle(r) && t.version >= 252 && !slices.ContainsFunc(list, isWeight) {
			add("CPUWeight", infinity) // not set: else an idle unit would become idle again
		}
	}
	return list, r, nil
}

// endsIdle tells whether cpu.idle is set to 0.
func endsIdle(r *specs.LinuxResources) bool {
	return r.CPU != nil && r.CPU.Idle != nil && *r.CPU.Idle == 0 || strings.TrimSpace(r.Unified["cpu.idle"]) == "0"
}

// deviceWeight is an entry of IODeviceWeight and BlockIODeviceWeight.
type deviceWeight struct {
	Path   string
	Weight uint64
}

func blockIO(b *specs.LinuxBlockIO, t target, add func(string, any)) {
	if b == nil {
		return
	}
	prefix, weight := "BlockIO", func(w uint16) uint64 { return uint64(w) }
	switch {
	case t.unified && t.bfq:
		prefix, weight = "IO", bfqWeight
	case t.unified:
		prefix, weight = "IO", cgroups.IOWeight
	}
	if b.Weight != nil && *b.Weight != 0 {
		add(prefix+"Weight", weight(*b.Weight))
	}
	var list []deviceWeight
	for _, d := range b.WeightDevice {
		if d.Weight != nil && *d.Weight != 0 {
			list = append(list, deviceWeight{fmt.Sprintf("/dev/block/%d:%d", d.Major, d.Minor), weight(*d.Weight)})
		}
	}
	if len(list) > 0 {
		add(prefix+"DeviceWeight", list)
	}
}

// bfqWeight is the IOWeight that systemd turns into w for BFQ: it maps 100 to
// 100, and what is above in a straight line to 1000 at most.
func bfqWeight(w uint16) uint64 {
	if w <= 100 {
		return uint64(w)
	}
	return 100 + (uint64(w)-100)*11
}

func tasks(limit int64) uint64 {
	if limit == 0 {
		return 1
	}
	return bytesOf(limit)
}

func value(v *int64) int64 {
	if v == nil {
		return 0
	}
	return *v
}

func memory(m *specs.LinuxMemory, t target, add func(string, any)) error {
	if m == nil {
		return nil
	}
	if limit := value(m.Limit); limit != 0 {
		if t.unified {
			add("MemoryMax", bytesOf(limit))
		} else {
			add("MemoryLimit", bytesOf(limit))
		}
	}
	if !t.unified {
		return nil
	}
	if v := value(m.Reservation); v != 0 {
		add("MemoryLow", bytesOf(v))
	}
	if value(m.Limit) == 0 && value(m.Swap) > 0 {
		return nil // relative to the limit in force, which the file's writer reads
	}
	swap, set, err := cgroups.SwapMax(value(m.Limit), value(m.Swap))
	if err == nil && set {
		add("MemorySwapMax", bytesOf(swap))
	}
	return err
}

// bandwidth maps quota and period. Whichever is not given is the one in
// force, as systemd keeps only their ratio.
func bandwidth(r *specs.LinuxResources, t target, add func(string, any)) *specs.LinuxResources {
	c := r.CPU
	if c == nil || value(c.Quota) == 0 && (c.Period == nil || *c.Period == 0) {
		return r
	}
	quota, period := t.quota, t.period
	if v := value(c.Quota); v != 0 {
		quota = v
	}
	if c.Period != nil && *c.Period != 0 {
		period = *c.Period
		if t.version >= 242 {
			add("CPUQuotaPeriodUSec", period)
		}
	}
	if quota <= 0 {
		add("CPUQuotaPerSecUSec", infinity)
		return r
	}
	if period == 0 {
		period = 100000
	}
	perSec := roundQuota(quota, period)
	add("CPUQuotaPerSecUSec", perSec)
	out, cpu := *r, *c
	rounded := int64(perSec * period / 1000000)
	cpu.Quota, out.CPU = &rounded, &cpu
	return &out
}

// roundQuota returns µs of CPU time in a second, up to a multiple of 10 ms.
func roundQuota(quota int64, period uint64) uint64 {
	perSec := uint64(quota) * 1000000 / period
	if uint64(quota) > infinity/1000000 {
		perSec = uint64(quota) / period * 1000000
	}
	return (perSec + 9999) / 10000 * 10000
}

func cpus(c *specs.LinuxCPU, t target, add func(string, any)) error {
	if c == nil {
		return nil
	}
	idle := c.Idle != nil && *c.Idle == 1
	switch {
	case idle && t.unified && t.version >= 252:
		add("CPUWeight", uint64(0)) // systemd's word for cpu.idle
	case idle:
	case c.Shares == nil || *c.Shares == 0:
	case t.unified:
		add("CPUWeight", cgroups.CPUWeight(*c.Shares))
	default:
		add("CPUShares", *c.Shares)
	}
	if !t.unified || t.version < 244 {
		return nil
	}
	for _, s := range []struct{ at, name, list string }{
		{"cpus", "AllowedCPUs", c.Cpus}, {"mems", "AllowedMemoryNodes", c.Mems},
	} {
		if s.list == "" {
			continue
		}
		list, err := ctl.ParseList(s.list)
		if err != nil {
			return fmt.Errorf("linux.resources.cpu.%s: %w", s.at, err)
		}
		add(s.name, bitmap(list))
	}
	return nil
}

// unified maps those raw v2 files that systemd manages too; the rest is only
// written to the files.
func unified(u map[string]string, t target, add func(string, any)) error {
	for key, text := range u {
		text = strings.TrimSpace(text)
		if err := unifiedOne(key, text, t, add); err != nil {
			return fmt.Errorf("linux.resources.unified.%s: %w", key, err)
		}
	}
	return nil
}

func unifiedOne(key, text string, t target, add func(string, any)) error {
	switch key {
	case "cpu.max":
		return unifiedQuota(text, t, add)
	case "cpuset.cpus", "cpuset.mems":
		list, err := ctl.ParseList(text)
		if err != nil || t.version < 244 {
			return err
		}
		add(map[bool]string{true: "AllowedCPUs", false: "AllowedMemoryNodes"}[key == "cpuset.cpus"], bitmap(list))
	case "memory.oom.group":
		// OOMPolicy can only be given at the start, and to scopes since 253.
		if t.start && t.version >= 253 {
			add("OOMPolicy", map[bool]string{true: "kill", false: "continue"}[text == "1"])
		}
	case "cpu.idle":
		if text == "1" && t.version >= 252 {
			add("CPUWeight", uint64(0))
		}
	default:
		name := numericProperty(key)
		if name == "" || name == "MemoryZSwapMax" && t.version < 253 {
			return nil
		}
		v, err := parseNumber(text)
		if err != nil {
			return err
		}
		add(name, v)
	}
	return nil
}

func numericProperty(key string) string {
	switch key {
	case "cpu.weight":
		return "CPUWeight"
	case "memory.high":
		return "MemoryHigh"
	case "memory.low":
		return "MemoryLow"
	case "memory.min":
		return "MemoryMin"
	case "memory.max":
		return "MemoryMax"
	case "memory.swap.max":
		return "MemorySwapMax"
	case "memory.zswap.max":
		return "MemoryZSwapMax"
	case "pids.max":
		return "TasksMax"
	}
	return ""
}

func unifiedQuota(text string, t target, add func(string, any)) error {
	f := strings.Fields(text)
	if len(f) == 0 || len(f) > 2 {
		return fmt.Errorf("%q is not QUOTA [PERIOD]", text)
	}
	period := uint64(100000)
	if len(f) == 2 {
		p, err := parseNumber(f[1])
		if err != nil || p == 0 || p == infinity {
			return fmt.Errorf("%q is not a period", f[1])
		}
		period = p
		if t.version >= 242 {
			add("CPUQuotaPeriodUSec", period)
		}
	}
	quota, err := parseNumber(f[0])
	if err != nil {
		return err
	}
	if quota == infinity {
		add("CPUQuotaPerSecUSec", infinity)
		return nil
	}
	add("CPUQuotaPerSecUSec", roundQuota(int64(min(quota, infinity>>1)), period))
	return nil
}
