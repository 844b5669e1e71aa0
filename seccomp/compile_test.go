package seccomp

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func compiled(t *testing.T, s *specs.LinuxSeccomp) []instruction {
	t.Helper()
	p, err := Compile(s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return program(t, p)
}

func TestNothingToCompile(t *testing.T) {
	t.Parallel()
	if p, err := Compile(nil, Options{}); p != nil || err != nil {
		t.Errorf("got %v, %v", p, err)
	}
}

func TestUnknownNames(t *testing.T) {
	t.Parallel()
	s := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{
		{Names: []string{"read", "no_such_call", "riscv_hwprobe", "s390_pci_mmio_read"}, Action: specs.ActAllow},
		{Names: []string{"no_such_call"}, Action: specs.ActLog}}}
	p, err := Compile(s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{`linux.seccomp.syscalls[0].names[1]: unknown system call "no_such_call", skipped`}
	if !slices.Equal(p.Warnings, want) {
		t.Errorf("warnings %q", p.Warnings)
	}
	_, err = Compile(s, Options{FailUnknownSyscall: true, CacheDir: t.TempDir()})
	if err == nil || err.Error() != `linux.seccomp.syscalls[0].names[1]: unknown system call "no_such_call"` {
		t.Errorf("got %v", err)
	}
}

// TestNativeIsAlwaysThere: a profile that names only foreign architectures
// still filters the native one.
func TestNativeIsAlwaysThere(t *testing.T) {
	t.Parallel()
	for _, archs := range [][]specs.Arch{nil, {specs.ArchMIPS, specs.ArchS390X, "SCMP_ARCH_LOONGARCH64"}, {specs.ArchARM}, {specs.ArchX32}} {
		s := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: archs,
			Syscalls: []specs.LinuxSyscall{{Names: []string{"read"}, Action: specs.ActAllow}}}
		judge(t, s, func(m *model) []call {
			var calls []call
			for _, audit := range []uint32{unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_AARCH64, unix.AUDIT_ARCH_ARM, unix.AUDIT_ARCH_MIPS} {
				for _, nr := range []uint32{0, 3, 4, 63, 64, 600} {
					calls = append(calls, call{nr: nr, arch: audit})
				}
			}
			return calls
		})
	}
}

// TestNewerCallsGetENOSYS looks at each default action.
func TestNewerCallsGetENOSYS(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		action specs.LinuxSeccompAction
		errno  *uint
		want   uint32
	}{
		{specs.ActErrno, nil, retENOSYS}, {specs.ActErrno, ptr(13), retENOSYS}, {specs.ActErrno, ptr(38), retENOSYS},
		{specs.ActKill, nil, retENOSYS}, {specs.ActKillProcess, nil, retENOSYS}, {specs.ActTrap, nil, retENOSYS},
		{specs.ActAllow, nil, unix.SECCOMP_RET_ALLOW}, {specs.ActLog, nil, unix.SECCOMP_RET_LOG},
		{specs.ActTrace, nil, unix.SECCOMP_RET_TRACE | uint32(unix.EPERM)},
	} {
		s := &specs.LinuxSeccomp{DefaultAction: c.action, DefaultErrnoRet: c.errno,
			// The newest name counts whatever its action is.
			Syscalls: []specs.LinuxSyscall{{Names: []string{"openat2"}, Action: c.action, ErrnoRet: c.errno},
				{Names: []string{"close_range"}, Action: specs.ActTrap, Args: []specs.LinuxSeccompArg{{Op: specs.OpEqualTo, Value: 1 << 40}}}}}
		prog := compiled(t, s)
		audit := map[archMask]uint32{onAMD64: unix.AUDIT_ARCH_X86_64, onARM64: unix.AUDIT_ARCH_AARCH64}[nativeBit()]
		old := actionValue(c.action, c.errno)
		for nr, want := range map[uint32]uint32{435: old, 437: old, 438: c.want, 439: c.want, 600: c.want} {
			if got := verdict(t, prog, call{nr: nr, arch: audit}); got != want && !(nr <= 437 && got == old) {
				t.Errorf("%s: call %d gives %#x, want %#x", c.action, nr, got, want)
			}
		}
		// A profile without names gives nothing to measure age by.
		s.Syscalls = nil
		if got := verdict(t, compiled(t, s), call{nr: 600, arch: audit}); got != old {
			t.Errorf("%s without names: %#x, want %#x", c.action, got, old)
		}
	}
}

// TestTailWithoutTwin: on arm64 a profile may name x32 and not x86-64.
func TestTailWithoutTwin(t *testing.T) {
	t.Parallel()
	var p profile
	p.fallback = unix.SECCOMP_RET_ERRNO | 1
	for _, a := range builtArchs() {
		if a.bit == onX32 || a.bit == onARM64 {
			p.archs = append(p.archs, a)
			p.newest = append(p.newest, int64(a.base)+100)
		}
	}
	tail := buildTail(&p)
	if err := check(tail); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ arch, nr, want uint32 }{
		{unix.AUDIT_ARCH_X86_64, x32Bit + 100, p.fallback}, {unix.AUDIT_ARCH_X86_64, x32Bit + 101, retENOSYS},
		{unix.AUDIT_ARCH_AARCH64, 100, p.fallback}, {unix.AUDIT_ARCH_AARCH64, 101, retENOSYS}, {unix.AUDIT_ARCH_MIPS, 101, p.fallback},
	} {
		if got := verdict(t, tail, call{nr: c.nr, arch: c.arch}); got != c.want {
			t.Errorf("call %#x of %#x: %#x, want %#x", c.nr, c.arch, got, c.want)
		}
	}
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	s := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno}
	for i := range uint64(2000) {
		s.Syscalls = append(s.Syscalls, specs.LinuxSyscall{Names: []string{"ioctl"}, Action: specs.ActAllow,
			Args: []specs.LinuxSeccompArg{{Index: 1, Op: specs.OpEqualTo, Value: i}}})
	}
	_, err := Compile(s, Options{})
	if err == nil || !strings.Contains(err.Error(), "instructions, the kernel takes 4096") {
		t.Errorf("got %v", err)
	}
	s.Syscalls = s.Syscalls[:500] // far jumps, all reachable
	prog := compiled(t, s)
	for _, i := range []uint64{0, 1, 255, 256, 499, 500, 1 << 32} {
		want := uint32(unix.SECCOMP_RET_ALLOW)
		if i >= 500 {
			want = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		}
		c := call{nr: tables(t)[nativeBit()]["ioctl"], arch: map[archMask]uint32{onAMD64: unix.AUDIT_ARCH_X86_64, onARM64: unix.AUDIT_ARCH_AARCH64}[nativeBit()]}
		c.args[1] = i
		if got := verdict(t, prog, c); got != want {
			t.Errorf("ioctl %d: %#x, want %#x", i, got, want)
		}
	}
}

func TestRawBPF(t *testing.T) {
	t.Parallel()
	const ret = unix.BPF_RET | unix.BPF_K
	for _, c := range []struct {
		prog []instruction
		want string
	}{
		{[]instruction{{code: opLoad, k: 0}, {code: opEqual, jf: 1}, {code: ret}, {code: ret, k: unix.SECCOMP_RET_ALLOW}}, ""},
		{[]instruction{{code: ret, k: unix.SECCOMP_RET_USER_NOTIF}}, ""},
		{[]instruction{{code: opLoad, k: 64}, {code: ret}}, "BPF instruction 0: load from offset 64"},
		{[]instruction{{code: opLoad, k: 2}, {code: ret}}, "BPF instruction 0: load from offset 2"},
		{[]instruction{{code: opEqual, jt: 1}, {code: ret}}, "BPF instruction 0: jump out of the program"},
		{[]instruction{{code: opJump, k: 1}, {code: ret}}, "BPF instruction 0: jump out of the program"},
		{[]instruction{{code: opLoad}}, "the last BPF instruction does not return"},
		{[]instruction{{code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS}, {code: ret}}, "BPF instruction 0: code 0x30 is not allowed"},
		{[]instruction{{code: unix.BPF_ALU | unix.BPF_DIV}, {code: ret}}, "division by zero"},
		{[]instruction{{code: unix.BPF_ST, k: 16}, {code: ret}}, "scratch word 16"},
		{make([]instruction, 4097), "4097 instructions"},
	} {
		code, err := DecodeRawBPF(base64.StdEncoding.EncodeToString(encode(c.prog)))
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "seccomp BPF data: ") {
				t.Errorf("got %v, want %q", err, c.want)
			}
			continue
		}
		p, err := Compile(nil, Options{RawBPF: code, Receiver: "/s"})
		if err != nil || !slices.Equal(p.Filter, encode(c.prog)) || p.Flags != 4 || p.Notify != (len(c.prog) == 1) {
			t.Errorf("%v: %+v, %v", c.prog, p, err)
		}
	}
	for _, text := range []string{"", "*", "AAAA"} {
		if _, err := DecodeRawBPF(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// TestRawBPFLoads checks the own checker against the kernel's.
func TestRawBPFLoads(t *testing.T) {
	t.Parallel()
	good := []instruction{{code: unix.BPF_LD | unix.BPF_W | unix.BPF_LEN}, {code: unix.BPF_MISC | unix.BPF_TAX},
		{code: unix.BPF_ALU | unix.BPF_ADD | unix.BPF_X}, {code: unix.BPF_ST, k: 15}, {code: unix.BPF_LDX | unix.BPF_MEM, k: 15},
		{code: unix.BPF_ALU | unix.BPF_NEG}, {code: unix.BPF_ALU | unix.BPF_LSH | unix.BPF_K, k: 31},
		{code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_X}, {code: unix.BPF_MISC | unix.BPF_TXA},
		{code: unix.BPF_ALU | unix.BPF_XOR, k: 1}, {code: opReturn, k: unix.SECCOMP_RET_ALLOW}}
	bad := [][]instruction{
		{{code: opLoad, k: 64}, {code: opReturn}}, {{code: opJump, k: 7}, {code: opReturn}}, {{code: opLoad}},
		{{code: unix.BPF_ALU | unix.BPF_MOD, k: 1}, {code: opReturn}}, {{code: unix.BPF_ALU | unix.BPF_NEG | unix.BPF_X}, {code: opReturn}},
		{{code: unix.BPF_ALU | unix.BPF_RSH, k: 32}, {code: opReturn}}, {{code: unix.BPF_RET | unix.BPF_X}},
	}
	if err := check(good); err != nil {
		t.Errorf("refused: %v", err)
	}
	if _, err := runChild(t, childJob{Filter: encode(good)}); err != nil {
		t.Errorf("the kernel refuses: %v", err)
	}
	for _, prog := range bad {
		if check(prog) == nil {
			t.Errorf("%v was taken", prog)
		}
		if _, err := runChild(t, childJob{Filter: encode(prog)}); err == nil || !strings.Contains(err.Error(), "invalid argument") {
			t.Errorf("the kernel says %v to %v", err, prog)
		}
	}
}

// TestCodeVersion fails when the same profile gives other instructions than
// before. Then codeVersion (or tableVersion) must be raised, so that filters
// cached by an older tare are not used, and the sum below be renewed.
func TestCodeVersion(t *testing.T) {
	t.Parallel()
	if nativeBit() != onAMD64 || libraryVersion() != "2.5.4" {
		t.Skipf("the sum is for amd64 and libseccomp 2.5.4, not %s", libraryVersion())
	}
	var s specs.LinuxSeccomp
	if err := json.Unmarshal([]byte(`{"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_ARM"],
		"syscalls": [{"names": ["read", "write", "socket", "mseal", "set_tls", "ptrace"], "action": "SCMP_ACT_ALLOW"},
		{"names": ["personality", "clone", "semop"], "action": "SCMP_ACT_TRAP", "args": [
			{"index": 0, "value": 8, "op": "SCMP_CMP_GE"}, {"index": 1, "value": 7, "valueTwo": 4, "op": "SCMP_CMP_MASKED_EQ"},
			{"index": 2, "value": 4294967296, "op": "SCMP_CMP_LT"}, {"index": 3, "value": 5, "op": "SCMP_CMP_NE"}]}]}`), &s); err != nil {
		t.Fatal(err)
	}
	h := fnv.New64a()
	h.Write(encode(compiled(t, &s)))
	got := fmt.Sprintf("%d.%d %x", codeVersion, tableVersion, h.Sum64())
	if want := "2.1 5530d746b2c43d9d"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
