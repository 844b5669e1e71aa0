package seccomp

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// Enabled tells that this build compiles and honours seccomp profiles, for
// linux.seccomp.enabled of the features document. It says nothing of the host.
const Enabled = true

// maxErrno is the highest value the kernel reports as an error number
// (MAX_ERRNO); SECCOMP_RET_ERRNO is cut to it.
const maxErrno = 4095

// Actions returns the sorted names of all actions that a profile may use.
func Actions() []string {
	return []string{
		string(specs.ActAllow), string(specs.ActErrno), string(specs.ActKill),
		string(specs.ActKillProcess), string(specs.ActKillThread), string(specs.ActLog),
		string(specs.ActNotify), string(specs.ActTrace), string(specs.ActTrap),
	}
}

// Operators returns the sorted names of all argument comparisons.
func Operators() []string {
	return []string{
		string(specs.OpEqualTo), string(specs.OpGreaterEqual), string(specs.OpGreaterThan),
		string(specs.OpLessEqual), string(specs.OpLessThan), string(specs.OpMaskedEqual),
		string(specs.OpNotEqual),
	}
}

// Archs returns the sorted names of all architectures that a profile may name.
// Filters are built for x86-64, x86, x32, arm64 and arm; an architecture that
// none of tare's kernels can run is accepted and needs no code.
func Archs() []string {
	return []string{
		"SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K",
		"SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL",
		"SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64",
		"SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE", "SCMP_ARCH_RISCV64",
		"SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB",
		"SCMP_ARCH_X32", "SCMP_ARCH_X86", "SCMP_ARCH_X86_64",
	}
}

// KnownFlags returns the sorted names of all filter flags that a profile may use.
func KnownFlags() []string {
	return []string{
		"SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
		"SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
	}
}

// flagBit gives the SECCOMP_FILTER_FLAG_* bit of a flag's name.
func flagBit(name string) (uint32, bool) {
	switch name {
	case "SECCOMP_FILTER_FLAG_TSYNC":
		return unix.SECCOMP_FILTER_FLAG_TSYNC, true
	case "SECCOMP_FILTER_FLAG_LOG":
		return unix.SECCOMP_FILTER_FLAG_LOG, true
	case "SECCOMP_FILTER_FLAG_SPEC_ALLOW":
		return unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW, true
	case "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV":
		return unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, true
	}
	return 0, false
}

// filterFlags sums the profile's flags. An absent list means SPEC_ALLOW, as
// without it the kernel may slow every filtered process by disabling
// speculation; a list that is present and empty means no flag at all.
func filterFlags(s *specs.LinuxSeccomp) uint32 {
	if s == nil || s.Flags == nil {
		return unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW
	}
	var flags uint32
	for _, f := range s.Flags {
		bit, _ := flagBit(string(f))
		flags |= bit
	}
	return flags
}

// actionBase gives the SECCOMP_RET_* value of an action without its data.
func actionBase(a specs.LinuxSeccompAction) (uint32, bool) {
	switch a {
	case specs.ActKill, specs.ActKillThread:
		return unix.SECCOMP_RET_KILL_THREAD, true
	case specs.ActKillProcess:
		return unix.SECCOMP_RET_KILL_PROCESS, true
	case specs.ActTrap:
		return unix.SECCOMP_RET_TRAP, true
	case specs.ActErrno:
		return unix.SECCOMP_RET_ERRNO, true
	case specs.ActTrace:
		return unix.SECCOMP_RET_TRACE, true
	case specs.ActAllow:
		return unix.SECCOMP_RET_ALLOW, true
	case specs.ActLog:
		return unix.SECCOMP_RET_LOG, true
	case specs.ActNotify:
		return unix.SECCOMP_RET_USER_NOTIF, true
	}
	return 0, false
}

// takesErrno tells whether an action carries a number in its low 16 bits, and
// the highest one that reaches its reader unchanged.
func takesErrno(a specs.LinuxSeccompAction) (highest uint, ok bool) {
	switch a {
	case specs.ActErrno:
		return maxErrno, true
	case specs.ActTrace:
		return unix.SECCOMP_RET_DATA, true
	}
	return 0, false
}

// actionValue gives the whole SECCOMP_RET_* value. The number defaults to EPERM
// (config-linux.md, errnoRet and defaultErrnoRet).
func actionValue(a specs.LinuxSeccompAction, errno *uint) uint32 {
	base, _ := actionBase(a)
	if _, ok := takesErrno(a); !ok {
		return base
	}
	if errno == nil {
		return base | uint32(unix.EPERM)
	}
	return base | uint32(*errno)&unix.SECCOMP_RET_DATA
}

// knownOperator tells whether a comparison exists.
func knownOperator(op specs.LinuxSeccompOperator) bool {
	switch op {
	case specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual, specs.OpEqualTo,
		specs.OpGreaterEqual, specs.OpGreaterThan, specs.OpMaskedEqual:
		return true
	}
	return false
}
