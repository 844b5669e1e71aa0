package seccomp

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
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

// compileLibrary lets libseccomp compile the rules it can express. What it
// cannot is returned: the extra rules of each architecture, in order.
func compileLibrary(p *profile, native sc.ScmpArch) (code []byte, extras [][]rule, err error) {
	all, err := sc.NewFilter(libraryAction(p.fallback))
	if err != nil {
		return nil, nil, fmt.Errorf("linux.seccomp.defaultAction: seccomp_init: %w", err)
	}
	defer all.Release()
	if len(p.rules) >= treeFrom {
		if err := all.SetOptimize(2); err != nil {
			return nil, nil, fmt.Errorf("linux.seccomp: libseccomp binary tree: %w", err)
		}
	}
	extras = make([][]rule, len(p.archs))
	for i := range p.archs {
		if p.archs[i].lib == native {
			extras[i], err = addRules(all, p, i)
		} else {
			extras[i], err = mergeArch(all, p, i, native)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	code, err = export(all)
	return code, extras, err
}

// mergeArch compiles the rules of one more architecture. Each architecture has
// a filter of its own, as its rules are not always those of the others.
func mergeArch(all *sc.ScmpFilter, p *profile, i int, native sc.ScmpArch) ([]rule, error) {
	one, err := sc.NewFilter(libraryAction(p.fallback))
	if err != nil {
		return nil, fmt.Errorf("linux.seccomp.defaultAction: seccomp_init: %w", err)
	}
	defer one.Release()
	name := p.archs[i].lib.String()
	if err := one.AddArch(p.archs[i].lib); err != nil {
		return nil, fmt.Errorf("linux.seccomp.architectures: seccomp_arch_add %q: %w", name, err)
	}
	if err := one.RemoveArch(native); err != nil {
		return nil, fmt.Errorf("linux.seccomp.architectures: seccomp_arch_remove: %w", err)
	}
	extras, err := addRules(one, p, i)
	if err != nil {
		return nil, err
	}
	if err := all.Merge(one); err != nil {
		return nil, fmt.Errorf("linux.seccomp.architectures: seccomp_merge %q: %w", name, err)
	}
	return extras, nil
}

// addRules gives the rules of one architecture to libseccomp and returns those
// that it cannot take.
func addRules(f *sc.ScmpFilter, p *profile, i int) (extras []rule, err error) {
	for _, r := range p.rulesFor(i) {
		on := r.call.on[i]
		if ownRule(&r, &p.archs[i], on) {
			extras = append(extras, r)
			continue
		}
		if !r.call.inLib {
			continue // a name of other architectures
		}
		err := f.AddRuleConditional(sc.ScmpSyscall(r.call.lib), libraryAction(r.value), libraryConditions(r.conds))
		switch {
		case err == nil:
		case errors.Is(err, unix.EEXIST) && on.direct:
			// The same call number of socketcall(2) or ipc(2) already has an
			// action, whatever the arguments behind its pointer; the direct
			// call can still be told apart.
			extras = append(extras, r)
		case errors.Is(err, unix.EEXIST):
			return nil, fmt.Errorf("%s: %q has another rule with the same conditions and a different action", r.path, r.call.name)
		default:
			return nil, fmt.Errorf("%s: seccomp_rule_add %q: %w", r.path, r.call.name, err)
		}
	}
	return extras, nil
}

// ownRule tells whether a rule is compiled here rather than by libseccomp.
func ownRule(r *rule, a *arch, on placedCall) bool {
	// libseccomp looks at the lower half of an x32 argument only.
	return on.own || a.bit == onX32 && len(r.conds) > 0 && on.nr >= 0
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

func libraryConditions(conds []condition) []sc.ScmpCondition {
	out := make([]sc.ScmpCondition, len(conds))
	for i, c := range conds {
		out[i] = sc.ScmpCondition{Argument: c.index, Op: libraryOperator(c.op), Operand1: c.value, Operand2: c.two}
	}
	return out
}

func libraryOperator(op specs.LinuxSeccompOperator) sc.ScmpCompareOp {
	switch op {
	case specs.OpNotEqual:
		return sc.CompareNotEqual
	case specs.OpLessThan:
		return sc.CompareLess
	case specs.OpLessEqual:
		return sc.CompareLessOrEqual
	case specs.OpEqualTo:
		return sc.CompareEqual
	case specs.OpGreaterEqual:
		return sc.CompareGreaterEqual
	case specs.OpGreaterThan:
		return sc.CompareGreater
	case specs.OpMaskedEqual:
		return sc.CompareMaskedEqual
	}
	return sc.CompareInvalid
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
