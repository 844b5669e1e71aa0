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

// x86Direct returns the calls that 32-bit x86 also reaches through socketcall(2)
// and ipc(2), with the numbers that Linux 4.3 and 5.1 gave them, sorted by name.
func x86Direct() []syscallNumber {
	return []syscallNumber{
		{"accept4", 364, onX86}, {"bind", 361, onX86}, {"connect", 362, onX86},
		{"getpeername", 368, onX86}, {"getsockname", 367, onX86}, {"getsockopt", 365, onX86},
		{"listen", 363, onX86}, {"msgctl", 402, onX86}, {"msgget", 399, onX86},
		{"msgrcv", 401, onX86}, {"msgsnd", 400, onX86}, {"recvfrom", 371, onX86},
		{"recvmsg", 372, onX86}, {"semctl", 394, onX86}, {"semget", 393, onX86},
		{"sendmsg", 370, onX86}, {"sendto", 369, onX86}, {"setsockopt", 366, onX86},
		{"shmat", 397, onX86}, {"shmctl", 396, onX86}, {"shmdt", 398, onX86},
		{"shmget", 395, onX86}, {"shutdown", 373, onX86}, {"socket", 359, onX86},
		{"socketpair", 360, onX86},
	}
}

// lookup finds a name in a table sorted by name.
func lookup(table []syscallNumber, name string) (syscallNumber, bool) {
	i, ok := slices.BinarySearchFunc(table, name, func(c syscallNumber, name string) int {
		return strings.Compare(c.name, name)
	})
	if !ok {
		return syscallNumber{}, false
	}
	return table[i], true
}
