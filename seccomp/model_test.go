package seccomp

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// kernelTables holds the system calls of the kernel by name, read from the
// generated tables of golang.org/x/sys: an opinion independent of libseccomp
// and of the tables under test.
type kernelTables map[archMask]map[string]uint32

var readTables = sync.OnceValues(func() (kernelTables, error) {
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		return nil, err
	}
	tables := kernelTables{}
	for goarch, bit := range map[string]archMask{"amd64": onAMD64, "386": onX86, "arm64": onARM64, "arm": onARM} {
		text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "unix", "zsysnum_linux_"+goarch+".go"))
		if err != nil {
			return nil, err
		}
		tables[bit] = parseTable(text)
	}
	tables[onX32] = x32Table(tables[onAMD64])
	tables[onARM]["set_tls"] = 0x0f0005 // __ARM_NR_set_tls
	delete(tables[onARM], "syscall_mask")
	delete(tables[onARM64], "arch_specific_syscall")
	return tables, nil
})

func parseTable(text []byte) map[string]uint32 {
	table := map[string]uint32{}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, value, ok := strings.Cut(strings.TrimSpace(lines.Text()), "=")
		name, isCall := strings.CutPrefix(strings.TrimSpace(name), "SYS_")
		if nr, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32); ok && isCall && err == nil {
			table[strings.ToLower(name)] = uint32(nr)
		}
	}
	return table
}

// x32Table derives the x32 numbers of the calls that the tests use there.
func x32Table(amd64 map[string]uint32) map[string]uint32 {
	table := map[string]uint32{"ptrace": x32Bit + 521, "execve": x32Bit + 520,
		"io_setup": x32Bit + 543, "sendmsg": x32Bit + 518, "recvmmsg": x32Bit + 537, "sendmmsg": x32Bit + 538}
	for name, nr := range amd64 {
		switch name {
		case "uprobe", "uretprobe", "map_shadow_stack", "rt_sigaction", "ioctl", "readv", "writev":
		default:
			if _, ok := table[name]; !ok {
				table[name] = x32Bit + nr
			}
		}
	}
	return table
}

func tables(t testing.TB) kernelTables {
	t.Helper()
	k, err := readTables()
	if err != nil {
		t.Skipf("no system call tables of golang.org/x/sys: %v", err)
	}
	return k
}

func nativeBit() archMask {
	if runtime.GOARCH == "arm64" {
		return onARM64
	}
	return onAMD64
}

// model answers as config-linux.md and SECCOMP.md say a profile should, in the
// plainest way: a walk over the entries.
type model struct {
	s      *specs.LinuxSeccomp
	tables kernelTables
	bits   archMask
}

func newModel(t testing.TB, s *specs.LinuxSeccomp) *model {
	m := &model{s: s, tables: tables(t), bits: nativeBit()}
	for _, a := range s.Architectures {
		m.bits |= maskOf(a)
	}
	return m
}

// archOf finds the architecture of a call, 0 if the profile does not have it.
func (m *model) archOf(c call) archMask {
	switch c.arch {
	case unix.AUDIT_ARCH_X86_64:
		if c.nr >= x32Bit && (c.nr != 0xffffffff || m.bits&onX32 != 0) {
			return m.bits & onX32
		}
		return m.bits & onAMD64
	case unix.AUDIT_ARCH_I386:
		return m.bits & onX86
	case unix.AUDIT_ARCH_AARCH64:
		return m.bits & onARM64
	case unix.AUDIT_ARCH_ARM:
		return m.bits & onARM
	}
	return 0
}

// verdict returns the value that is right for a call. The first rule without
// conditions decides, else the first whose conditions hold, else the default.
func (m *model) verdict(c call) uint32 {
	bit := m.archOf(c)
	if bit == 0 {
		return unix.SECCOMP_RET_KILL_THREAD
	}
	fallback := actionValue(m.s.DefaultAction, m.s.DefaultErrnoRet)
	var tries []func(e *specs.LinuxSyscall) bool
	direct := func(e *specs.LinuxSyscall) bool { return m.names(e.Names, bit, c.nr) }
	inside := func(e *specs.LinuxSyscall) bool { return bit == onX86 && folds(e, c) }
	tries = append(tries,
		func(e *specs.LinuxSyscall) bool { return len(e.Args) == 0 && direct(e) },
		func(e *specs.LinuxSyscall) bool { return len(e.Args) == 0 && inside(e) },
		func(e *specs.LinuxSyscall) bool {
			return len(e.Args) > 0 && (direct(e) && matches(e.Args, c.args) || inside(e))
		})
	for _, try := range tries {
		for i := range m.s.Syscalls {
			e := &m.s.Syscalls[i]
			if v := actionValue(e.Action, e.ErrnoRet); v != fallback && try(e) {
				return v
			}
		}
	}
	if m.isNew(bit, c.nr) {
		return retENOSYS
	}
	return fallback
}

// folds tells whether a call of 32-bit x86 is one that e names inside
// socketcall(2) or ipc(2) (numbers of linux/net.h and linux/ipc.h). The arguments
// cannot be seen there, so e goes for all of that kind, unless its conditions
// can hold for no 32-bit argument.
func folds(e *specs.LinuxSyscall, c call) bool {
	kinds := map[uint32]map[uint64]string{
		102: {1: "socket", 3: "connect", 5: "accept", 16: "sendmsg", 19: "recvmmsg", 20: "sendmmsg"},
		117: {1: "semop", 2: "semget", 21: "shmat"},
	}
	name, ok := kinds[c.nr][c.args[0]]
	if !ok || !slices.Contains(e.Names, name) {
		return false
	}
	impossible, twice := 0, false
	for i, a := range e.Args {
		none := a.Value>>32 != 0 && (a.Op == specs.OpEqualTo || a.Op == specs.OpGreaterThan || a.Op == specs.OpGreaterEqual)
		if none || a.Op == specs.OpMaskedEqual && (a.Value&a.ValueTwo)>>32 != 0 {
			impossible++
		}
		twice = twice || slices.ContainsFunc(e.Args[:i], func(b specs.LinuxSeccompArg) bool { return a.Index == b.Index })
	}
	return impossible == 0 || twice && impossible < len(e.Args)
}

func (m *model) names(names []string, bit archMask, nr uint32) bool {
	return slices.ContainsFunc(names, func(name string) bool {
		number, ok := m.tables[bit][name]
		return ok && number == nr
	})
}

// isNew tells whether a call is newer than all that the profile names.
func (m *model) isNew(bit archMask, nr uint32) bool {
	switch m.s.DefaultAction {
	case specs.ActAllow, specs.ActLog, specs.ActTrace:
		return false
	}
	apart := func(nr uint32) bool {
		return bit == onX32 && nr >= x32Bit+512 && nr <= x32Bit+547 || bit == onARM && nr >= 0x0f0000
	}
	newest, any := uint32(0), false
	for _, e := range m.s.Syscalls {
		for _, name := range e.Names {
			if number, ok := m.tables[bit][name]; ok && !apart(number) {
				newest, any = max(newest, number), true
			}
		}
	}
	return any && nr > newest && !apart(nr)
}

// matches tells whether the arguments meet an entry.
func matches(conds []specs.LinuxSeccompArg, args [6]uint64) bool {
	twice := false
	for i, a := range conds {
		twice = twice || slices.ContainsFunc(conds[:i], func(b specs.LinuxSeccompArg) bool { return a.Index == b.Index })
	}
	held := 0
	for _, a := range conds {
		if holds(a, args[a.Index]) {
			held++
		}
	}
	if twice {
		return held > 0
	}
	return held == len(conds)
}

func holds(a specs.LinuxSeccompArg, arg uint64) bool {
	switch a.Op {
	case specs.OpNotEqual:
		return arg != a.Value
	case specs.OpLessThan:
		return arg < a.Value
	case specs.OpLessEqual:
		return arg <= a.Value
	case specs.OpEqualTo:
		return arg == a.Value
	case specs.OpGreaterEqual:
		return arg >= a.Value
	case specs.OpGreaterThan:
		return arg > a.Value
	}
	return arg&a.Value == a.ValueTwo&a.Value
}
