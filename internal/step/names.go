package step

// The names of single bits in the text form. Numbers are the kernel's (clone(2), mount(2),
// mount_setattr(2), capabilities(7)); a bit without a name is printed as a number.

func nsName(bit uint64) string {
	switch bit {
	case 0x00000080:
		return "time"
	case 0x00020000:
		return "mount"
	case 0x02000000:
		return "cgroup"
	case 0x04000000:
		return "uts"
	case 0x08000000:
		return "ipc"
	case 0x10000000:
		return "user"
	case 0x20000000:
		return "pid"
	case 0x40000000:
		return "network"
	}
	return ""
}

func msName(bit uint64) string {
	switch bit {
	case 1 << 0:
		return "ro"
	case 1 << 1:
		return "nosuid"
	case 1 << 2:
		return "nodev"
	case 1 << 3:
		return "noexec"
	case 1 << 4:
		return "sync"
	case 1 << 5:
		return "remount"
	case 1 << 6:
		return "mand"
	case 1 << 7:
		return "dirsync"
	case 1 << 8:
		return "nosymfollow"
	case 1 << 10:
		return "noatime"
	case 1 << 11:
		return "nodiratime"
	case 1 << 12:
		return "bind"
	case 1 << 13:
		return "move"
	case 1 << 14:
		return "rec"
	case 1 << 15:
		return "silent"
	case 1 << 17:
		return "unbindable"
	case 1 << 18:
		return "private"
	case 1 << 19:
		return "slave"
	case 1 << 20:
		return "shared"
	case 1 << 21:
		return "relatime"
	case 1 << 23:
		return "iversion"
	case 1 << 24:
		return "strictatime"
	case 1 << 25:
		return "lazytime"
	}
	return ""
}

func attrName(bit uint64) string {
	switch bit {
	case 0x1:
		return "ro"
	case 0x2:
		return "nosuid"
	case 0x4:
		return "nodev"
	case 0x8:
		return "noexec"
	case 0x10:
		return "noatime"
	case 0x20:
		return "strictatime"
	case 0x40:
		return "atime-mode"
	case 0x80:
		return "nodiratime"
	case 0x200000:
		return "nosymfollow"
	}
	return ""
}

func optName(bit uint64) string {
	switch bit {
	case MountRecursive:
		return "recursive"
	case MountCopyUp:
		return "tmpcopyup"
	case MountCopySymlink:
		return "copy-symlink"
	case MountSrcNoFollow:
		return "src-nofollow"
	case MountDestNoFollow:
		return "dest-nofollow"
	case MountNoSymlinks:
		return "real-directory"
	case MountProcGuard:
		return "under-proc"
	case MountSourceProc:
		return "source-procfs"
	case MountKeepFlags:
		return "keep-flags"
	case MountOptional:
		return "optional"
	}
	return ""
}

// CapName is the name of capability number n (CAP_…), "" for one that is not known.
func CapName(n uint) string {
	const first = "CAP_"
	names := [...]string{"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID",
		"SETUID", "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW",
		"IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT",
		"SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
		"AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM",
		"BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE"}
	if n >= uint(len(names)) {
		return ""
	}
	return first + names[n]
}

func capName(bit uint64) string {
	for n := uint(0); n < 64; n++ {
		if bit == 1<<n {
			return CapName(n)
		}
	}
	return ""
}

func mountTypeName(v uint32) string {
	switch v {
	case MountBind:
		return "bind"
	case MountRemount:
		return "remount"
	}
	return ""
}

func deviceTypeName(v uint32) string {
	switch v { // S_IFMT of mknod(2)
	case 0x2000:
		return "char"
	case 0x6000:
		return "block"
	case 0x1000:
		return "fifo"
	}
	return ""
}

func phaseName(v uint32) string {
	switch v {
	case JoinEarly:
		return "early"
	case JoinLate:
		return "late"
	}
	return ""
}

func mapHowName(v uint32) string {
	switch v {
	case MapParent:
		return "runtime"
	case MapHelpers:
		return "newuidmap"
	}
	return ""
}

// LostCaps says which capabilities of a set were not granted.
func LostCaps(set string, lost uint64) string {
	text := "not granted in the " + set + " set:"
	for n := uint(0); n < 64; n++ {
		if lost&(1<<n) != 0 {
			text += " " + CapName(n)
		}
	}
	return text
}
