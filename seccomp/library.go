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

// compileLibrary lets libseccomp compile the rules that it takes.
func compileLibrary(p *profile, native sc.ScmpArch) ([]byte, error) {
	all, err := sc.NewFilter(libraryAction(p.fallback))
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp.defaultAction: seccomp_init: %w", err)
	}
	defer all.Release()
	if len(p.rules) >= treeFrom {
		if err := all.SetOptimize(2); err != nil {
			return nil, fmt.Errorf("linux.seccomp: libseccomp binary tree: %w", err)
		}
	}
	for i := range p.archs {
		if p.archs[i].lib == native {
			err = addRules(all, p, i)
		} else {
			err = mergeArch(all, p, i, native)
		}
		if err != nil {
			return nil, err
		}
	}
	return export(all)
}

// mergeArch compiles the rules of one more architecture. Each architecture has
// a filter of its own, as its rules are not always those of the others.
func mergeArch(all *sc.ScmpFilter, p *profile, i int, native sc.ScmpArch) error {
	one, err := sc.NewFilter(libraryAction(p.fallback))
	if err != nil {
		return fmt.Errorf("linux.seccomp.defaultAction: seccomp_init: %w", err)
	}
	defer one.Release()
	name := p.archs[i].lib.String()
	if err := one.AddArch(p.archs[i].lib); err != nil {
		return fmt.Errorf("linux.seccomp.architectures: seccomp_arch_add %q: %w", name, err)
	}
	if err := one.RemoveArch(native); err != nil {
		return fmt.Errorf("linux.seccomp.architectures: seccomp_arch_remove: %w", err)
	}
	if err := addRules(one, p, i); err != nil {
		return err
	}
	if err := all.Merge(one); err != nil {
		return fmt.Errorf("linux.seccomp.architectures: seccomp_merge %q: %w", name, err)
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
