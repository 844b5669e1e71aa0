package seccomp

import (
	"math/rand/v2"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// calls that random profiles name: old and new ones, with and without a number
// on each architecture, and one that does not exist.
var pool = []string{
	"read", "write", "openat", "clone", "personality", "setns", "ptrace", "kill", "dup3",
	"io_setup", "execve", "modify_ldt", "set_tls", "renameat2", "statx", "clone3",
	"faccessat2", "futex_waitv", "fchmodat2", "map_shadow_stack", "statmount", "mseal",
	"uretprobe", "getxattrat", "open_tree_attr", "listns", "no_such_call", "getpid",
	"sync", "fsync", "mount", "umount2", "sethostname", "unshare", "bpf", "userfaultfd",
	"memfd_create", "copy_file_range", "pidfd_open", "openat2", "close_range", "landlock_add_rule",
	"quotactl_fd", "process_madvise", "mount_setattr", "io_uring_setup", "rseq", "fsmount",
	"socket", "connect", "accept", "sendmsg", "recvmmsg", "sendmmsg", "semop", "semget", "shmat", "ipc", "socketcall",
}

var words = []uint64{0, 1, 2, 5, 0x7f, 0xffffffff, 0x100000000, 0x100000002, 0x7e020000, 0xffffffff00000000, 1 << 63, ^uint64(0)}

// randomProfile makes a valid profile out of random numbers.
func randomProfile(r *rand.Rand) *specs.LinuxSeccomp {
	s := &specs.LinuxSeccomp{}
	for {
		s.DefaultAction, s.DefaultErrnoRet = randomAction(r)
		if s.DefaultAction != specs.ActNotify {
			break
		}
	}
	s.ListenerPath = "/run/agent.sock"
	for _, a := range []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32, specs.ArchAARCH64, specs.ArchARM, specs.ArchMIPS} {
		if r.IntN(2) == 0 {
			s.Architectures = append(s.Architectures, a)
		}
	}
	entries := r.IntN(6)
	if r.IntN(3) == 0 {
		entries = 40
	}
	for range entries {
		var e specs.LinuxSyscall
		e.Action, e.ErrnoRet = randomAction(r)
		for range 1 + r.IntN(3) {
			if name := pool[r.IntN(len(pool))]; e.Action != specs.ActNotify || name != "write" && name != "sendmsg" {
				e.Names = append(e.Names, name)
			}
		}
		if len(e.Names) == 0 {
			continue
		}
		if r.IntN(2) == 0 {
			for range 1 + r.IntN(3) {
				e.Args = append(e.Args, specs.LinuxSeccompArg{
					Index: uint(r.IntN(6)), Op: specs.LinuxSeccompOperator(Operators()[r.IntN(7)]),
					Value: words[r.IntN(len(words))], ValueTwo: words[r.IntN(len(words))],
				})
			}
		}
		s.Syscalls = append(s.Syscalls, e)
	}
	return s
}

func randomAction(r *rand.Rand) (specs.LinuxSeccompAction, *uint) {
	a := specs.LinuxSeccompAction(Actions()[r.IntN(len(Actions()))])
	if _, ok := takesErrno(a); ok && r.IntN(2) == 0 {
		n := uint(r.IntN(3)) * 19
		return a, &n
	}
	return a, nil
}

// randomCalls makes calls that are likely to meet a rule or to miss it narrowly.
func randomCalls(r *rand.Rand, m *model) []call {
	audit := map[archMask]uint32{onAMD64: unix.AUDIT_ARCH_X86_64, onX32: unix.AUDIT_ARCH_X86_64,
		onX86: unix.AUDIT_ARCH_I386, onARM64: unix.AUDIT_ARCH_AARCH64, onARM: unix.AUDIT_ARCH_ARM}
	var calls []call
	for _, bit := range []archMask{onAMD64, onX32, onX86, onARM64, onARM} {
		numbers := []uint32{0, 333, 334, 337, 450, 472, 480, 511, 512, 548, 4000, x32Bit - 1, x32Bit, x32Bit + 480,
			x32Bit + 512, x32Bit + 530, x32Bit + 547, x32Bit + 548, 0x7fffffff, 0x80000000, 0xffffffff, 0x0f0001, 0x0f0005, 0x0effff, 102, 117}
		for _, name := range pool {
			if nr, ok := m.tables[bit][name]; ok {
				numbers = append(numbers, nr, nr+1)
			}
		}
		for _, nr := range numbers {
			for i := range 3 {
				c := call{nr: nr, arch: audit[bit]}
				for j := range c.args {
					c.args[j] = words[r.IntN(len(words))] + uint64(r.IntN(3)) - 1
					if bit == onX86 || bit == onARM {
						c.args[j] &= 0xffffffff
					}
				}
				if i == 0 {
					c.args[0] = uint64(r.IntN(22)) // a kind of socketcall or ipc
				}
				calls = append(calls, c)
			}
		}
	}
	return append(calls, call{nr: 1, arch: unix.AUDIT_ARCH_MIPS})
}

// judge compiles a profile and compares every verdict with the model's.
func judge(t *testing.T, s *specs.LinuxSeccomp, calls func(*model) []call) {
	t.Helper()
	p, err := Compile(s, Options{})
	if err != nil {
		t.Fatalf("%v\n%+v", err, s)
	}
	prog := program(t, p)
	m := newModel(t, s)
	for _, c := range calls(m) {
		got, want := verdict(t, prog, c), m.verdict(c)
		if got != want {
			t.Fatalf("call %#x of %#x with %#x: %#x, want %#x\n%+v", c.nr, c.arch, c.args, got, want, s)
		}
	}
}

func TestRandomProfilesAgreeWithModel(t *testing.T) {
	t.Parallel()
	tables(t)
	rounds := 300
	if testing.Short() {
		rounds = 40
	}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		judge(t, randomProfile(r), func(m *model) []call { return randomCalls(r, m) })
	}
}

// FuzzCompile lets the fuzzer choose the random numbers: no profile may panic,
// and every one that compiles must agree with the model.
func FuzzCompile(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		r := rand.New(rand.NewPCG(a, b))
		judge(t, randomProfile(r), func(m *model) []call { return randomCalls(r, m) })
	})
}
