package seccomp

import (
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// SupportedFlags returns those of KnownFlags that the running kernel takes.
func SupportedFlags() []string {
	var out []string
	for _, name := range KnownFlags() {
		if bit, _ := flagBit(name); flagTaken(bit) {
			out = append(out, name)
		}
	}
	return out
}

// flagTaken asks the kernel for a filter at address 0: it looks at the flags
// first and refuses unknown ones with EINVAL, so that EFAULT means yes.
func flagTaken(bit uint32) bool {
	if bit == unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV {
		bit |= unix.SECCOMP_FILTER_FLAG_NEW_LISTENER // EINVAL without
	}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(bit), 0)
	return errno == unix.EFAULT
}

// SupportedActions returns those of Actions that the running kernel takes.
func SupportedActions() []string {
	var out []string
	for _, name := range Actions() {
		if value, _ := actionBase(specs.LinuxSeccompAction(name)); actionTaken(value) {
			out = append(out, name)
		}
	}
	return out
}

func actionTaken(value uint32) bool {
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_GET_ACTION_AVAIL, 0, uintptr(unsafe.Pointer(&value)))
	return errno == 0
}
