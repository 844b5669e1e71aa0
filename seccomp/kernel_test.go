package seccomp

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// childMark in the environment turns the test binary into a process that loads
// a filter and makes calls under it.
const childMark = "TARE_SECCOMP_CHILD"

// childJob is what such a process reads from its standard input.
type childJob struct {
	Filter []byte
	Flags  uint32
	Calls  [][4]uint64 // number and three arguments
	Socket string      // of the agent, if there is one
}

func TestMain(m *testing.M) {
	if os.Getenv(childMark) != "" {
		os.Exit(child())
	}
	os.Exit(m.Run())
}

// child prints the error number of each call, as a JSON array.
func child() int {
	var job childJob
	if err := json.NewDecoder(os.Stdin).Decode(&job); err != nil {
		println(err.Error())
		return 3
	}
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 4
	}
	errnos := make([]int, len(job.Calls))
	listener, errno := install(job.Filter, job.Flags)
	if errno != 0 {
		println("seccomp:", errno.Error())
		return 5
	}
	if job.Socket != "" {
		state := NewProcessState(os.Getpid(), "for the agent", specs.State{Version: "1.3.0", ID: "c", Status: specs.StateCreating})
		if err := SendListener(listener, job.Socket, state); err != nil {
			println(err.Error())
			return 6
		}
	}
	for i, c := range job.Calls {
		_, _, errno := unix.RawSyscall(uintptr(c[0]), uintptr(c[1]), uintptr(c[2]), uintptr(c[3]))
		errnos[i] = int(errno)
	}
	if json.NewEncoder(os.Stdout).Encode(errnos) != nil {
		return 7
	}
	return 0
}

// install loads a filter for this thread.
func install(filter []byte, flags uint32) (int, syscall.Errno) {
	prog := unix.SockFprog{Len: uint16(len(filter) / instructionSize), Filter: (*unix.SockFilter)(unsafe.Pointer(&filter[0]))}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, uintptr(flags), uintptr(unsafe.Pointer(&prog)))
	return int(fd), errno
}

// underFilter compiles a profile and makes the calls under it in a process of
// their own. The error tells how that process ended.
func underFilter(t *testing.T, s *specs.LinuxSeccomp, socket string, calls ...[4]uint64) ([]int, error) {
	t.Helper()
	p, err := Compile(s, Options{Receiver: socket})
	if err != nil {
		t.Fatal(err)
	}
	return runChild(t, childJob{Filter: p.Filter, Flags: p.LoadFlags(), Calls: calls, Socket: p.Listener})
}

func runChild(t *testing.T, job childJob) ([]int, error) {
	t.Helper()
	text, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out, complaint bytes.Buffer
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), childMark+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), &out, &complaint
	cmd.WaitDelay = 30 * time.Second
	if err := cmd.Run(); err != nil {
		if line := complaint.String(); strings.HasPrefix(line, "seccomp:") {
			return nil, errors.New(strings.TrimSpace(line))
		}
		return nil, err
	}
	var errnos []int
	if err := json.Unmarshal(out.Bytes(), &errnos); err != nil {
		t.Fatalf("%v: %q %q", err, out.String(), complaint.String())
	}
	return errnos, nil
}

func allowAllBut(entries ...specs.LinuxSyscall) *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{DefaultAction: specs.ActAllow, Syscalls: entries}
}

func TestKernelAnswersUnderWideProfile(t *testing.T) {
	t.Parallel()
	native := tables(t)[nativeBit()]
	const persona = 0xffffffff // asks, changes nothing
	calls := []struct {
		text  string
		call  [4]uint64
		errno syscall.Errno
	}{
		{"allowed", [4]uint64{uint64(native["getppid"])}, 0},
		{"default errno", [4]uint64{uint64(native["mount"])}, unix.EPERM},
		{"errnoRet", [4]uint64{uint64(native["sethostname"])}, unix.ENOTEMPTY},
		{"argument that is allowed", [4]uint64{uint64(native["personality"]), persona}, 0},
		{"argument that is not", [4]uint64{uint64(native["personality"]), 0x0400000}, unix.EPERM},
		{"argument that is not, upper half", [4]uint64{uint64(native["personality"]), 1<<32 | 8}, unix.EPERM},
		{"vsock", [4]uint64{uint64(native["socket"]), unix.AF_VSOCK, unix.SOCK_STREAM}, unix.EPERM},
		{"forbidden clone flags", [4]uint64{uint64(native["clone"]), unix.CLONE_NEWNET}, unix.EPERM},
		{"newer than the profile", [4]uint64{uint64(native["setxattrat"])}, unix.ENOSYS},
		{"far newer", [4]uint64{600}, unix.ENOSYS},
		{"no call at all", [4]uint64{0xffffffff}, unix.ENOSYS},
	}
	list := make([][4]uint64, len(calls))
	for i, c := range calls {
		list[i] = c.call
	}
	got, err := underFilter(t, wideProfile(t), "", list...)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range calls {
		if got[i] != int(c.errno) {
			t.Errorf("%s: errno %d, want %d", c.text, got[i], c.errno)
		}
	}
}

// TestKernelAnswersForOwnNumbers proves that a number of the own table reaches
// the kernel: mseal is refused by number, and allowed once named.
func TestKernelAnswersForOwnNumbers(t *testing.T) {
	t.Parallel()
	mseal := [4]uint64{462, 1, 0, 0}
	got, err := underFilter(t, allowAllBut(specs.LinuxSyscall{
		Names: []string{"mseal"}, Action: specs.ActErrno, ErrnoRet: ptr(uint(unix.EXDEV))}), "", mseal)
	if err != nil || got[0] != int(unix.EXDEV) {
		t.Errorf("mseal refused: errno %v (%v), want %d", got, err, unix.EXDEV)
	}
	plain := wideProfile(t)
	if got, err = underFilter(t, plain, "", mseal); err != nil || got[0] == int(unix.EPERM) {
		t.Errorf("mseal allowed: errno %v (%v)", got, err)
	}
}

func TestKernelKills(t *testing.T) {
	t.Parallel()
	getppid := [4]uint64{uint64(tables(t)[nativeBit()]["getppid"])}
	for _, action := range []specs.LinuxSeccompAction{specs.ActKillProcess, specs.ActTrap} {
		s := allowAllBut(specs.LinuxSyscall{Names: []string{"getppid"}, Action: action})
		_, err := underFilter(t, s, "", getppid)
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			t.Errorf("%s: %v, want a killed process", action, err)
			continue
		}
		// The Go runtime turns the SIGSYS of TRAP into a trace and status 2.
		status := exit.Sys().(syscall.WaitStatus)
		if killed := status.Signaled() && status.Signal() == unix.SIGSYS; action == specs.ActKillProcess && !killed ||
			action == specs.ActTrap && !killed && status.ExitStatus() != 2 {
			t.Errorf("%s: %v", action, err)
		}
	}
}

func TestKernelLogsAndTraces(t *testing.T) {
	t.Parallel()
	native := tables(t)[nativeBit()]
	s := allowAllBut(
		specs.LinuxSyscall{Names: []string{"getppid"}, Action: specs.ActLog},
		specs.LinuxSyscall{Names: []string{"getuid"}, Action: specs.ActTrace, ErrnoRet: ptr(7)},
		specs.LinuxSyscall{Names: []string{"getgid"}, Action: specs.ActErrno, ErrnoRet: ptr(0)})
	got, err := underFilter(t, s, "", [4]uint64{uint64(native["getppid"])}, [4]uint64{uint64(native["getuid"])})
	// Without a tracer SECCOMP_RET_TRACE is ENOSYS.
	if err != nil || got[0] != 0 || got[1] != int(unix.ENOSYS) {
		t.Errorf("LOG and TRACE gave %v (%v)", got, err)
	}
}

// TestKernelTakesFlags loads a filter with every set of flags.
func TestKernelTakesFlags(t *testing.T) {
	t.Parallel()
	supported := SupportedFlags()
	for _, flags := range [][]string{nil, {}, {"SECCOMP_FILTER_FLAG_LOG"}, {"SECCOMP_FILTER_FLAG_TSYNC"},
		{"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"}, supported} {
		s := allowAllBut(specs.LinuxSyscall{Names: []string{"getppid"}, Action: specs.ActErrno})
		s.Flags = nil
		if flags != nil {
			s.Flags = []specs.LinuxSeccompFlag{}
		}
		for _, f := range flags {
			s.Flags = append(s.Flags, specs.LinuxSeccompFlag(f))
		}
		got, err := underFilter(t, s, "", [4]uint64{uint64(tables(t)[nativeBit()]["getppid"])})
		if err != nil || got[0] != int(unix.EPERM) {
			t.Errorf("flags %v: %v (%v)", flags, got, err)
		}
	}
}
