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
// event. Times and counts are sums since the cgroup was made, bytes are those
// in use now, unless a field says otherwise. A zero may also mean that this
// kernel or this version has no such figure.
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

// Throttling is what the quota did.
type Throttling struct {
	Periods          uint64 `json:"periods,omitempty"`          // that have passed with something to run
	ThrottledPeriods uint64 `json:"throttledPeriods,omitempty"` // in which the quota was used up
	ThrottledTime    uint64 `json:"throttledTime,omitempty"`    // nanoseconds
	BurstPeriods     uint64 `json:"burstPeriods,omitempty"`     // that used saved-up time
	BurstTime        uint64 `json:"burstTime,omitempty"`        // nanoseconds
}

// CPUSetStats are the settings of the cpuset controller. Those without a
// comment are flags, 0 or 1, which only v1 has.
type CPUSetStats struct {
	CPUs                  []uint16 `json:"cpus,omitempty"` // numbers; on v2 those in effect
	CPUExclusive          uint64   `json:"cpu_exclusive"`
	Mems                  []uint16 `json:"mems,omitempty"` // numbers of nodes; on v2 those in effect
	MemHardwall           uint64   `json:"mem_hardwall"`
	MemExclusive          uint64   `json:"mem_exclusive"`
	MemoryMigrate         uint64   `json:"memory_migrate"`
	MemorySpreadPage      uint64   `json:"memory_spread_page"`
	MemorySpreadSlab      uint64   `json:"memory_spread_slab"`
	MemoryPressure        uint64   `json:"memory_pressure"` // reclaims per second, times 1000 (v1)
	SchedLoadBalance      uint64   `json:"sched_load_balance"`
	SchedRelaxDomainLevel int64    `json:"sched_relax_domain_level"` // -1 (the system's) to 5 (v1)
}

// MemoryEntry is one counter, in bytes. Limit is math.MaxUint64 on v2 and
// about the largest int64 on v1 when there is none.
type MemoryEntry struct {
	Limit   uint64 `json:"limit"`
	Usage   uint64 `json:"usage,omitempty"`
	Max     uint64 `json:"max,omitempty"` // the highest usage so far, bytes
	Failcnt uint64 `json:"failcnt"`       // how often the limit was hit
}

// MemoryStats is what the memory controller says.
type MemoryStats struct {
	Cache uint64      `json:"cache,omitempty"` // bytes of file contents
	Usage MemoryEntry `json:"usage"`
	// Swap counts memory plus swap, as v1 does; on v2 it is computed so, but
	// for Failcnt, which is swap's.
	Swap MemoryEntry `json:"swap"`
	// Kernel and KernelTCP have only Usage on v2.
	Kernel    MemoryEntry `json:"kernel"`
	KernelTCP MemoryEntry `json:"kernelTCP"`
	// Raw is memory.stat as it is: bytes, and counts of events (pgfault and
	// other names with pg, workingset_, thp_).
	Raw map[string]uint64 `json:"raw,omitempty"`
	PSI *PSI              `json:"psi,omitempty"`
}

// PidsStats counts tasks, threads that is, now; Limit 0 means none.
type PidsStats struct {
	Current uint64 `json:"current,omitempty"`
	Limit   uint64 `json:"limit,omitempty"`
}

// BlkioEntry is one counter of one device; Op is such as Read, Write, Total, or
// empty in Time and Sectors. Value is in the unit of the list it is in.
type BlkioEntry struct {
	Major uint64 `json:"major"`
	Minor uint64 `json:"minor"`
	Op    string `json:"op,omitempty"`
	Value uint64 `json:"value"`
}

// BlockIOStats are counters for each device, of the cgroup and those below it.
// v2 has the first two alone, v1 the others only of a scheduler that counts.
type BlockIOStats struct {
	ServiceBytes []BlkioEntry `json:"ioServiceBytesRecursive,omitempty"` // bytes
	Serviced     []BlkioEntry `json:"ioServicedRecursive,omitempty"`     // requests
	Queued       []BlkioEntry `json:"ioQueueRecursive,omitempty"`        // requests, now
	ServiceTime  []BlkioEntry `json:"ioServiceTimeRecursive,omitempty"`  // nanoseconds
	WaitTime     []BlkioEntry `json:"ioWaitTimeRecursive,omitempty"`     // nanoseconds
	Merged       []BlkioEntry `json:"ioMergedRecursive,omitempty"`       // requests
	Time         []BlkioEntry `json:"ioTimeRecursive,omitempty"`         // milliseconds of the device
	Sectors      []BlkioEntry `json:"sectorsRecursive,omitempty"`        // of 512 bytes
	PSI          *PSI         `json:"psi,omitempty"`
}

// HugetlbStats is one page size.
type HugetlbStats struct {
	Usage   uint64 `json:"usage,omitempty"` // bytes
	Max     uint64 `json:"max,omitempty"`   // the highest usage so far, bytes; v1 only
	Failcnt uint64 `json:"failcnt"`         // how often the limit was hit
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

// MiscStats is one resource of the misc controller, in a unit of its own.
type MiscStats struct {
	Usage  uint64 `json:"usage"`
	Events uint64 `json:"events,omitempty"` // how often the limit was hit
}

// PSI is pressure stall information (Documentation/accounting/psi.rst).
type PSI struct {
	Some PSIData `json:"some"`
	Full PSIData `json:"full"`
}

// PSIData tells how much of the time tasks stood still.
type PSIData struct {
	Avg10  float64 `json:"avg10"`  // per cent of the last 10 seconds
	Avg60  float64 `json:"avg60"`  // per cent of the last minute
	Avg300 float64 `json:"avg300"` // per cent of the last five minutes
	Total  uint64  `json:"total"`  // microseconds
}
