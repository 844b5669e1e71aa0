package initstage_test

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// answer receives one seccomp notification and answers it with value.
func answer(listener int, value int64) error {
	var req struct {
		id         uint64
		pid, flags uint32
		data       [64]byte
	}
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(listener), 0xc0502100, uintptr(unsafe.Pointer(&req))); errno != 0 {
		return errno
	}
	resp := struct {
		id    uint64
		val   int64
		error int32
		flags uint32
	}{id: req.id, val: value}
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(listener), 0xc0182101, uintptr(unsafe.Pointer(&resp))); errno != 0 {
		return errno
	}
	return nil
}

// masked calls f on a thread that blocks the signals of set.
func masked(t *testing.T, set unix.Sigset_t, f func()) {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var old unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, &old); err != nil {
		t.Fatal(err)
	}
	f()
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil); err != nil {
		t.Fatal(err)
	}
}

// sched gives policy, nice value and io priority of the process.
func sched() (v [3]int) {
	p, _, _ := syscall.RawSyscall(syscall.SYS_SCHED_GETSCHEDULER, 0, 0, 0)
	n, _, _ := syscall.RawSyscall(syscall.SYS_GETPRIORITY, 0, 0, 0)
	io, _, _ := syscall.RawSyscall(unix.SYS_IOPRIO_GET, 1, 0, 0)
	return [3]int{int(p), 20 - int(n), int(io)}
}

// inNewMountNS calls f on a thread with a mount namespace of its own, all private; the thread ends with it.
func inNewMountNS(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := unix.Unshare(unix.CLONE_NEWNS)
		if err == nil {
			err = unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, "")
		}
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// userNS gives a user namespace that maps 0-999 to 100000.
func userNS(t *testing.T) int {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	maps := []syscall.SysProcIDMap{{ContainerID: 0, HostID: 100000, Size: 1000}}
	cmd := exec.Command("/bin/cat")
	cmd.Stdin = r
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWUSER, UidMappings: maps, GidMappings: maps}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.Close()
	fd, err := syscall.Open("/proc/"+strconv.Itoa(cmd.Process.Pid)+"/ns/user", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.Close()
	cmd.Wait()
	t.Cleanup(func() { syscall.Close(fd) })
	return fd
}

// ttyFacts tells whether 0-2 are the controlling terminal, and its size.
func ttyFacts() string {
	size, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
	if err != nil {
		return err.Error()
	}
	var a, b, c unix.Stat_t
	for fd, st := range []*unix.Stat_t{&a, &b, &c} {
		if err := unix.Fstat(fd, st); err != nil {
			return err.Error()
		}
	}
	if a.Rdev != b.Rdev || a.Rdev != c.Rdev {
		return "three terminals"
	}
	var con unix.Stat_t
	if err := unix.Stat("/dev/console", &con); err != nil || con.Rdev != a.Rdev {
		return "/dev/console is another"
	}
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "no controlling terminal: " + err.Error()
	}
	defer tty.Close()
	if pgrp, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP); err != nil || pgrp != unix.Getpgrp() {
		return "not in the foreground"
	}
	return strconv.Itoa(int(size.Row)) + "x" + strconv.Itoa(int(size.Col)) + " uid " + strconv.Itoa(int(a.Uid))
}
