package seccomp

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	sc "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

// treeFrom is the number of rules from which the filter becomes a binary tree;
// below it a row of comparisons is as fast.
const treeFrom = 33

// libraryVersion names the libseccomp in use.
func libraryVersion() string {
	major, minor, micro := sc.GetLibraryVersion()
	return strconv.FormatUint(uint64(major), 10) + "." + strconv.FormatUint(uint64(minor), 10) +
		"." + strconv.FormatUint(uint64(micro), 10)
}

// compileLibrary lets libseccomp compile the rules that it takes, each
// architecture for itself (one filter for all takes it three times as long), and
// puts the programs in a row: a call of another architecture goes on to the next,
// after the last one it kills the thread.
func compileLibrary(p *profile, native sc.ScmpArch) ([]instruction, error) {
	other, err := p.freeValue()
	if err != nil {
		return nil, err
	}
	var all []instruction
	for i := range p.archs {
		code, err := compileArch(p, i, native, other)
		if err != nil {
			return nil, err
		}
		prog, err := decode(code)
		if err != nil {
			return nil, fmt.Errorf("linux.seccomp: exported filter: %w", err)
		}
		for j, in := range prog {
			if in.code != opReturn || in.k != other {
				continue
			}
			prog[j] = instruction{code: opJump, k: uint32(len(prog) - j - 1)}
			if i == len(p.archs)-1 {
				prog[j] = instruction{code: opReturn, k: unix.SECCOMP_RET_KILL_THREAD}
			}
		}
		all = append(all, prog...)
	}
	return all, nil
}

// freeValue returns a SECCOMP_RET_TRACE value that the profile does not use, to
// find libseccomp's answer to other architectures by.
func (p *profile) freeValue() (uint32, error) {
	used := map[uint32]bool{p.fallback: true}
	for i := range p.rules {
		used[p.rules[i].value] = true
	}
	for n := uint32(unix.SECCOMP_RET_DATA); n > 0; n-- {
		if value := unix.SECCOMP_RET_TRACE | n; !used[value] {
			return value, nil
		}
	}
	return 0, errors.New("linux.seccomp.syscalls: more numbers for SCMP_ACT_TRACE than a filter holds")
}

// compileArch compiles the rules of one architecture; other is the answer to
// calls of any other.
func compileArch(p *profile, i int, native sc.ScmpArch, other uint32) ([]byte, error) {
	f, err := sc.NewFilter(libraryAction(p.fallback))
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp.defaultAction: seccomp_init: %w", err)
	}
	defer f.Release()
	if err := onlyArch(f, p.archs[i].lib, native); err != nil {
		return nil, fmt.Errorf("linux.seccomp.architectures: %q: %w", p.archs[i].lib.String(), err)
	}
	if err := f.SetBadArchAction(libraryAction(other)); err != nil {
		return nil, fmt.Errorf("linux.seccomp: libseccomp action for other architectures: %w", err)
	}
	if len(p.rules) >= treeFrom {
		if err := f.SetOptimize(2); err != nil {
			return nil, fmt.Errorf("linux.seccomp: libseccomp binary tree: %w", err)
		}
	}
	if err := addRules(f, p, i); err != nil {
		return nil, err
	}
	return export(f)
}

// onlyArch makes a fresh filter, which has the native architecture, one for
// another.
func onlyArch(f *sc.ScmpFilter, wanted, native sc.ScmpArch) error {
	if wanted == native {
		return nil
	}
	if err := f.AddArch(wanted); err != nil {
		return fmt.Errorf("seccomp_arch_add: %w", err)
	}
	if err := f.RemoveArch(native); err != nil {
		return fmt.Errorf("seccomp_arch_remove: %w", err)
	}
	return nil
}

// addRules gives libseccomp the rules of one architecture that it takes.
func addRules(f *sc.ScmpFilter, p *profile, i int) error {
	for j := range p.rules {
		r := &p.rules[j]
		if !p.libraryTakes(r, i) {
			continue
		}
		// Of two rules for one call libseccomp keeps the first.
		if err := f.AddRule(sc.ScmpSyscall(r.call.lib), libraryAction(r.value)); err != nil {
			return fmt.Errorf("%s: seccomp_rule_add %q: %w", r.path, r.call.name, err)
		}
	}
	return nil
}

// libraryAction turns a SECCOMP_RET_* value into libseccomp's own.
func libraryAction(value uint32) sc.ScmpAction {
	data := int16(value & unix.SECCOMP_RET_DATA)
	switch value & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_KILL_PROCESS:
		return sc.ActKillProcess
	case unix.SECCOMP_RET_TRAP:
		return sc.ActTrap
	case unix.SECCOMP_RET_ERRNO:
		return sc.ActErrno.SetReturnCode(data)
	case unix.SECCOMP_RET_USER_NOTIF:
		return sc.ActNotify
	case unix.SECCOMP_RET_TRACE:
		return sc.ActTrace.SetReturnCode(data)
	case unix.SECCOMP_RET_LOG:
		return sc.ActLog
	case unix.SECCOMP_RET_ALLOW:
		return sc.ActAllow
	}
	return sc.ActKillThread
}

// export returns the compiled filter. libseccomp before 2.6 writes to a
// descriptor only.
func export(f *sc.ScmpFilter) ([]byte, error) {
	code, err := f.ExportBPFMem()
	if err == nil {
		return code, nil
	}
	if !errors.Is(err, unix.EOPNOTSUPP) {
		return nil, fmt.Errorf("linux.seccomp: seccomp_export_bpf_mem: %w", err)
	}
	file, err := memoryFile()
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp: memfd_create: %w", err)
	}
	defer file.Close()
	if err := f.ExportBPF(file); err != nil {
		return nil, fmt.Errorf("linux.seccomp: seccomp_export_bpf: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp: exported filter: %w", err)
	}
	code = make([]byte, info.Size())
	if _, err := file.ReadAt(code, 0); err != nil {
		return nil, fmt.Errorf("linux.seccomp: exported filter: %w", err)
	}
	return code, nil
}

// memoryFile opens an anonymous file. MFD_NOEXEC_SEAL (Linux 6.3) is asked for
// as sysctl vm.memfd_noexec may demand it.
func memoryFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("tare-seccomp", unix.MFD_CLOEXEC|unix.MFD_NOEXEC_SEAL)
	if err == unix.EINVAL {
		fd, err = unix.MemfdCreate("tare-seccomp", unix.MFD_CLOEXEC)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), "tare-seccomp"), nil
}
