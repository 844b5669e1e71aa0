package main

import (
	"net"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

var capByBit = []string{"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
	"SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK",
	"IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT",
	"SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL",
	"SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
	"CHECKPOINT_RESTORE"}

// capNames turns a hexadecimal mask of /proc/self/status into sorted names.
func capNames(mask string) []string {
	bits, _ := strconv.ParseUint(mask, 16, 64)
	out := []string{}
	for i, name := range capByBit {
		if bits>>i&1 == 1 {
			out = append(out, "CAP_"+name)
		}
	}
	slices.Sort(out)
	return out
}

func loUp() bool {
	lo, err := net.InterfaceByName("lo")
	return err == nil && lo.Flags&net.FlagUp != 0
}

func links() []string {
	all, _ := net.Interfaces()
	var out []string
	for _, l := range all {
		out = append(out, l.Name)
	}
	slices.Sort(out)
	return out
}

// keyring describes the session keyring, without creating one ("" when it cannot be read).
// keyring asks for a text about the session keyring.
func keyring(command int) string {
	buf := make([]byte, 256)
	n, err := unix.KeyctlBuffer(command, unix.KEY_SPEC_SESSION_KEYRING, buf, 0)
	if err != nil {
		return ""
	}
	return string(buf[:max(min(n, len(buf))-1, 0)])
}
