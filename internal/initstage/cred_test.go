package initstage_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"tare/internal/step"
)

const (
	capKill     = 1 << 5
	capSetpcap  = 1 << 8
	capSysAdmin = 1 << 21
)

func TestCapabilitiesThatCannotBeGrantedAreWarnings(t *testing.T) {
	needRoot(t)
	t.Parallel()
	j := &job{t: t, steps: join([]step.Step{
		&step.BoundingCaps{Keep: capKill},
		&step.Caps{Effective: capKill, Permitted: capKill},
		&step.Caps{Place: step.At("process.capabilities"), Effective: capKill | capSysAdmin, Permitted: capKill | capSysAdmin,
			Inheritable: capKill | capSysAdmin, Ambient: capKill | capSysAdmin},
	}, plain())}
	j.start()
	s, warnings := j.finish()
	want := []string{"not granted in the permitted set: CAP_SYS_ADMIN", "not granted in the inheritable set: CAP_SYS_ADMIN",
		"not granted in the ambient set: CAP_SYS_ADMIN"}
	if strings.Join(warnings, "|") != strings.Join(want, "|") {
		t.Errorf("warnings %q, want %q", warnings, want)
	}
	for _, set := range []string{"CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"} {
		if s.Status[set] != "0000000000000020" {
			t.Errorf("%s %s", set, s.Status[set])
		}
	}
}

// CVE-2022-29162: inheritable capabilities that nobody asked for.
func TestNoInheritableCapabilities(t *testing.T) {
	needRoot(t)
	t.Parallel()
	j := &job{t: t, steps: join([]step.Step{
		&step.User{UID: 1000, GID: 1000, SetGroups: true},
		&step.Caps{Effective: capKill, Permitted: capKill | capSetpcap},
	}, public(t))}
	j.start()
	s, warnings := j.finish()
	if len(warnings) > 0 {
		t.Error(warnings)
	}
	for set, want := range map[string]string{"CapInh": "0000000000000000", "CapAmb": "0000000000000000", "CapEff": "0000000000000000"} {
		if s.Status[set] != want { // no file capabilities: execve as another user leaves nothing
			t.Errorf("%s %s, want %s", set, s.Status[set], want)
		}
	}
	if s.UID != 1000 || s.GID != 1000 || len(s.Groups) != 0 || s.Status["Uid"] != "1000\t1000\t1000\t1000" {
		t.Errorf("%d:%d %v %s", s.UID, s.GID, s.Groups, s.Status["Uid"])
	}
}

func TestUnmappedIDs(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for _, c := range []struct {
		user step.User
		want string
	}{
		{step.User{UID: 5000}, "cannot setuid to unmapped uid 5000 in user namespace"},
		{step.User{GID: 5000}, "cannot setgid to unmapped gid 5000 in user namespace"},
		{step.User{Groups: []uint32{5000}, SetGroups: true}, "cannot setgroups to unmapped additional gid in user namespace"},
	} {
		c.user.Place = step.At("process.user")
		j := &job{t: t, maps: true, steps: append([]step.Step{&c.user}, plain()...)}
		j.start()
		if got := text(j.failure()); got != "process.user: "+c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// stdio is given to the user, but neither the null device nor what cannot change hands.
func TestStdioChangesOwner(t *testing.T) {
	needRoot(t)
	t.Parallel()
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "file"))
	if err != nil {
		t.Fatal(err)
	}
	fakeNull := filepath.Join(dir, "null")
	if err := syscall.Mknod(fakeNull, syscall.S_IFCHR|0o666, 0x103); err != nil {
		t.Fatal(err)
	}
	null, err := os.Open(fakeNull)
	if err != nil {
		t.Skip("no device can be opened here:", err)
	}
	roFile, err := os.Open("/proc/version") // EPERM
	if err != nil {
		t.Fatal(err)
	}
	j := &job{t: t, files: []*os.File{null, file, roFile}, steps: append([]step.Step{
		&step.User{UID: 1234, GID: 1234, SetGroups: true, ChownStdio: true}}, public(t)...)}
	j.start()
	for {
		m, ok := j.recv()
		if !ok {
			break
		}
		if m.kind == step.MsgFailure {
			t.Fatal(text(m.report(t)))
		}
	}
	var st syscall.Stat_t
	if err := syscall.Stat(file.Name(), &st); err != nil || st.Uid != 1234 || st.Gid != 0 {
		t.Errorf("file belongs to %d:%d, %v; want 1234:0", st.Uid, st.Gid, err)
	}
	if err := syscall.Stat(fakeNull, &st); err != nil || st.Uid != 0 {
		t.Errorf("null device belongs to %d, %v", st.Uid, err)
	}
}

// bpf is a filter that answers call nr with action and allows the rest.
func bpf(nr, action uint32) []byte {
	var b []byte
	ins := func(code uint16, jt, jf byte, k uint32) {
		b = append(b, byte(code), byte(code>>8), jt, jf, byte(k), byte(k>>8), byte(k>>16), byte(k>>24))
	}
	ins(0x20, 0, 0, 0) // ld nr
	ins(0x15, 0, 1, nr)
	ins(0x06, 0, 0, action)
	ins(0x06, 0, 0, 0x7fff0000)
	return b
}

func TestSeccompBeforeAndAfterCaps(t *testing.T) {
	needRoot(t)
	t.Parallel()
	const errno77 = 0x00050000 | 77
	filter := bpf(unix.SYS_GETSID, errno77)
	// close_range would fail under this one: it must have been called before.
	strict := bpf(unix.SYS_CLOSE_RANGE, 0x80000000)
	exe, _ := os.Executable()
	find := &step.FindExec{Name: exe}
	exec := &step.Exec{Args: []string{"probe"}, Env: []string{}}
	for name, steps := range map[string][]step.Step{
		"without no_new_privs": {find, &step.Seccomp{Filter: filter}, &step.Caps{}, exec},
		"with no_new_privs": {&step.Caps{}, &step.NoNewPrivs{}, find, &step.Seccomp{Filter: filter},
			&step.Seccomp{Filter: strict, Flags: 2}, exec},
	} {
		j := &job{t: t, steps: steps}
		j.start()
		s, _ := j.finish()
		if s.Status["Seccomp"] != "2" || s.Status["CapEff"] != "0000000000000000" && name != "without no_new_privs" {
			t.Errorf("%s: Seccomp %s, CapEff %s", name, s.Status["Seccomp"], s.Status["CapEff"])
		}
		if s.SID != -77 {
			t.Errorf("%s: getsid gave %d through the filter", name, s.SID)
		}
	}
}

func TestSeccompNeedsPrivilegeOrNoNewPrivs(t *testing.T) {
	needRoot(t)
	t.Parallel()
	j := &job{t: t, steps: append([]step.Step{&step.Caps{}, &step.Seccomp{Place: step.At("linux.seccomp"), Filter: bpf(1<<20, 0)}}, plain()...)}
	j.start()
	if r := j.failure(); r.Errno != uint32(syscall.EACCES) || r.At != "linux.seccomp" {
		t.Errorf("got %+v", r)
	}
}

// The notify listener reaches the host, which answers a call of the program.
func TestSeccompNotify(t *testing.T) {
	needRoot(t)
	t.Parallel()
	exe, _ := os.Executable()
	j := &job{t: t, steps: []step.Step{&step.FindExec{Name: exe},
		&step.Seccomp{Filter: bpf(unix.SYS_GETSID, 0x7fc00000), Notify: true},
		&step.Exec{Args: []string{"probe"}, Env: []string{}}}}
	j.start()
	listener := -1
	for listener < 0 {
		m, ok := j.recv()
		if !ok || m.kind == step.MsgFailure {
			t.Fatalf("no listener came: %v %d", ok, m.kind)
		}
		if m.kind == step.MsgFD {
			if len(m.fds) != 1 || len(m.payload) != 1 || m.payload[0] != step.RoleSeccomp {
				t.Fatalf("got %v %v", m.fds, m.payload)
			}
			listener = m.fds[0]
		}
	}
	defer syscall.Close(listener)
	if err := answer(listener, 4242); err != nil {
		t.Fatal(err)
	}
	for {
		if _, ok := j.recv(); !ok {
			break
		}
	}
	if s := j.result(); s.SID != 4242 {
		t.Errorf("getsid gave %d, want the answer 4242", s.SID)
	}
}

func TestSettingsOfTheThread(t *testing.T) {
	needRoot(t)
	t.Parallel()
	j := &job{t: t, steps: join([]step.Step{
		&step.Scheduler{Policy: unix.SCHED_BATCH, Nice: 7},
		&step.IOPriority{Value: 2<<13 | 6},
		&step.Affinity{Mask: []byte{1, 0, 0, 0, 0, 0, 0, 0}},
		&step.Personality{Persona: 8},
		&step.MemoryPolicy{Mode: 2, Nodes: []byte{1, 0, 0, 0, 0, 0, 0, 0}, MaxNode: 65},
	}, plain("sched", "read=/proc/self/numa_maps", "read=/proc/self/personality"))}
	j.start()
	s, _ := j.finish()
	if s.Sched != [3]int{unix.SCHED_BATCH, 7, 2<<13 | 6} {
		t.Errorf("policy, nice, io priority: %v", s.Sched)
	}
	if s.Status["Cpus_allowed_list"] != "0" {
		t.Errorf("processors %s", s.Status["Cpus_allowed_list"])
	}
	if got := strings.TrimSpace(s.Read["/proc/self/personality"]); got != "00000008" {
		t.Errorf("personality %s", got)
	}
	if got := s.Read["/proc/self/numa_maps"]; !strings.Contains(got, "bind:0") && !strings.Contains(got, "no such file") {
		t.Errorf("memory policy: %.200s", got)
	}
	// The empty mask frees the processors again.
	j = &job{t: t, steps: join([]step.Step{&step.Affinity{Mask: []byte{1, 0, 0, 0, 0, 0, 0, 0}}, &step.Affinity{}}, plain())}
	j.start()
	s, _ = j.finish()
	here, _ := os.ReadFile("/proc/self/status")
	if want := "Cpus_allowed_list:\t" + s.Status["Cpus_allowed_list"] + "\n"; !strings.Contains(string(here), want) {
		t.Errorf("after a reset: %s", s.Status["Cpus_allowed_list"])
	}
}

func TestSchedulerRefusalIsExplained(t *testing.T) {
	needRoot(t)
	t.Parallel()
	j := &job{t: t, steps: append([]step.Step{&step.Caps{}, &step.Scheduler{Place: step.At("process.scheduler"), Policy: unix.SCHED_FIFO, Priority: 5}}, plain()...)}
	j.start()
	if r := j.failure(); r.Errno != uint32(syscall.EPERM) || !strings.Contains(r.Text, "cpuset") {
		t.Errorf("got %+v", r)
	}
}

func TestSessionKeyring(t *testing.T) {
	needRoot(t)
	t.Parallel()
	j := &job{t: t, steps: append([]step.Step{&step.Keyring{Name: "_ses.tare-test-keyring"}}, plain("read=/proc/keys")...)}
	j.start()
	s, _ := j.finish()
	for _, l := range strings.Split(s.Read["/proc/keys"], "\n") {
		if strings.Contains(l, "_ses.tare-test-keyring") {
			f := strings.Fields(l)
			if len(f) < 5 || f[4] != "3f1b0000" {
				t.Errorf("permissions: %s", l)
			}
			return
		}
	}
	t.Errorf("no such keyring in %q", s.Read["/proc/keys"])
}

func TestSetsidTwice(t *testing.T) {
	t.Parallel()
	j := &job{t: t, steps: append([]step.Step{&step.Setsid{}, &step.Setsid{}}, plain()...)}
	j.start()
	if s, _ := j.finish(); s.SID != s.PID {
		t.Errorf("session %d of %d", s.SID, s.PID)
	}
}

// Ignored signals and the mask of the caller do not reach the program.
func TestSignalsAreReset(t *testing.T) {
	t.Parallel()
	var set unix.Sigset_t
	set.Val[0] = 1<<(syscall.SIGUSR2-1) | 1<<(syscall.SIGTERM-1)
	j := &job{t: t, steps: plain()}
	masked(t, set, j.start)
	s, _ := j.finish()
	for _, k := range []string{"SigBlk", "SigIgn"} {
		if s.Status[k] != "0000000000000000" {
			t.Errorf("%s %s", k, s.Status[k])
		}
	}
}
