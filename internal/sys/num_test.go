package sys_test

import (
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"tare/internal/sys"
)

// These compile only where the numbers are equal, for the architecture that is built for: `GOARCH=arm64
// go vet` checks arm64's.
var _ = [...]struct{}{
	[1]struct{}{}[sys.SYS_SETNS-unix.SYS_SETNS],
	[1]struct{}{}[sys.SYS_SCHED_SETATTR-unix.SYS_SCHED_SETATTR],
	[1]struct{}{}[sys.SYS_SECCOMP-unix.SYS_SECCOMP],
	[1]struct{}{}[sys.SYS_EXECVEAT-unix.SYS_EXECVEAT],
	[1]struct{}{}[sys.SYS_STATX-unix.SYS_STATX],
	[1]struct{}{}[sys.SYS_PIDFD_SEND_SIGNAL-unix.SYS_PIDFD_SEND_SIGNAL],
	[1]struct{}{}[sys.SYS_OPEN_TREE-unix.SYS_OPEN_TREE],
	[1]struct{}{}[sys.SYS_MOVE_MOUNT-unix.SYS_MOVE_MOUNT],
	[1]struct{}{}[sys.SYS_FSOPEN-unix.SYS_FSOPEN],
	[1]struct{}{}[sys.SYS_FSCONFIG-unix.SYS_FSCONFIG],
	[1]struct{}{}[sys.SYS_FSMOUNT-unix.SYS_FSMOUNT],
	[1]struct{}{}[sys.SYS_PIDFD_OPEN-unix.SYS_PIDFD_OPEN],
	[1]struct{}{}[sys.SYS_CLOSE_RANGE-unix.SYS_CLOSE_RANGE],
	[1]struct{}{}[sys.SYS_OPENAT2-unix.SYS_OPENAT2],
	[1]struct{}{}[sys.SYS_FACCESSAT2-unix.SYS_FACCESSAT2],
	[1]struct{}{}[sys.SYS_MOUNT_SETATTR-unix.SYS_MOUNT_SETATTR],
}

// The structs of the kernel have the sizes and places that x/sys knows.
var _ = [...]struct{}{
	[1]struct{}{}[unsafe.Sizeof(sys.OpenHow{})-unsafe.Sizeof(unix.OpenHow{})],
	[1]struct{}{}[unsafe.Sizeof(sys.MountAttr{})-unsafe.Sizeof(unix.MountAttr{})],
	[1]struct{}{}[unsafe.Sizeof(sys.SchedAttr{})-unsafe.Sizeof(unix.SchedAttr{})],
	[1]struct{}{}[unsafe.Sizeof(sys.PollFD{})-unsafe.Sizeof(unix.PollFd{})],
	[1]struct{}{}[unsafe.Sizeof(sys.Winsize{})-unsafe.Sizeof(unix.Winsize{})],
	[1]struct{}{}[unsafe.Sizeof(sys.Statx{})-unsafe.Sizeof(unix.Statx_t{})],
	[1]struct{}{}[unsafe.Offsetof(sys.Statx{}.MntID)-unsafe.Offsetof(unix.Statx_t{}.Mnt_id)],
	[1]struct{}{}[unsafe.Offsetof(sys.Statx{}.Rdev)-unsafe.Offsetof(unix.Statx_t{}.Rdev_major)],
	[1]struct{}{}[unsafe.Offsetof(sys.Statx{}.Ino)-unsafe.Offsetof(unix.Statx_t{}.Ino)],
	[1]struct{}{}[unsafe.Offsetof(sys.Statx{}.Mode)-unsafe.Offsetof(unix.Statx_t{}.Mode)],
	[1]struct{}{}[unsafe.Offsetof(sys.SchedAttr{}.Deadline)-unsafe.Offsetof(unix.SchedAttr{}.Deadline)],
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		name      string
		got, want int64
	}{
		{"O_PATH", sys.O_PATH, unix.O_PATH}, {"O_CLOEXEC", sys.O_CLOEXEC, unix.O_CLOEXEC},
		{"AT_FDCWD", sys.AT_FDCWD, unix.AT_FDCWD}, {"AT_EACCESS", sys.AT_EACCESS, unix.AT_EACCESS},
		{"AT_REMOVEDIR", sys.AT_REMOVEDIR, unix.AT_REMOVEDIR},
		{"AT_SYMLINK_NOFOLLOW", sys.AT_SYMLINK_NOFOLLOW, unix.AT_SYMLINK_NOFOLLOW},
		{"AT_EMPTY_PATH", sys.AT_EMPTY_PATH, unix.AT_EMPTY_PATH}, {"AT_RECURSIVE", sys.AT_RECURSIVE, unix.AT_RECURSIVE},
		{"RESOLVE_NO_XDEV", sys.RESOLVE_NO_XDEV, unix.RESOLVE_NO_XDEV},
		{"RESOLVE_NO_MAGICLINKS", sys.RESOLVE_NO_MAGICLINKS, unix.RESOLVE_NO_MAGICLINKS},
		{"RESOLVE_NO_SYMLINKS", sys.RESOLVE_NO_SYMLINKS, unix.RESOLVE_NO_SYMLINKS},
		{"RESOLVE_BENEATH", sys.RESOLVE_BENEATH, unix.RESOLVE_BENEATH},
		{"RESOLVE_IN_ROOT", sys.RESOLVE_IN_ROOT, unix.RESOLVE_IN_ROOT},
		{"STATX_TYPE", sys.STATX_TYPE, unix.STATX_TYPE}, {"STATX_MNT_ID", sys.STATX_MNT_ID, unix.STATX_MNT_ID},
		{"STATX_ATTR_MOUNT_ROOT", sys.STATX_ATTR_MOUNT_ROOT, unix.STATX_ATTR_MOUNT_ROOT},
		{"CLOSE_RANGE_CLOEXEC", sys.CLOSE_RANGE_CLOEXEC, unix.CLOSE_RANGE_CLOEXEC},
		{"OPEN_TREE_CLONE", sys.OPEN_TREE_CLONE, unix.OPEN_TREE_CLONE},
		{"OPEN_TREE_CLOEXEC", sys.OPEN_TREE_CLOEXEC, unix.OPEN_TREE_CLOEXEC},
		{"MOVE_MOUNT_F_EMPTY_PATH", sys.MOVE_MOUNT_F_EMPTY_PATH, unix.MOVE_MOUNT_F_EMPTY_PATH},
		{"MOVE_MOUNT_T_EMPTY_PATH", sys.MOVE_MOUNT_T_EMPTY_PATH, unix.MOVE_MOUNT_T_EMPTY_PATH},
		{"FSOPEN_CLOEXEC", sys.FSOPEN_CLOEXEC, unix.FSOPEN_CLOEXEC}, {"FSMOUNT_CLOEXEC", sys.FSMOUNT_CLOEXEC, unix.FSMOUNT_CLOEXEC},
		{"FSCONFIG_SET_FLAG", sys.FSCONFIG_SET_FLAG, unix.FSCONFIG_SET_FLAG},
		{"FSCONFIG_SET_STRING", sys.FSCONFIG_SET_STRING, unix.FSCONFIG_SET_STRING},
		{"FSCONFIG_CMD_CREATE", sys.FSCONFIG_CMD_CREATE, unix.FSCONFIG_CMD_CREATE},
		{"MOUNT_ATTR_RDONLY", sys.MOUNT_ATTR_RDONLY, unix.MOUNT_ATTR_RDONLY},
		{"MOUNT_ATTR_NOSUID", sys.MOUNT_ATTR_NOSUID, unix.MOUNT_ATTR_NOSUID},
		{"MOUNT_ATTR_NODEV", sys.MOUNT_ATTR_NODEV, unix.MOUNT_ATTR_NODEV},
		{"MOUNT_ATTR_NOEXEC", sys.MOUNT_ATTR_NOEXEC, unix.MOUNT_ATTR_NOEXEC},
		{"MOUNT_ATTR__ATIME", sys.MOUNT_ATTR__ATIME, unix.MOUNT_ATTR__ATIME},
		{"MOUNT_ATTR_RELATIME", sys.MOUNT_ATTR_RELATIME, unix.MOUNT_ATTR_RELATIME},
		{"MOUNT_ATTR_NOATIME", sys.MOUNT_ATTR_NOATIME, unix.MOUNT_ATTR_NOATIME},
		{"MOUNT_ATTR_STRICTATIME", sys.MOUNT_ATTR_STRICTATIME, unix.MOUNT_ATTR_STRICTATIME},
		{"MOUNT_ATTR_NODIRATIME", sys.MOUNT_ATTR_NODIRATIME, unix.MOUNT_ATTR_NODIRATIME},
		{"MOUNT_ATTR_IDMAP", sys.MOUNT_ATTR_IDMAP, unix.MOUNT_ATTR_IDMAP},
		{"MOUNT_ATTR_NOSYMFOLLOW", sys.MOUNT_ATTR_NOSYMFOLLOW, unix.MOUNT_ATTR_NOSYMFOLLOW},
		{"MS_NOSYMFOLLOW", sys.MS_NOSYMFOLLOW, unix.MS_NOSYMFOLLOW}, {"MS_LAZYTIME", sys.MS_LAZYTIME, unix.MS_LAZYTIME},
		{"ST_RDONLY", sys.ST_RDONLY, unix.ST_RDONLY}, {"ST_NOSUID", sys.ST_NOSUID, unix.ST_NOSUID},
		{"ST_NODEV", sys.ST_NODEV, unix.ST_NODEV}, {"ST_NOEXEC", sys.ST_NOEXEC, unix.ST_NOEXEC},
		{"PROC_SUPER_MAGIC", sys.PROC_SUPER_MAGIC, unix.PROC_SUPER_MAGIC}, {"SYSFS_MAGIC", sys.SYSFS_MAGIC, unix.SYSFS_MAGIC},
		{"DEVPTS_SUPER_MAGIC", sys.DEVPTS_SUPER_MAGIC, unix.DEVPTS_SUPER_MAGIC},
		{"TMPFS_MAGIC", sys.TMPFS_MAGIC, unix.TMPFS_MAGIC}, {"CGROUP_SUPER_MAGIC", sys.CGROUP_SUPER_MAGIC, unix.CGROUP_SUPER_MAGIC},
		{"CGROUP2_SUPER_MAGIC", sys.CGROUP2_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC}, {"NSFS_MAGIC", sys.NSFS_MAGIC, unix.NSFS_MAGIC},
		{"PR_SET_DUMPABLE", sys.PR_SET_DUMPABLE, unix.PR_SET_DUMPABLE}, {"PR_SET_KEEPCAPS", sys.PR_SET_KEEPCAPS, unix.PR_SET_KEEPCAPS},
		{"PR_CAPBSET_READ", sys.PR_CAPBSET_READ, unix.PR_CAPBSET_READ}, {"PR_CAPBSET_DROP", sys.PR_CAPBSET_DROP, unix.PR_CAPBSET_DROP},
		{"PR_SET_NO_NEW_PRIVS", sys.PR_SET_NO_NEW_PRIVS, unix.PR_SET_NO_NEW_PRIVS}, {"PR_CAP_AMBIENT", sys.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT},
		{"PR_CAP_AMBIENT_RAISE", sys.PR_CAP_AMBIENT_RAISE, unix.PR_CAP_AMBIENT_RAISE},
		{"PR_CAP_AMBIENT_CLEAR_ALL", sys.PR_CAP_AMBIENT_CLEAR_ALL, unix.PR_CAP_AMBIENT_CLEAR_ALL},
		{"SECCOMP_SET_MODE_FILTER", sys.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_SET_MODE_FILTER},
		{"SECCOMP_FILTER_FLAG_TSYNC", sys.SECCOMP_FILTER_FLAG_TSYNC, unix.SECCOMP_FILTER_FLAG_TSYNC},
		{"SECCOMP_FILTER_FLAG_NEW_LISTENER", sys.SECCOMP_FILTER_FLAG_NEW_LISTENER, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER},
		{"SECCOMP_FILTER_FLAG_TSYNC_ESRCH", sys.SECCOMP_FILTER_FLAG_TSYNC_ESRCH, unix.SECCOMP_FILTER_FLAG_TSYNC_ESRCH},
		{"KEYCTL_JOIN_SESSION_KEYRING", sys.KEYCTL_JOIN_SESSION_KEYRING, unix.KEYCTL_JOIN_SESSION_KEYRING},
		{"KEYCTL_SETPERM", sys.KEYCTL_SETPERM, unix.KEYCTL_SETPERM}, {"KEYCTL_DESCRIBE", sys.KEYCTL_DESCRIBE, unix.KEYCTL_DESCRIBE},
		{"CLOCK_REALTIME", sys.CLOCK_REALTIME, unix.CLOCK_REALTIME}, {"CLOCK_MONOTONIC", sys.CLOCK_MONOTONIC, unix.CLOCK_MONOTONIC},
		{"SIG_SETMASK", sys.SIG_SETMASK, unix.SIG_SETMASK}, {"POLLIN", sys.POLLIN, unix.POLLIN}, {"POLLOUT", sys.POLLOUT, unix.POLLOUT},
		{"POLLERR", sys.POLLERR, unix.POLLERR}, {"POLLHUP", sys.POLLHUP, unix.POLLHUP}, {"POLLNVAL", sys.POLLNVAL, unix.POLLNVAL},
		{"TIOCSCTTY", sys.TIOCSCTTY, unix.TIOCSCTTY}, {"TIOCGWINSZ", sys.TIOCGWINSZ, unix.TIOCGWINSZ},
		{"TIOCSWINSZ", sys.TIOCSWINSZ, unix.TIOCSWINSZ}, {"TIOCGPTN", sys.TIOCGPTN, unix.TIOCGPTN},
		{"TIOCSPTLCK", sys.TIOCSPTLCK, unix.TIOCSPTLCK}, {"TIOCGPTPEER", sys.TIOCGPTPEER, unix.TIOCGPTPEER},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %#x, want %#x", c.name, c.got, c.want)
		}
	}
}

func TestDeviceNumbers(t *testing.T) {
	for _, d := range [][2]uint32{{1, 3}, {0, 0}, {5, 1}, {259, 7}, {4095, 255}, {8, 0xfffff}, {0xfff, 0x100}, {0x12345, 0x6789a}} {
		got := sys.MakeDev(d[0], d[1])
		if want := unix.Mkdev(d[0], d[1]); got != want {
			t.Errorf("%v: got %#x, want %#x", d, got, want)
		}
		if sys.Major(got) != d[0] || sys.Minor(got) != d[1] {
			t.Errorf("%v comes back as %d:%d", d, sys.Major(got), sys.Minor(got))
		}
	}
}
