package seccomp

import (
	"errors"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestValidate(t *testing.T) {
	t.Parallel()
	entry := func(change func(*specs.LinuxSyscall)) func(*specs.LinuxSeccomp) {
		return func(s *specs.LinuxSeccomp) { change(&s.Syscalls[1]) }
	}
	for _, c := range []struct {
		change func(*specs.LinuxSeccomp)
		want   string
	}{
		{func(s *specs.LinuxSeccomp) {}, ""},
		{func(s *specs.LinuxSeccomp) { s.DefaultAction = "" }, `linux.seccomp.defaultAction: an action is required`},
		{func(s *specs.LinuxSeccomp) { s.DefaultAction = "SCMP_ACT_DENY" }, `linux.seccomp.defaultAction: unknown action "SCMP_ACT_DENY"`},
		{func(s *specs.LinuxSeccomp) { s.DefaultAction = specs.ActNotify }, `linux.seccomp.defaultAction: SCMP_ACT_NOTIFY cannot be the default action`},
		{func(s *specs.LinuxSeccomp) { s.DefaultAction, s.DefaultErrnoRet = specs.ActKill, ptr(1) }, `linux.seccomp.defaultErrnoRet: action SCMP_ACT_KILL takes no error number`},
		{func(s *specs.LinuxSeccomp) { s.DefaultErrnoRet = ptr(4096) }, `linux.seccomp.defaultErrnoRet: 4096 is above 4095, the highest number SCMP_ACT_ERRNO can give`},
		{func(s *specs.LinuxSeccomp) { s.Architectures = []specs.Arch{specs.ArchX86, "x86"} }, `linux.seccomp.architectures[1]: unknown architecture "x86"`},
		{func(s *specs.LinuxSeccomp) {
			s.Flags = []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_NEW_LISTENER"}
		}, `linux.seccomp.flags[0]: unknown flag "SECCOMP_FILTER_FLAG_NEW_LISTENER"`},
		{func(s *specs.LinuxSeccomp) { s.ListenerMetadata = "m" }, `linux.seccomp.listenerMetadata: must not be set without listenerPath`},
		{func(s *specs.LinuxSeccomp) { s.ListenerPath, s.ListenerMetadata = "/s", "m" }, ""},
		{func(s *specs.LinuxSeccomp) { s.ListenerPath = "/s\x00" }, `linux.seccomp.listenerPath: holds a NUL byte`},
		{entry(func(e *specs.LinuxSyscall) { e.Names = nil }), `linux.seccomp.syscalls[1].names: at least one name is required`},
		{entry(func(e *specs.LinuxSyscall) { e.Names = []string{"read", ""} }), `linux.seccomp.syscalls[1].names[1]: empty name`},
		{entry(func(e *specs.LinuxSyscall) { e.Names[0] = "read\x00x" }), `linux.seccomp.syscalls[1].names[0]: name "read\x00x" holds a NUL byte`},
		{entry(func(e *specs.LinuxSyscall) { e.Action = "ALLOW" }), `linux.seccomp.syscalls[1].action: unknown action "ALLOW"`},
		{entry(func(e *specs.LinuxSyscall) { e.Action, e.ErrnoRet = specs.ActLog, ptr(0) }), `linux.seccomp.syscalls[1].errnoRet: action SCMP_ACT_LOG takes no error number`},
		{entry(func(e *specs.LinuxSyscall) { e.Action, e.ErrnoRet = specs.ActTrace, ptr(65536) }), `linux.seccomp.syscalls[1].errnoRet: 65536 is above 65535, the highest number SCMP_ACT_TRACE can give`},
		{entry(func(e *specs.LinuxSyscall) { e.Action, e.ErrnoRet = specs.ActTrace, ptr(65535) }), ""},
		{entry(func(e *specs.LinuxSyscall) { e.Action = specs.ActNotify; e.Names = []string{"mount", "write"} }), `linux.seccomp.syscalls[1].names[1]: SCMP_ACT_NOTIFY cannot be used on "write": it passes the listener to the agent`},
		{entry(func(e *specs.LinuxSyscall) { e.Action = specs.ActNotify; e.Names = []string{"sendmsg"} }), `linux.seccomp.syscalls[1].names[0]: SCMP_ACT_NOTIFY cannot be used on "sendmsg": it passes the listener to the agent`},
		{entry(func(e *specs.LinuxSyscall) { e.Args[0].Index = 6 }), `linux.seccomp.syscalls[1].args[0].index: 6 is above 5, the last argument`},
		{entry(func(e *specs.LinuxSyscall) { e.Args[0].Op = "==" }), `linux.seccomp.syscalls[1].args[0].op: unknown operator "=="`},
		{func(s *specs.LinuxSeccomp) { s.DefaultAction = "A"; s.Syscalls[0].Action = "B" }, `linux.seccomp.defaultAction: unknown action "A"` + "\n" + `linux.seccomp.syscalls[0].action: unknown action "B"`},
	} {
		s := &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"read"}, Action: specs.ActAllow},
			{Names: []string{"personality"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Op: specs.OpEqualTo}}},
		}}
		c.change(s)
		var lines []string
		for _, f := range Validate(s) {
			lines = append(lines, f.Error())
		}
		if got := strings.Join(lines, "\n"); got != c.want {
			t.Errorf("got  %q\nwant %q", got, c.want)
		}
		_, err := Compile(s, Options{})
		if (err != nil) != (c.want != "") || err != nil && err.Error() != c.want {
			t.Errorf("Compile: %v, want %q", err, c.want)
		}
	}
	if Validate(nil) != nil {
		t.Error("no profile is no error")
	}
}

func TestListsAreSortedAndWhole(t *testing.T) {
	t.Parallel()
	for _, list := range []struct {
		name  string
		items []string
		count int
		last  string
	}{
		{"actions", Actions(), 9, "SCMP_ACT_TRAP"}, {"operators", Operators(), 7, "SCMP_CMP_NE"},
		{"archs", Archs(), 23, "SCMP_ARCH_X86_64"}, {"flags", KnownFlags(), 4, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"},
	} {
		unique := slices.Compact(slices.Clone(list.items))
		if !slices.IsSorted(list.items) || len(unique) != list.count || list.items[len(list.items)-1] != list.last {
			t.Errorf("%s: %v", list.name, list.items)
		}
	}
	for _, a := range Actions() {
		if _, ok := actionBase(specs.LinuxSeccompAction(a)); !ok {
			t.Errorf("%s is listed and not known", a)
		}
	}
	for _, op := range Operators() {
		if !knownOperator(specs.LinuxSeccompOperator(op)) {
			t.Errorf("%s is listed and not known", op)
		}
	}
	for _, f := range KnownFlags() {
		if _, ok := flagBit(f); !ok {
			t.Errorf("%s is listed and not known", f)
		}
	}
}

// TestSupported asks the kernel: all known flags are as old as Linux 5.19, and
// a bit that no kernel has must not look supported.
func TestSupported(t *testing.T) {
	t.Parallel()
	if flagTaken(1 << 30) {
		t.Error("flag bit 30 looks supported")
	}
	if actionTaken(0x12340000) {
		t.Error("action 0x12340000 looks supported")
	}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		t.Fatal(err)
	}
	if release := unix.ByteSliceToString(name.Release[:]); strings.HasPrefix(release, "5.") {
		t.Skipf("Linux %s may lack a flag", release)
	}
	if got := SupportedFlags(); !slices.Equal(got, KnownFlags()) {
		t.Errorf("flags %v", got)
	}
	if got := SupportedActions(); !slices.Equal(got, Actions()) {
		t.Errorf("actions %v", got)
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	all := []specs.LinuxSeccompFlag{}
	for _, f := range KnownFlags() {
		all = append(all, specs.LinuxSeccompFlag(f))
	}
	const wait, listen = unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER
	for _, c := range []struct {
		flags              []specs.LinuxSeccompFlag
		asked, load, agent uint32 // agent: to load with when there is a listener
	}{
		{nil, 4, 4, 4 | listen},
		{[]specs.LinuxSeccompFlag{}, 0, 0, listen},
		{all[:1], 2, 2, 2 | listen},
		{all, 7 | wait, 7, 7 | wait | listen | unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH},
	} {
		s := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Flags: c.flags, ListenerPath: "/s", ListenerMetadata: "m"}
		p, err := Compile(s, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if p.Flags != c.asked || p.LoadFlags() != c.load || p.Notify || p.Listener != "" || p.Metadata != "" {
			t.Errorf("%v: flags %#x, to load %#x, listener %q", c.flags, p.Flags, p.LoadFlags(), p.Listener)
		}
		s.Syscalls = []specs.LinuxSyscall{{Names: []string{"mount"}, Action: specs.ActNotify}}
		if p, err = Compile(s, Options{Receiver: "/other"}); err != nil {
			t.Fatal(err)
		}
		if p.LoadFlags() != c.agent || !p.Notify || p.Listener != "/s" || p.Metadata != "m" {
			t.Errorf("%v: with listener %q flags %#x, want %#x", c.flags, p.Listener, p.LoadFlags(), c.agent)
		}
	}
}

func TestNotifyNeedsSocket(t *testing.T) {
	t.Parallel()
	s := &specs.LinuxSeccomp{DefaultAction: specs.ActAllow,
		Syscalls: []specs.LinuxSyscall{{Names: []string{"mount"}, Action: specs.ActNotify}}}
	if _, err := Compile(s, Options{}); !errors.Is(err, ErrNoListener) || !strings.HasPrefix(err.Error(), "linux.seccomp.listenerPath: ") {
		t.Errorf("got %v", err)
	}
	p, err := Compile(s, Options{Receiver: "/run/agent"})
	if err != nil || p.Listener != "/run/agent" {
		t.Errorf("got %v, %v", p, err)
	}
}
