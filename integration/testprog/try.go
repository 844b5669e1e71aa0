package main

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"tare/integration/report"
)

// tryAll carries out each OP[:ARG...] in order and maps the op's text to the errno name, "" for success.
func tryAll(ops []string) map[string]string {
	out := map[string]string{}
	for _, op := range ops {
		out[op] = errName(try(strings.Split(op, ":")))
	}
	return out
}

func try(op []string) error {
	arg := func(i int) string {
		if i < len(op) {
			return op[i]
		}
		fatal("too few parts in " + strings.Join(op, ":"))
		return ""
	}
	switch op[0] {
	case "read":
		return openAs(arg(1), unix.O_RDONLY, 1)
	case "openr":
		return openAs(arg(1), unix.O_RDONLY, 0)
	case "openw":
		return openAs(arg(1), unix.O_WRONLY, 0)
	case "create":
		return openAs(arg(1), unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0)
	case "write":
		return writeTo(arg(1), arg(2))
	case "mkdir":
		return unix.Mkdir(arg(1), 0o755)
	case "rmdir":
		return unix.Rmdir(arg(1))
	case "unlink":
		return unix.Unlink(arg(1))
	case "chown":
		return unix.Chown(arg(1), number(arg(2)), number(arg(3)))
	case "chmod":
		return unix.Chmod(arg(1), 0o600)
	case "mknodc":
		return unix.Mknod(arg(1), unix.S_IFCHR|0o666, int(unix.Mkdev(uint32(number(arg(2))), uint32(number(arg(3))))))
	case "mknodb":
		return unix.Mknod(arg(1), unix.S_IFBLK|0o666, int(unix.Mkdev(uint32(number(arg(2))), uint32(number(arg(3))))))
	case "mounttmpfs":
		return unix.Mount("none", arg(1), "tmpfs", 0, "")
	case "remountrw":
		return unix.Mount("", arg(1), "", unix.MS_REMOUNT|unix.MS_BIND, "")
	case "umount":
		return unix.Unmount(arg(1), unix.MNT_DETACH)
	case "chroot":
		return unix.Chroot(arg(1))
	case "chdir":
		return unix.Chdir(arg(1))
	case "sethostname":
		return unix.Sethostname([]byte(arg(1)))
	case "ptrace":
		return unix.PtraceSeize(number(arg(1)))
	case "kill":
		return unix.Kill(number(arg(1)), unix.Signal(number(arg(2))))
	case "setuid":
		_, _, e := unix.RawSyscall(unix.SYS_SETUID, uintptr(number(arg(1))), 0, 0)
		return errnoOrNil(e)
	case "setgroups":
		_, _, e := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0)
		return errnoOrNil(e)
	case "syscall":
		return rawCall(arg(1))
	case "umask": // a call that cannot fail, with an argument
		_, _, e := unix.RawSyscall(unix.SYS_UMASK, uintptr(number(arg(1))), 0, 0)
		return errnoOrNil(e)
	case "exec":
		return startOnce(arg(1))
	case "netbind":
		return bindLow()
	}
	fatal("unknown op " + op[0])
	return nil
}

func openAs(path string, flags, readBytes int) error {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0o644)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if readBytes > 0 {
		_, err = unix.Read(fd, make([]byte, readBytes))
	}
	return err
}

func writeTo(path, text string) error {
	fd, err := unix.Open(path, unix.O_WRONLY|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(text))
	return err
}

// rawCall makes a harmless call by name; a number calls that system call with zero arguments.
func rawCall(name string) error {
	nr := uintptr(number(name))
	a := [3]uintptr{}
	switch name {
	case "getcwd":
		buf := make([]byte, 4096)
		nr, a[0], a[1] = unix.SYS_GETCWD, uintptr(unsafe.Pointer(&buf[0])), 4096
	case "unshare":
		nr = unix.SYS_UNSHARE
	case "unshareuser":
		nr, a[0] = unix.SYS_UNSHARE, unix.CLONE_NEWUSER
	case "personality":
		nr, a[0] = unix.SYS_PERSONALITY, 0xffffffff
	case "personality8":
		nr, a[0] = unix.SYS_PERSONALITY, 8
	case "socketalg":
		nr, a[0], a[1] = unix.SYS_SOCKET, unix.AF_ALG, unix.SOCK_SEQPACKET
	case "socketunix":
		nr, a[0], a[1] = unix.SYS_SOCKET, unix.AF_UNIX, unix.SOCK_STREAM
	case "getppid":
		nr = unix.SYS_GETPPID
	case "acct":
		nr = unix.SYS_ACCT
	case "reboot":
		nr = unix.SYS_REBOOT // wrong magic: EINVAL with the capability, EPERM without
	case "bpf":
		nr = unix.SYS_BPF
	case "keyctl":
		nr = unix.SYS_KEYCTL
	}
	_, _, e := unix.Syscall(nr, a[0], a[1], a[2])
	return errnoOrNil(e)
}

func startOnce(path string) error {
	p, err := os.StartProcess(path, []string{path}, &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err == nil {
		_, err = p.Wait()
	}
	return err
}

func bindLow() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrInet4{Port: 80, Addr: [4]byte{127, 0, 0, 1}})
}

func errnoOrNil(e syscall.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

func errName(err error) string {
	var e syscall.Errno
	if err == nil {
		return ""
	}
	if errors.As(err, &e) {
		return unix.ErrnoName(e)
	}
	return err.Error()
}

func statAll(paths []string) map[string]report.Stat {
	out := map[string]report.Stat{}
	for _, p := range paths {
		out[p] = statOne(p)
	}
	return out
}

func statOne(path string) report.Stat {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return report.Stat{Err: errName(err)}
	}
	s := report.Stat{Mode: st.Mode & 0o7777, UID: int(st.Uid), GID: int(st.Gid), Size: st.Size,
		Major: unix.Major(uint64(st.Rdev)), Minor: unix.Minor(uint64(st.Rdev))}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		s.Type = "file"
	case unix.S_IFDIR:
		s.Type = "dir"
	case unix.S_IFLNK:
		s.Type = "link"
		s.Link, _ = os.Readlink(path)
	case unix.S_IFCHR:
		s.Type = "char"
	case unix.S_IFBLK:
		s.Type = "block"
	case unix.S_IFIFO:
		s.Type = "fifo"
	case unix.S_IFSOCK:
		s.Type = "sock"
	}
	var fs unix.Statfs_t
	if unix.Statfs(path, &fs) == nil {
		s.FSType, s.MountFlags = int64(fs.Type), int64(fs.Flags)
	}
	return s
}
