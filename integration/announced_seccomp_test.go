package integration

import (
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// onMkdir is a filter with one rule.
func onMkdir(action specs.LinuxSeccompAction) *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{DefaultAction: specs.ActAllow,
		Syscalls: []specs.LinuxSyscall{{Names: []string{"mkdir", "mkdirat"}, Action: action}}}
}

func TestEveryAnnouncedSeccompActionActs(t *testing.T) {
	onlyTare(t, "what it announces")
	for _, action := range announced(t, newBundle(t)).Linux.Seccomp.Actions {
		b := newSerial(t, prog("try", "mkdir:/tmp/a"))
		b.mayLeave("tmp/a")
		filter := onMkdir(specs.LinuxSeccompAction(action))
		status, out := 0, `"mkdir:/tmp/a":""`
		switch specs.LinuxSeccompAction(action) {
		case specs.ActAllow:
			filter.DefaultAction = specs.ActLog
		case specs.ActLog:
		case specs.ActErrno:
			out = `"mkdir:/tmp/a":"EPERM"`
		case specs.ActTrace: // nobody traces: then it fails so
			out = `"mkdir:/tmp/a":"ENOSYS"`
		case specs.ActKill, specs.ActKillThread, specs.ActKillProcess, specs.ActTrap:
			// Of a program with one thread; the Go runtime has its own answer to SIGSYS.
			b.edit(args("/bin/mkdir", "/tmp/a"))
			status, out = 128+int(unix.SIGSYS), ""
		case specs.ActNotify:
			continue // TestSeccompNotifyIsHandedToTheListener
		default:
			t.Errorf("%s: no case for it here", action)
			continue
		}
		b.edit(seccomp(filter))
		r := b.run()
		if r.code != status || !strings.Contains(r.out, out) {
			t.Errorf("%s: %v", action, r)
		}
	}
}

func TestEveryAnnouncedSeccompOperatorCompares(t *testing.T) {
	onlyTare(t, "what it announces")
	// What the operator says of arguments below, at and above 8.
	rows := map[specs.LinuxSeccompOperator]string{
		specs.OpEqualTo: "010", specs.OpNotEqual: "101", specs.OpLessThan: "100", specs.OpLessEqual: "110",
		specs.OpGreaterThan: "001", specs.OpGreaterEqual: "011",
		specs.OpMaskedEqual: "011", // with the mask 8
	}
	for _, op := range announced(t, newBundle(t)).Linux.Seccomp.Operators {
		want, ok := rows[specs.LinuxSeccompOperator(op)]
		if !ok {
			t.Errorf("%s: nothing here says what it does", op)
			continue
		}
		arg := specs.LinuxSeccompArg{Index: 0, Value: 8, ValueTwo: 8, Op: specs.LinuxSeccompOperator(op)}
		b := newSerial(t, seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"umask"}, Action: specs.ActErrno, ErrnoRet: ptr(uint(61)), Args: []specs.LinuxSeccompArg{arg}}}}))
		r := b.try("umask:7", "umask:8", "umask:9")
		for i, call := range []string{"umask:7", "umask:8", "umask:9"} {
			errno := ""
			if want[i] == '1' {
				errno = "ENODATA"
			}
			if r[call] != errno {
				t.Errorf("%s 8: %s: %q, want %q", op, call, r[call], errno)
			}
		}
	}
}

// An architecture that no process here can have must not harm, and the own one is filtered still.
func TestEveryAnnouncedSeccompArchIsTaken(t *testing.T) {
	onlyTare(t, "what it announces")
	for _, arch := range announced(t, newBundle(t)).Linux.Seccomp.Archs {
		filter := onMkdir(specs.ActErrno)
		filter.Architectures = []specs.Arch{nativeArch(), specs.Arch(arch)}
		b := newSerial(t, seccomp(filter))
		if r := b.try("mkdir:/tmp/a"); r["mkdir:/tmp/a"] != "EPERM" {
			t.Errorf("%s: %v", arch, r)
		}
	}
}

func TestEveryAnnouncedSeccompFlagIsTaken(t *testing.T) {
	onlyTare(t, "what it announces")
	b := newBundle(t)
	s := announced(t, b).Linux.Seccomp
	for _, flag := range s.KnownFlags {
		filter := onMkdir(specs.ActErrno)
		filter.Flags = []specs.LinuxSeccompFlag{specs.LinuxSeccompFlag(flag)}
		c := newSerial(t, seccomp(filter), prog("try", "mkdir:/tmp/a"))
		r := c.run()
		supported := strings.Contains(strings.Join(s.SupportedFlags, " "), flag)
		switch {
		// It is of use, and of the kernel's liking, with a listener only.
		case flag == "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV":
			if r.code != 0 && !strings.Contains(r.err, "linux.seccomp") {
				t.Errorf("%s: %v", flag, r)
			}
		case supported && !strings.Contains(r.out, "EPERM"):
			t.Errorf("%s: %v", flag, r)
		case !supported && (r.code == 0 || !strings.Contains(r.err, flag)):
			t.Errorf("%s is not supported: %v", flag, r)
		}
	}
	for _, flag := range s.SupportedFlags {
		if !strings.Contains(strings.Join(s.KnownFlags, " "), flag) {
			t.Errorf("%s is supported and not known", flag)
		}
	}
}
