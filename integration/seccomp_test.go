package integration

import (
	"encoding/json"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func seccomp(s *specs.LinuxSeccomp) func(*specs.Spec) {
	return func(sp *specs.Spec) { sp.Linux.Seccomp = s }
}

// seccompErrno allows all but the named calls, which get EPERM.
func seccompErrno(names ...string) func(*specs.Spec) {
	return seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow,
		Syscalls: []specs.LinuxSyscall{{Names: names, Action: specs.ActErrno}}})
}

func TestSeccompFilterIsAttached(t *testing.T) {
	b := newBundle(t, seccompErrno("acct"))
	if f := b.facts(); f.Seccomp != 2 || f.Filters < 1 {
		t.Errorf("mode %d, %d filters", f.Seccomp, f.Filters)
	}
}

func TestWithoutSeccompNoFilterIsAttached(t *testing.T) {
	b := newBundle(t)
	if f := b.facts(); f.Seccomp != 0 {
		t.Errorf("mode %d", f.Seccomp)
	}
}

func TestSeccompErrnoDefaultsToEPERM(t *testing.T) {
	b := newBundle(t, seccompErrno("mkdir", "mkdirat"))
	if r := b.try("mkdir:/tmp/a"); r["mkdir:/tmp/a"] != "EPERM" {
		t.Errorf("%v", r)
	}
}

func TestSeccompErrnoRetIsReturned(t *testing.T) {
	b := newBundle(t, seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
		{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActErrno, ErrnoRet: ptr(uint(61))}}}))
	if r := b.try("mkdir:/tmp/a"); r["mkdir:/tmp/a"] != "ENODATA" {
		t.Errorf("%v", r)
	}
}

func TestSeccompDefaultErrnoRet(t *testing.T) {
	b := newBundle(t, seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, DefaultErrnoRet: ptr(uint(61)),
		Syscalls: []specs.LinuxSyscall{{Names: everythingBut("mkdir", "mkdirat"), Action: specs.ActAllow}}}))
	if r := b.try("mkdir:/tmp/a"); r["mkdir:/tmp/a"] != "ENODATA" {
		t.Errorf("%v", r)
	}
}

func TestSeccompNewerCallsGetENOSYSNotTheDefault(t *testing.T) {
	b := newBundle(t, seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: []specs.Arch{nativeArch()},
		Syscalls: []specs.LinuxSyscall{{Names: everythingBut("mkdir", "mkdirat"), Action: specs.ActAllow}}}))
	r := b.try("syscall:999", "mkdir:/tmp/a")
	if r["syscall:999"] != "ENOSYS" || r["mkdir:/tmp/a"] != "EPERM" {
		t.Errorf("%v", r)
	}
}

func TestSeccompKillProcess(t *testing.T) {
	b := newBundle(t, seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
		{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActKillProcess}}}), prog("try", "mkdir:/tmp/a"))
	b.run().status(t, 128+31)
}

func TestSeccompTrapSendsSIGSYS(t *testing.T) {
	b := newBundle(t, seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
		{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActTrap}}}), args("/bin/mkdir", "/tmp/a"))
	b.run().status(t, 128+31)
}

func TestSeccompLogAllows(t *testing.T) {
	b := newBundle(t, seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
		{Names: []string{"mkdir", "mkdirat"}, Action: specs.ActLog}}}))
	b.mayLeave("tmp/a")
	if r := b.try("mkdir:/tmp/a"); r["mkdir:/tmp/a"] != "" {
		t.Errorf("%v", r)
	}
}

func TestSeccompArgumentEquality(t *testing.T) {
	b := newBundle(t, seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
		{Names: []string{"socket"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Index: 0, Value: 38, Op: specs.OpEqualTo}}}}}))
	if r := b.try("syscall:socketalg", "syscall:socketunix"); r["syscall:socketalg"] != "EPERM" || r["syscall:socketunix"] != "" {
		t.Errorf("%v", r)
	}
}

func TestSeccompArgumentMask(t *testing.T) {
	b := newBundle(t, addCaps("CAP_SYS_ADMIN"), seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
		{Names: []string{"unshare"}, Action: specs.ActErrno, ErrnoRet: ptr(uint(61)),
			Args: []specs.LinuxSeccompArg{{Index: 0, Value: 0x10000000, ValueTwo: 0x10000000, Op: specs.OpMaskedEqual}}}}}))
	if r := b.try("syscall:unshareuser", "syscall:unshare"); r["syscall:unshareuser"] != "ENODATA" || r["syscall:unshare"] != "" {
		t.Errorf("%v", r)
	}
}

func TestSeccompTwoArgumentsAreAnded(t *testing.T) {
	b := newBundle(t, seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
		{Names: []string{"socket"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{
			{Index: 0, Value: 38, Op: specs.OpEqualTo}, {Index: 1, Value: 1, Op: specs.OpEqualTo}}}}}))
	if r := b.try("syscall:socketalg"); r["syscall:socketalg"] == "EPERM" {
		t.Errorf("SEQPACKET matched the rule for STREAM: %v", r)
	}
}

func TestSeccompSameArgumentTwiceIsOred(t *testing.T) {
	b := newBundle(t, seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
		{Names: []string{"socket"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{
			{Index: 0, Value: 38, Op: specs.OpEqualTo}, {Index: 0, Value: 1, Op: specs.OpEqualTo}}}}}))
	if r := b.try("syscall:socketalg", "syscall:socketunix"); r["syscall:socketalg"] != "EPERM" || r["syscall:socketunix"] != "EPERM" {
		t.Errorf("%v", r)
	}
}

func TestSeccompUnknownNamesAreSkipped(t *testing.T) {
	b := newBundle(t, seccompErrno("no_such_call", "mkdir", "mkdirat"))
	if r := b.try("mkdir:/tmp/a"); r["mkdir:/tmp/a"] != "EPERM" {
		t.Errorf("%v", r)
	}
}

func TestSeccompUnknownParts(t *testing.T) {
	for name, s := range map[string]*specs.LinuxSeccomp{
		"action": {DefaultAction: "SCMP_ACT_TEA"},
		"arch":   {DefaultAction: specs.ActAllow, Architectures: []specs.Arch{"SCMP_ARCH_TEA"}, Syscalls: []specs.LinuxSyscall{{Names: []string{"acct"}, Action: specs.ActErrno}}},
		"flag":   {DefaultAction: specs.ActAllow, Flags: []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_TEA"}, Syscalls: []specs.LinuxSyscall{{Names: []string{"acct"}, Action: specs.ActErrno}}},
		"operator": {DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{{Names: []string{"acct"}, Action: specs.ActErrno,
			Args: []specs.LinuxSeccompArg{{Op: "SCMP_CMP_TEA"}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "flag" {
				not(t, "runc", "1.1 has no flags")
			}
			b := newBundle(t, seccomp(s))
			b.run().fails(t, "TEA")
			b.wantGone()
		})
	}
}

func TestSeccompErrnoOnAnActionWithoutErrnoFails(t *testing.T) {
	not(t, "runc", "1.1 ignores it")
	b := newBundle(t, seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: []specs.LinuxSyscall{
		{Names: []string{"acct"}, Action: specs.ActKill, ErrnoRet: ptr(uint(5))}}}))
	b.run().fails(t, "rrno")
	b.wantGone()
}

func TestSeccompWithoutNoNewPrivilegesAndCapabilities(t *testing.T) {
	b := newBundle(t, user(1000, 1000), seccompErrno("mkdir", "mkdirat"), func(s *specs.Spec) { s.Process.NoNewPrivileges = false })
	f := b.facts()
	if f.Seccomp != 2 || f.NoNewPrivs {
		t.Errorf("mode %d, no new privileges %v", f.Seccomp, f.NoNewPrivs)
	}
}

func TestSeccompAllowListThatLacksTheRuntimesOwnCallsWorks(t *testing.T) {
	b := newBundle(t, seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{{Action: specs.ActAllow,
		Names: everythingBut("mount", "pivot_root", "setuid", "setgid", "setgroups", "capset", "chdir", "sethostname", "umount2", "seccomp")}}}),
		args("/bin/echo", "fine"))
	if out := b.run().ok(t).out; out != "fine\n" {
		t.Errorf("%q", out)
	}
}

// notified runs the container with a filter that notifies, for whose listener tell names the socket; it gives the
// state that the agent there gets, and how many descriptors.
func (b *bundle) notified(tell func(path string)) (st specs.ContainerProcessState, files int) {
	b.t.Helper()
	path := filepath.Join(b.dir, "notify.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	check(b.t, err)
	defer l.Close()
	b.edit(seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow,
		Syscalls: []specs.LinuxSyscall{{Names: []string{"acct"}, Action: specs.ActNotify}}}))
	tell(path)
	b.write()
	b.live = true
	c := b.begin(b.cmd(b.line("run", []string{"-d"})...))
	check(b.t, l.SetDeadline(time.Now().Add(deadline/2)))
	conn, err := l.AcceptUnix()
	check(b.t, err)
	text, fds := receiveFiles(b.t, conn)
	conn.Close()
	c.end(b.t).ok(b.t)
	check(b.t, json.Unmarshal([]byte(text), &st))
	return st, len(fds)
}

func TestSeccompNotifyIsHandedToTheListener(t *testing.T) {
	b := newBundle(t, args("/bin/sleep", "1000"))
	st, n := b.notified(func(path string) {
		b.spec.Linux.Seccomp.ListenerPath, b.spec.Linux.Seccomp.ListenerMetadata = path, "meta-x"
	})
	if n != 1 || len(st.Fds) != 1 || st.Fds[0] != specs.SeccompFdName || st.Metadata != "meta-x" || st.State.ID != b.id ||
		st.Pid != b.state().Pid || st.State.Bundle != b.path {
		t.Errorf("%d descriptors, %+v", n, st)
	}
}

func TestSeccompNotifyWithoutListenerFails(t *testing.T) {
	b := newBundle(t, seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow,
		Syscalls: []specs.LinuxSyscall{{Names: []string{"acct"}, Action: specs.ActNotify}}}))
	b.run().fails(t, "istener")
	b.wantGone()
}

func TestSeccompListenerThatIsNotThereFails(t *testing.T) {
	b := newBundle(t)
	b.edit(seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, ListenerPath: b.dir + "/none.sock",
		Syscalls: []specs.LinuxSyscall{{Names: []string{"acct"}, Action: specs.ActNotify}}}))
	b.run().fails(t, "none.sock")
	b.wantGone()
}

func TestSeccompListenerMetadataWithoutPathFails(t *testing.T) {
	not(t, "runc", "1.1 ignores it")
	b := newBundle(t, seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActAllow, ListenerMetadata: "m",
		Syscalls: []specs.LinuxSyscall{{Names: []string{"acct"}, Action: specs.ActErrno}}}))
	b.run().fails(t, "istener")
	b.wantGone()
}

func TestSeccompNotifyAsDefaultActionFails(t *testing.T) {
	b := newBundle(t)
	b.edit(seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActNotify, ListenerPath: b.dir + "/s"}))
	b.run().fails(t, "SCMP_ACT_NOTIFY")
	b.wantGone()
}

func TestSeccompFilterBlocksOtherArchitectures(t *testing.T) {
	b := newBundle(t, seccompErrno("mkdir", "mkdirat"), sh("grep Seccomp: /proc/self/status"))
	if out := b.run().ok(t).out; !strings.Contains(out, "2") {
		t.Errorf("%q", out)
	}
}

func TestSeccompDockerLikeProfileRunsAShell(t *testing.T) {
	b := newBundle(t, seccomp(&specs.LinuxSeccomp{DefaultAction: specs.ActErrno, DefaultErrnoRet: ptr(uint(1)),
		Architectures: []specs.Arch{specs.ArchX86_64, specs.ArchX86, specs.ArchX32, specs.ArchAARCH64, specs.ArchARM},
		Syscalls:      []specs.LinuxSyscall{{Names: everythingBut("mount", "reboot", "bpf", "keyctl"), Action: specs.ActAllow}}}))
	r := b.try("syscall:bpf", "syscall:keyctl", "syscall:getcwd")
	if r["syscall:bpf"] != "EPERM" || r["syscall:keyctl"] != "EPERM" || r["syscall:getcwd"] != "" {
		t.Errorf("%v", r)
	}
}
