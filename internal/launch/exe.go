package launch

import (
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// OpenExe opens the program at path ("" for the running one) so that the init stage can be executed
// from it and nothing inside the container can write to it through /proc/PID/exe (CVE-2019-5736):
// as a detached read-only clone of its mount where the caller may mount, which costs microseconds,
// else as a sealed copy in memory. The caller closes the file once the init stage runs.
func OpenExe(path string) (*os.File, error) {
	if path == "" {
		path = "/proc/self/exe"
	}
	f, err := cloneExe(path)
	if err == nil {
		return f, nil
	}
	if f, err = copyExe(path); err != nil {
		return nil, fmt.Errorf("seal %q: %w", path, err)
	}
	return f, nil
}

func cloneExe(path string) (*os.File, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return nil, err
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	if err := unix.MountSetattr(fd, "", unix.AT_EMPTY_PATH, &attr); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

const exeSeals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE

func copyExe(path string) (*os.File, error) {
	src, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	const flags = unix.MFD_CLOEXEC | unix.MFD_ALLOW_SEALING
	fd, err := unix.MemfdCreate("tare", flags|unix.MFD_EXEC)
	if err == unix.EINVAL { // before 6.3
		fd, err = unix.MemfdCreate("tare", flags)
	}
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	dst := os.NewFile(uintptr(fd), path)
	if _, err := dst.ReadFrom(src); err != nil {
		dst.Close()
		return nil, err
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, exeSeals); err != nil {
		dst.Close()
		return nil, os.NewSyscallError("fcntl F_ADD_SEALS", err)
	}
	// Executing a file that is open for writing gives ETXTBSY.
	ro, err := os.Open(fmt.Sprintf("/proc/self/fd/%d", fd))
	dst.Close()
	return ro, err
}

// forkExec is syscall.ForkExec of an open file. In the child that puts attr.Files at 0, 1, … and moves what is in
// the way there, and its own pipe, right above the highest of them, over whatever has that number: over exe's,
// now and then, in a program that opens files meanwhile, or has few. execve(2) of a pipe or socket gives EACCES.
func forkExec(exe int, args []string, attr *syscall.ProcAttr) (pid int, err error) {
	if top, clear := highest(attr.Files); exe < len(attr.Files) || exe > top {
		moved, err := unix.FcntlInt(uintptr(exe), unix.F_DUPFD_CLOEXEC, clear)
		if err != nil {
			return 0, os.NewSyscallError("fcntl", err)
		}
		defer unix.Close(moved)
		exe = moved
	}
	return syscall.ForkExec(fmt.Sprintf("/proc/self/fd/%d", exe), args, attr)
}

// highest returns the highest number among files, and one that is above all to which they and a pipe may be moved.
func highest(files []uintptr) (top, clear int) {
	top = len(files)
	for _, fd := range files {
		top = max(top, int(fd))
	}
	return top, top + len(files) + 2
}
