package seccomp

import (
	"math"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	sc "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// x32Bit marks the x32 calls, which share AUDIT_ARCH_X86_64 with the 64-bit ones.
const x32Bit = 0x40000000

// archMask is a set of the architectures that filters are built for.
type archMask uint8

const (
	onAMD64 archMask = 1 << iota
	onX32
	onX86
	onARM64
	onARM
	onX86Any = onAMD64 | onX32 | onX86
	onAll    = onX86Any | onARM64 | onARM
)

// arch is an architecture that filters are built for.
type arch struct {
	bit   archMask
	lib   sc.ScmpArch
	audit uint32 // seccomp_data.arch
	base  uint32 // added to the numbers of the common table

	// narrow: arguments are 32 bits wide, the kernel fills up with zeros.
	narrow bool

	// apartLo to apartHi are numbers outside the growing table: how high they
	// are tells nothing of their age.
	apartLo, apartHi uint32
}

// builtArchs lists the architectures that filters are built for. x32 stands
// right after the one whose audit number it shares.
func builtArchs() []arch {
	none := uint32(math.MaxUint32)
	return []arch{
		{bit: onAMD64, lib: sc.ArchAMD64, audit: unix.AUDIT_ARCH_X86_64, apartLo: none},
		// 512 to 547 are the calls that have a form of their own on x32, fixed since Linux 3.4.
		{bit: onX32, lib: sc.ArchX32, audit: unix.AUDIT_ARCH_X86_64, base: x32Bit,
			apartLo: x32Bit + 512, apartHi: x32Bit + 547},
		{bit: onX86, lib: sc.ArchX86, audit: unix.AUDIT_ARCH_I386, narrow: true, apartLo: none},
		{bit: onARM64, lib: sc.ArchARM64, audit: unix.AUDIT_ARCH_AARCH64, apartLo: none},
		// __ARM_NR_BASE: set_tls, cacheflush and other private calls.
		{bit: onARM, lib: sc.ArchARM, audit: unix.AUDIT_ARCH_ARM, narrow: true,
			apartLo: 0x0f0000, apartHi: none},
	}
}

// maskOf gives the bit of a profile's architecture, 0 if no filter is built for
// it. Such a call cannot happen on the kernels tare runs on, and leaving it out
// makes no difference.
func maskOf(a specs.Arch) archMask {
	switch a {
	case specs.ArchX86_64:
		return onAMD64
	case specs.ArchX32:
		return onX32
	case specs.ArchX86:
		return onX86
	case specs.ArchAARCH64:
		return onARM64
	case specs.ArchARM:
		return onARM
	}
	return 0
}

// apart tells whether a number stands outside the growing table.
func (a *arch) apart(nr uint32) bool { return a.apartLo <= nr && nr <= a.apartHi }
