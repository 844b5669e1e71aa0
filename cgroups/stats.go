package cgroups

// StatSet says which controllers' statistics are wanted.
type StatSet uint16

// The controllers. Pressure belongs to the controller that it is about.
const (
	StatCPU StatSet = 1 << iota
	StatCPUSet
	StatMemory
	StatPids
	StatIO
	StatHugetlb
	StatRdma
	StatMisc
	// StatAll is what Stat reads.
	StatAll = StatCPU | StatCPUSet | StatMemory | StatPids | StatIO | StatHugetlb | StatRdma | StatMisc
)

// Stats is what a cgroup has used, marshalled as the data of an OCI stats
// event. Nanoseconds are since creation, bytes are now unless said.
type Stats struct {
	CPU     CPUStats                `json:"cpu"`
	CPUSet  CPUSetStats             `json:"cpuset"`
	Memory  MemoryStats             `json:"memory"`
	Pids    PidsStats               `json:"pids"`
	BlockIO BlockIOStats            `json:"blkio"`
	Hugetlb map[string]HugetlbStats `json:"hugetlb"` // by page size, such as 2MB
	Rdma    []RdmaStats             `json:"rdma,omitempty"`
	Misc    map[string]MiscStats    `json:"misc,omitempty"` // by resource name
}

// NewStats is what the statistics of some controllers start from: no huge pages are an empty object in
// JSON, not null.
func NewStats(which StatSet) *Stats {
	s := new(Stats)
	if which&StatHugetlb != 0 {
		s.Hugetlb = make(map[string]HugetlbStats)
	}
	return s
}

// CPUStats are the times of the processes and their throttling.
type CPUStats struct {
	Usage      CPUUsage   `json:"usage"`
	Throttling Throttling `json:"throttling"`
	PSI        *PSI       `json:"psi,omitempty"`
}

// CPUUsage is in nanoseconds. The per-CPU lists exist on v1 only.
type CPUUsage struct {
	Total        uint64   `json:"total,omitempty"`
	PerCPU       []uint64 `json:"percpu,omitempty"`
	PerCPUKernel []uint64 `json:"percpu_kernel,omitempty"`
	PerCPUUser   []uint64 `json:"percpu_user,omitempty"`
	Kernel       uint64   `json:"kernel"`
	User         uint64   `json:"user"`
}

// Throttling counts quota periods and those cut short; Time in nanoseconds.
type Throttling struct {
	Periods          uint64 `json:"periods,omitempty"`
	ThrottledPeriods uint64 `json:"throttledPeriods,omitempty"`
	ThrottledTime    uint64 `json:"throttledTime,omitempty"`
	BurstPeriods     uint64 `json:"burstPeriods,omitempty"`
	BurstTime        uint64 `json:"burstTime,omitempty"`
}

// CPUSetStats are the settings of the cpuset controller; flags are 0 or 1.
type CPUSetStats struct {
	CPUs                  []uint16 `json:"cpus,omitempty"`
	CPUExclusive          uint64   `json:"cpu_exclusive"`
	Mems                  []uint16 `json:"mems,omitempty"`
	MemHardwall           uint64   `json:"mem_hardwall"`
	MemExclusive          uint64   `json:"mem_exclusive"`
	MemoryMigrate         uint64   `json:"memory_migrate"`
	MemorySpreadPage      uint64   `json:"memory_spread_page"`
	MemorySpreadSlab      uint64   `json:"memory_spread_slab"`
	MemoryPressure        uint64   `json:"memory_pressure"`
	SchedLoadBalance      uint64   `json:"sched_load_balance"`
	SchedRelaxDomainLevel int64    `json:"sched_relax_domain_level"`
}

// MemoryEntry is one counter, in bytes. Limit is math.MaxUint64 on v2 and
// about the largest int64 on v1 when there is none.
type MemoryEntry struct {
	Limit   uint64 `json:"limit"`
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"` // the highest usage so far
	Failcnt uint64 `json:"failcnt"`       // how often the limit was hit
}

// MemoryStats are bytes, Raw is memory.stat as it is. Swap counts memory plus
// swap, as v1 does; on v2 it is computed so.
type MemoryStats struct {
	Cache     uint64            `json:"cache,omitempty"`
	Usage     MemoryEntry       `json:"usage"`
	Swap      MemoryEntry       `json:"swap"`
	Kernel    MemoryEntry       `json:"kernel"`
	KernelTCP MemoryEntry       `json:"kernelTCP"`
	Raw       map[string]uint64 `json:"raw,omitempty"`
	PSI       *PSI              `json:"psi,omitempty"`
}

// PidsStats counts tasks; Limit 0 means none.
type PidsStats struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"`
}

// BlkioEntry is one counter of one device; Op is such as Read, Write, Total.
type BlkioEntry struct {
	Major uint64 `json:"major"`
	Minor uint64 `json:"minor"`
	Op    string `json:"op,omitempty"`
	Value uint64 `json:"value"`
}

// BlockIOStats are per-device counters: bytes, requests, nanoseconds, sectors.
type BlockIOStats struct {
	ServiceBytes []BlkioEntry `json:"ioServiceBytesRecursive,omitempty"`
	Serviced     []BlkioEntry `json:"ioServicedRecursive,omitempty"`
	Queued       []BlkioEntry `json:"ioQueueRecursive,omitempty"`
	ServiceTime  []BlkioEntry `json:"ioServiceTimeRecursive,omitempty"`
	WaitTime     []BlkioEntry `json:"ioWaitTimeRecursive,omitempty"`
	Merged       []BlkioEntry `json:"ioMergedRecursive,omitempty"`
	Time         []BlkioEntry `json:"ioTimeRecursive,omitempty"`
	Sectors      []BlkioEntry `json:"sectorsRecursive,omitempty"`
	PSI          *PSI         `json:"psi,omitempty"`
}

// HugetlbStats are bytes of one page size.
type HugetlbStats struct {
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"` // the highest usage so far; v1 only
	Failcnt uint64 `json:"failcnt"`
}

// RdmaStats are the objects of one device in use and their limits
// (math.MaxUint64: none).
type RdmaStats struct {
	Device       string `json:"device"`
	HCAHandles   uint64 `json:"hcaHandles"`
	HCAObjects   uint64 `json:"hcaObjects"`
	HandlesLimit uint64 `json:"hcaHandlesLimit"`
	ObjectsLimit uint64 `json:"hcaObjectsLimit"`
}

// MiscStats is one resource of the misc controller.
type MiscStats struct {
	Usage  uint64 `json:"usage"`
	Events uint64 `json:"events,omitempty"` // how often the limit was hit
}

// PSI is pressure stall information (Documentation/accounting/psi.rst).
type PSI struct {
	Some PSIData `json:"some"`
	Full PSIData `json:"full"`
}

// PSIData are percentages over the last seconds, and microseconds in all.
type PSIData struct {
	Avg10  float64 `json:"avg10"`
	Avg60  float64 `json:"avg60"`
	Avg300 float64 `json:"avg300"`
	Total  uint64  `json:"total"`
}
