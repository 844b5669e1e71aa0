package plan_test

import (
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"testing"
	"unsafe"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/internal/calls"
	"tare/internal/plan"
	"tare/seccomp"
)

const pureMark = "TARE_PLAN_IS_PURE"

// TestPlanningTouchesNothing makes every golden plan in a process that the kernel kills at the first
// call that opens a file, looks at one, or starts a process.
func TestPlanningTouchesNothing(t *testing.T) {
	if os.Getenv(pureMark) != "" {
		planUnderFilter(t)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestPlanningTouchesNothing$", "-test.v")
	cmd.Env = append(os.Environ(), pureMark+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the planner was stopped: %v\n%s", err, out)
	}
}

// TestTheFilterOfPurityKills proves that the test above can fail.
func TestTheFilterOfPurityKills(t *testing.T) {
	if os.Getenv(pureMark) == "2" {
		forbidHost(t)
		os.ReadFile("/etc/hostname")
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run", "^TestTheFilterOfPurityKills$")
	cmd.Env = append(os.Environ(), pureMark+"=2")
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Fatalf("reading a file was let through:\n%s", out)
	}
}

func planUnderFilter(t *testing.T) {
	cases := goldenCases()
	var prepared []func()
	for i := range cases {
		c := &cases[i]
		s, f, o := c.base(), c.facts(), options()
		s.Process.Terminal = false
		if c.edit != nil {
			c.edit(s, f, o)
		}
		prepared = append(prepared, func() {
			p, err := plan.Build(s, f, o)
			if err != nil {
				panic(err)
			}
			_ = p.Text()
			_ = p.JSON()
			_ = calls.Lower(p.Init, len(p.FDs), true)
		})
	}
	debug.SetGCPercent(-1)
	forbidHost(t)
	for _, build := range prepared {
		build()
	}
}

// forbidHost installs a filter on all threads that kills the process at the calls that planning has no
// business with.
func forbidHost(t *testing.T) {
	t.Helper()
	prog, err := seccomp.Compile(&specs.LinuxSeccomp{
		DefaultAction: specs.ActAllow,
		Syscalls: []specs.LinuxSyscall{{Action: specs.ActKillProcess, Names: []string{
			"open", "openat", "openat2", "creat", "stat", "lstat", "newfstatat", "statx", "statfs", "access", "faccessat",
			"faccessat2", "readlink", "readlinkat", "mkdir", "mkdirat", "unlink", "unlinkat", "rename", "renameat", "renameat2",
			"mknod", "mknodat", "symlink", "symlinkat", "mount", "umount2", "fsopen", "open_tree", "move_mount", "getcwd", "chdir",
			"execve", "execveat", "fork", "vfork", "kill", "pidfd_open", "socket", "connect", "bind", "unshare", "setns",
		}}},
	}, seccomp.Options{})
	if err != nil {
		t.Fatal(err)
	}
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	fprog := unix.SockFprog{Len: uint16(len(prog.Filter) / 8), Filter: (*unix.SockFilter)(unsafe.Pointer(&prog.Filter[0]))}
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC,
		uintptr(unsafe.Pointer(&fprog))); errno != 0 {
		t.Fatal(errno)
	}
}
