package seccomp

import (
	"slices"
	"strings"
)

// tableVersion changes with every change to the tables of this file; it is part
// of the cache key.
const tableVersion = 1

// syscallNumber is a system call by name and its number in the common table
// (before the x32 bit), valid on the architectures of on.
type syscallNumber struct {
	name string
	nr   uint32
	on   archMask
}

// newerCalls returns the system calls that a libseccomp 2.5 may lack, sorted by
// name; the last one is of Linux 7.0. A test compares them with x/sys. An empty
// set of architectures marks a name that is no mistake but exists elsewhere only.
func newerCalls() []syscallNumber {
	return []syscallNumber{
		{"cachestat", 451, onAll},
		{"fchmodat2", 452, onAll},
		{"file_getattr", 468, onAll},
		{"file_setattr", 469, onAll},
		{"futex_requeue", 456, onAll},
		{"futex_wait", 455, onAll},
		{"futex_wake", 454, onAll},
		{"getxattrat", 464, onAll},
		{"listmount", 458, onAll},
		{"listns", 470, onAll},
		{"listxattrat", 465, onAll},
		{"lsm_get_self_attr", 459, onAll},
		{"lsm_list_modules", 461, onAll},
		{"lsm_set_self_attr", 460, onAll},
		{"map_shadow_stack", 453, onAll &^ onX32},
		{"mseal", 462, onAll},
		{"open_tree_attr", 467, onAll},
		{"removexattrat", 466, onAll},
		{"riscv_hwprobe", 0, 0},
		{"rseq_slice_yield", 471, onAll},
		{"set_mempolicy_home_node", 450, onAll},
		{"setxattrat", 463, onAll},
		{"statmount", 457, onAll},
		{"uprobe", 336, onAMD64},
		{"uretprobe", 335, onAMD64},
	}
}

// Numbers of the two calls of 32-bit x86 that others are folded into.
const (
	x86Socketcall = 102
	x86IPC        = 117
)

// foldedCall is a call that 32-bit x86 reaches through another one.
type foldedCall struct {
	name   string
	direct uint32 // its own number since Linux 4.3 or 5.1, 0 if it has none
	via    uint32 // x86Socketcall or x86IPC
	kind   uint32 // the first argument that selects it there
}

// foldedCalls returns the calls that socketcall(2) and ipc(2) hold, sorted by
// name (linux/net.h and linux/ipc.h).
func foldedCalls() []foldedCall {
	return []foldedCall{
		{"accept", 0, x86Socketcall, 5}, {"accept4", 364, x86Socketcall, 18},
		{"bind", 361, x86Socketcall, 2}, {"connect", 362, x86Socketcall, 3},
		{"getpeername", 368, x86Socketcall, 7}, {"getsockname", 367, x86Socketcall, 6},
		{"getsockopt", 365, x86Socketcall, 15}, {"listen", 363, x86Socketcall, 4},
		{"msgctl", 402, x86IPC, 14}, {"msgget", 399, x86IPC, 13},
		{"msgrcv", 401, x86IPC, 12}, {"msgsnd", 400, x86IPC, 11},
		{"recv", 0, x86Socketcall, 10}, {"recvfrom", 371, x86Socketcall, 12},
		{"recvmmsg", 337, x86Socketcall, 19}, {"recvmsg", 372, x86Socketcall, 17},
		{"semctl", 394, x86IPC, 3}, {"semget", 393, x86IPC, 2},
		{"semop", 0, x86IPC, 1}, {"semtimedop", 0, x86IPC, 4},
		{"send", 0, x86Socketcall, 9}, {"sendmmsg", 345, x86Socketcall, 20},
		{"sendmsg", 370, x86Socketcall, 16}, {"sendto", 369, x86Socketcall, 11},
		{"setsockopt", 366, x86Socketcall, 14}, {"shmat", 397, x86IPC, 21},
		{"shmctl", 396, x86IPC, 24}, {"shmdt", 398, x86IPC, 22},
		{"shmget", 395, x86IPC, 23}, {"shutdown", 373, x86Socketcall, 13},
		{"socket", 359, x86Socketcall, 1}, {"socketpair", 360, x86Socketcall, 8},
	}
}

// lookup finds a name in a table sorted by name; the zero value if it is not there.
func lookup[T any](table []T, name string, nameOf func(T) string) (found T, ok bool) {
	i, ok := slices.BinarySearchFunc(table, name, func(entry T, name string) int {
		return strings.Compare(nameOf(entry), name)
	})
	if !ok {
		return found, false
	}
	return table[i], true
}
