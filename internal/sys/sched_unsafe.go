package sys

import (
	"strconv"
	"syscall"
	"unsafe"
)

// SchedAttr is struct sched_attr, first version and utilisation clamps. Times are in nanoseconds.
type SchedAttr struct {
	Size     uint32 // filled by SchedSetattr
	Policy   uint32
	Flags    uint64
	Nice     int32
	Priority uint32
	Runtime  uint64
	Deadline uint64
	Period   uint64
	UtilMin  uint32
	UtilMax  uint32
}

// SchedSetattr is sched_setattr(2) of the calling thread.
func SchedSetattr(a SchedAttr) error {
	a.Size = uint32(unsafe.Sizeof(a))
	_, errno := quick(SYS_SCHED_SETATTR, 0, uintptr(unsafe.Pointer(&a)), 0, 0, 0, 0)
	return fail("sched_setattr", "", errno)
}

// SchedSetaffinity is sched_setaffinity(2) of the calling thread; mask is little-endian words.
func SchedSetaffinity(mask []byte) error {
	_, errno := quick(syscall.SYS_SCHED_SETAFFINITY, 0, uintptr(len(mask)), uintptr(addr(mask)), 0, 0, 0)
	return fail("sched_setaffinity", "", errno)
}

// IoprioSet is ioprio_set(2) of the calling process's first thread.
func IoprioSet(value uint32) error {
	_, errno := quick(syscall.SYS_IOPRIO_SET, IOPRIO_WHO_PROCESS, 0, uintptr(value), 0, 0, 0)
	return fail("ioprio_set", strconv.FormatUint(uint64(value), 10), errno)
}

// SetMempolicy is set_mempolicy(2) of the calling thread; nodes is little-endian words.
func SetMempolicy(mode uint32, nodes []byte, maxNode uint64) error {
	_, errno := quick(syscall.SYS_SET_MEMPOLICY, uintptr(mode), uintptr(addr(nodes)), uintptr(maxNode), 0, 0, 0)
	return fail("set_mempolicy", "", errno)
}

// Personality is personality(2).
func Personality(persona uint32) error {
	_, errno := quick(syscall.SYS_PERSONALITY, uintptr(persona), 0, 0, 0, 0, 0)
	return fail("personality", strconv.FormatUint(uint64(persona), 16), errno)
}

// Prlimit is prlimit(2) of process pid, 0 for the caller. A nil set only reads.
func Prlimit(pid, resource int, set *syscall.Rlimit) (old syscall.Rlimit, err error) {
	_, errno := quick(syscall.SYS_PRLIMIT64, uintptr(pid), uintptr(resource), uintptr(unsafe.Pointer(set)),
		uintptr(unsafe.Pointer(&old)), 0, 0)
	return old, fail("prlimit", strconv.Itoa(resource), errno)
}

// ClockNanos is clock_gettime(2) in nanoseconds.
func ClockNanos(clock int) int64 {
	var ts syscall.Timespec
	quick(syscall.SYS_CLOCK_GETTIME, uintptr(clock), uintptr(unsafe.Pointer(&ts)), 0, 0, 0, 0)
	return ts.Nano()
}
