// Package facts looks at the host before anything is changed: it fills in what a plan depends on, and
// nothing that the plan does not ask for. It decides nothing.
package facts

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"tare/internal/plan"
)

// Gather answers the needs.
func Gather(n plan.Needs) (*plan.Facts, error) {
	f := &plan.Facts{EUID: uint32(os.Geteuid()), EGID: uint32(os.Getegid()), InUserNS: inUserNS()}
	caps, err := capabilities()
	if err != nil {
		return nil, err
	}
	f.Privileged = caps&(1<<unix.CAP_SYS_ADMIN) != 0
	f.Resource = caps&(1<<unix.CAP_SYS_RESOURCE) != 0
	if f.InUserNS {
		f.GroupsDenied, f.ForeignMounts = groupsDenied(), foreignMounts()
	}
	if f.LastCap, err = lastCap(); err != nil {
		return nil, err
	}
	if n.LSM {
		f.AppArmor, f.SELinux = appArmor(), selinux()
	}
	if n.Kcore {
		f.Kcore = exists("/proc/kcore")
	}
	for _, p := range n.NamespacePaths {
		same, err := checkNamespace(p)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.At, err)
		}
		if same {
			f.HostNamespaces = append(f.HostNamespaces, p.Path)
		} else if p.Types == unix.CLONE_NEWUSER {
			f.JoinedUser = joinedUser(p.Path)
		}
	}
	return f, nil
}

func exists(path string) bool {
	var st unix.Stat_t
	return unix.Lstat(path, &st) == nil
}

// capabilities are the effective ones of this process.
func capabilities() (uint64, error) {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return 0, os.NewSyscallError("capget", err)
	}
	return uint64(data[0].Effective) | uint64(data[1].Effective)<<32, nil
}

// lastCap asks the kernel for the highest capability that it knows, without /proc: PR_CAPBSET_READ
// answers EINVAL above it.
func lastCap() (uint32, error) {
	for n := uint32(40); n < 64; n++ { // 40 is the last one of 5.14
		if _, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(n+1), 0, 0, 0); err != nil {
			return n, nil
		}
	}
	return 63, nil
}

// inUserNS: the first user namespace maps all ids onto themselves.
func inUserNS() bool {
	b, err := readSmall("/proc/self/uid_map")
	if err != nil {
		return false
	}
	f := strings.Fields(string(b))
	return !(len(f) == 3 && f[0] == "0" && f[1] == "0" && f[2] == strconv.FormatUint(1<<32-1, 10))
}

func groupsDenied() bool {
	b, err := readSmall("/proc/self/setgroups")
	return err == nil && strings.HasPrefix(string(b), "deny")
}

// foreignMounts: the kernel does not even show an owner above the caller's user namespace.
func foreignMounts() bool {
	ns, err := unix.Open("/proc/self/ns/mnt", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(ns)
	owner, err := unix.IoctlRetInt(ns, unix.NS_GET_USERNS)
	if err != nil {
		return err == unix.EPERM
	}
	defer unix.Close(owner)
	var theirs, ours unix.Stat_t
	if unix.Fstat(owner, &theirs) != nil || unix.Stat("/proc/self/ns/user", &ours) != nil {
		return false
	}
	return theirs.Ino != ours.Ino
}

// readSmall reads a file of the kernel's without the poller that os has for files: it would cost a thread.
func readSmall(path string) ([]byte, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	var b [4096]byte
	n, err := unix.Read(fd, b[:])
	if err != nil {
		return nil, err
	}
	return b[:n], nil
}

func appArmor() bool {
	b, err := readSmall("/sys/module/apparmor/parameters/enabled")
	return err == nil && strings.HasPrefix(string(b), "Y")
}

func selinux() bool {
	var st unix.Statfs_t
	err := unix.Statfs("/sys/fs/selinux", &st)
	return err == nil && st.Type == unix.SELINUX_MAGIC
}

// checkNamespace opens what a namespace entry names, proves that it is a namespace of the right type,
// and tells whether it is the one that this process is in.
func checkNamespace(p plan.NamespacePath) (same bool, err error) {
	f, err := OpenNamespace(p.Path, p.Types)
	if err != nil {
		return false, err
	}
	defer f.Close()
	var theirs, ours unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &theirs); err != nil {
		return false, &os.PathError{Op: "stat", Path: p.Path, Err: err}
	}
	own := "/proc/self/ns/" + nsFile(p.Types)
	if err := unix.Stat(own, &ours); err != nil {
		if errors.Is(err, unix.ENOENT) {
			return false, fmt.Errorf("the kernel has no %s namespaces", nsFile(p.Types))
		}
		return false, &os.PathError{Op: "stat", Path: own, Err: err}
	}
	return theirs.Ino == ours.Ino && theirs.Dev == ours.Dev, nil
}

// OpenNamespace opens a namespace file and proves with NS_GET_NSTYPE that it is of the type flag
// (CLONE_NEW*). The caller closes it.
func OpenNamespace(path string, flag uint64) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	kind, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%q is no namespace: %w", path, err)
	}
	if uint64(kind) != flag {
		f.Close()
		return nil, fmt.Errorf("%q is a namespace of another type, not %s", path, nsFile(flag))
	}
	return f, nil
}

func nsFile(flag uint64) string {
	switch flag {
	case unix.CLONE_NEWTIME:
		return "time"
	case unix.CLONE_NEWNS:
		return "mnt"
	case unix.CLONE_NEWCGROUP:
		return "cgroup"
	case unix.CLONE_NEWUTS:
		return "uts"
	case unix.CLONE_NEWIPC:
		return "ipc"
	case unix.CLONE_NEWUSER:
		return "user"
	case unix.CLONE_NEWPID:
		return "pid"
	}
	return "net"
}
