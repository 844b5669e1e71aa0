package seccomp

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	sc "github.com/seccomp/libseccomp-golang"
	"golang.org/x/sys/unix"
)

func ptr(n uint) *uint { return &n }

// wideProfile is shaped like the default profiles of the engines: it allows what
// the kernel had up to 6.10 but for a list of refused calls, looks at some
// arguments, and names the architectures of the host's family.
func wideProfile(t testing.TB) *specs.LinuxSeccomp {
	t.Helper()
	refused := []string{"mount", "umount2", "ptrace", "reboot", "kexec_load", "sethostname", "swapon", "personality",
		"clone", "socket", "acct", "settimeofday"}
	var allowed []string
	for _, bit := range []archMask{onAMD64, onX86, onARM64, onARM} {
		for name, nr := range tables(t)[bit] {
			if !slices.Contains(refused, name) && nr <= 462 {
				allowed = append(allowed, name)
			}
		}
	}
	slices.Sort(allowed)
	entries := []specs.LinuxSyscall{
		{Names: slices.Compact(allowed), Action: specs.ActAllow},
		{Names: []string{"clone"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{
			{Index: 0, Value: 0x7e020000, ValueTwo: 0, Op: specs.OpMaskedEqual}}},
		{Names: []string{"socket"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{
			{Index: 0, Value: unix.AF_VSOCK, Op: specs.OpNotEqual}}},
		{Names: []string{"sethostname"}, Action: specs.ActErrno, ErrnoRet: ptr(uint(unix.ENOTEMPTY))},
	}
	for _, persona := range []uint64{0, 8, 0x20000, 0x20008, 0xffffffff} {
		entries = append(entries, specs.LinuxSyscall{Names: []string{"personality"}, Action: specs.ActAllow,
			Args: []specs.LinuxSeccompArg{{Index: 0, Value: persona, Op: specs.OpEqualTo}}})
	}
	s := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: entries,
		Architectures: []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32}}
	if nativeBit() == onARM64 {
		s.Architectures = []specs.Arch{specs.ArchAARCH64, specs.ArchARM}
	}
	return s
}

// mobyNames returns all names of the default profile of Docker, if the module
// that holds it can be had.
func mobyNames(t *testing.T) []string {
	t.Helper()
	const module = "github.com/moby/profiles/seccomp@v0.2.4"
	cmd := exec.Command("go", "mod", "download", "-json", module)
	cmd.Dir = t.TempDir() // outside of any module: nothing is added to go.mod
	out, err := cmd.Output()
	if err != nil {
		t.Skipf("go mod download %s: %v", module, err)
	}
	var info struct{ Dir string }
	var profile struct {
		Syscalls []struct{ Names []string }
	}
	if err := json.Unmarshal(out, &info); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(info.Dir, "default.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &profile); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range profile.Syscalls {
		names = append(names, e.Names...)
	}
	if len(names) < 300 {
		t.Fatalf("only %d names in the default profile", len(names))
	}
	return names
}

// TestNoNameOfDockerIsLost proves that an old libseccomp costs no call: every
// name of the default profile that the kernel has on an architecture is allowed
// there.
func TestNoNameOfDockerIsLost(t *testing.T) {
	t.Parallel()
	names := mobyNames(t)
	s := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno,
		Architectures: []specs.Arch{specs.ArchX86_64, specs.ArchX32, specs.ArchX86, specs.ArchAARCH64, specs.ArchARM},
		Syscalls:      []specs.LinuxSyscall{{Names: names, Action: specs.ActAllow}}}
	p, err := Compile(s, Options{FailUnknownSyscall: true})
	if err != nil {
		t.Fatal(err)
	}
	prog := program(t, p)
	for bit, audit := range map[archMask]uint32{onAMD64: unix.AUDIT_ARCH_X86_64, onX86: unix.AUDIT_ARCH_I386,
		onX32: unix.AUDIT_ARCH_X86_64, onARM64: unix.AUDIT_ARCH_AARCH64, onARM: unix.AUDIT_ARCH_ARM} {
		for _, name := range names {
			nr, ok := tables(t)[bit][name]
			if !ok || bit == onX32 && nr < x32Bit+512 && strings.HasSuffix(name, "v") {
				continue
			}
			if got := verdict(t, prog, call{nr: nr, arch: audit}); got != unix.SECCOMP_RET_ALLOW && bit != onX32 {
				t.Errorf("%s, number %#x of %#x: %#x", name, nr, audit, got)
			}
		}
	}
}

func TestWideProfileAgreesWithModel(t *testing.T) {
	t.Parallel()
	s := wideProfile(t)
	judge(t, s, func(m *model) []call {
		var calls []call
		for _, audit := range []uint32{unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_AARCH64, unix.AUDIT_ARCH_ARM} {
			for nr := range uint32(600) {
				for _, a0 := range []uint64{0, 8, 9, 40, 1<<32 + 8, 0x10000000, 0xffffffff} {
					if audit == unix.AUDIT_ARCH_I386 || audit == unix.AUDIT_ARCH_ARM {
						a0 &= 0xffffffff
					}
					calls = append(calls, call{nr: nr, arch: audit, args: [6]uint64{a0}})
				}
			}
		}
		return calls
	})
}

// TestTablesAgree compares the own tables with the kernel's, and with
// libseccomp where it knows better than -1.
func TestTablesAgree(t *testing.T) {
	t.Parallel()
	kernel := tables(t)
	names := func(c syscallNumber) string { return c.name }
	if !slices.IsSortedFunc(newerCalls(), func(a, b syscallNumber) int { return strings.Compare(a.name, b.name) }) ||
		!slices.IsSortedFunc(foldedCalls(), func(a, b foldedCall) int { return strings.Compare(a.name, b.name) }) {
		t.Error("a table is not sorted")
	}
	for _, a := range builtArchs() {
		for _, c := range newerCalls() {
			nr, has := kernel[a.bit][c.name]
			if mine := c.on&a.bit != 0; mine != has || has && a.base+c.nr != nr {
				t.Errorf("%s on %s: table %v %d, kernel %v %#x", c.name, a.lib, mine, c.nr, has, nr)
			}
			lib, err := sc.GetSyscallFromNameByArch(c.name, a.lib)
			if err == nil && lib >= 0 && uint32(lib) != a.base+c.nr {
				t.Errorf("%s on %s: table %d, libseccomp %d", c.name, a.lib, c.nr, lib)
			}
		}
		// All that the kernel has must be known, or newer than the table.
		for name, nr := range kernel[a.bit] {
			_, err := sc.GetSyscallFromName(name)
			if _, ok := lookup(newerCalls(), name, names); err != nil && !ok {
				t.Errorf("%s, number %#x on %s, is known to nobody", name, nr, a.lib)
			}
		}
	}
	for _, c := range foldedCalls() {
		if nr := kernel[onX86][c.name]; nr != c.direct {
			t.Errorf("%s: table %d, kernel %d", c.name, c.direct, nr)
		}
		if sc, ok := kernel[onX86][map[uint32]string{x86Socketcall: "socketcall", x86IPC: "ipc"}[c.via]]; !ok || sc != c.via {
			t.Errorf("%s goes through %d", c.name, c.via)
		}
	}
}
