package spec

import "strconv"

// capabilityNames is indexed by capability number, capabilities(7).
var capabilityNames = [...]string{
	"CAP_CHOWN",
	"CAP_DAC_OVERRIDE",
	"CAP_DAC_READ_SEARCH",
	"CAP_FOWNER",
	"CAP_FSETID",
	"CAP_KILL",
	"CAP_SETGID",
	"CAP_SETUID",
	"CAP_SETPCAP",
	"CAP_LINUX_IMMUTABLE",
	"CAP_NET_BIND_SERVICE",
	"CAP_NET_BROADCAST",
	"CAP_NET_ADMIN",
	"CAP_NET_RAW",
	"CAP_IPC_LOCK",
	"CAP_IPC_OWNER",
	"CAP_SYS_MODULE",
	"CAP_SYS_RAWIO",
	"CAP_SYS_CHROOT",
	"CAP_SYS_PTRACE",
	"CAP_SYS_PACCT",
	"CAP_SYS_ADMIN",
	"CAP_SYS_BOOT",
	"CAP_SYS_NICE",
	"CAP_SYS_RESOURCE",
	"CAP_SYS_TIME",
	"CAP_SYS_TTY_CONFIG",
	"CAP_MKNOD",
	"CAP_LEASE",
	"CAP_AUDIT_WRITE",
	"CAP_AUDIT_CONTROL",
	"CAP_SETFCAP",
	"CAP_MAC_OVERRIDE",
	"CAP_MAC_ADMIN",
	"CAP_SYSLOG",
	"CAP_WAKE_ALARM",
	"CAP_BLOCK_SUSPEND",
	"CAP_AUDIT_READ",
	"CAP_PERFMON",
	"CAP_BPF",
	"CAP_CHECKPOINT_RESTORE",
}

// KnownCapabilities lists the 41 capability names in order of their numbers.
func KnownCapabilities() []string { return append([]string(nil), capabilityNames[:]...) }

// CapabilityNumber gives the number of a capability ("CAP_CHOWN" is 0); false
// if the name is unknown. Names are exact.
func CapabilityNumber(name string) (int, bool) {
	for n, known := range capabilityNames {
		if known == name {
			return n, true
		}
	}
	return 0, false
}

// CapabilityName is the reverse of CapabilityNumber; an unknown number gives
// its decimal text.
func CapabilityName(n int) string {
	if n >= 0 && n < len(capabilityNames) {
		return capabilityNames[n]
	}
	return strconv.Itoa(n)
}

// CapabilityMask turns names into a mask with bit 1<<number for each, and lists
// the names that are unknown. Validate reports those as warnings; the mask is
// to be used without them.
func CapabilityMask(names []string) (mask uint64, unknown []string) {
	for _, name := range names {
		if n, ok := CapabilityNumber(name); ok {
			mask |= 1 << n
		} else {
			unknown = append(unknown, name)
		}
	}
	return mask, unknown
}
