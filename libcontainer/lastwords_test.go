package libcontainer

import (
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/internal/launch"
	"tare/internal/proc"
)

// leaderDies makes this test binary a process whose first thread ends long before the last.
const leaderDies = "TARE_TEST_LEADER_DIES"

func init() {
	if os.Getenv(leaderDies) == "" {
		return
	}
	runtime.LockOSThread() // the first thread
	go func() {
		time.Sleep(300 * time.Millisecond)
		os.Exit(0)
	}()
	unix.RawSyscall(unix.SYS_EXIT, 0, 0, 0)
}

func TestProcessWhoseFirstThreadIsDeadIsWaitedFor(t *testing.T) {
	t.Parallel()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "socket")
	conn, err := launch.NewConn(pair[0])
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), leaderDies+"=1")
	cmd.ExtraFiles = []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	theirs.Close()
	pidfd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	child := &launch.Child{Pid: cmd.Process.Pid, Pidfd: os.NewFile(uintptr(pidfd), "pidfd"), Conn: conn}
	defer child.Pidfd.Close()
	for {
		if _, err = proc.StartTime(child.Pid); err != nil {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if ended(pidfd) {
		t.Fatal("the process has ended as a whole: nothing is tested")
	}
	err = (&driver{child: child, mgr: cgroups.None{}}).explain(t.Context(), err)
	if err == nil || !strings.Contains(err.Error(), "container init exited before its time") {
		t.Errorf("%v", err)
	}
}
