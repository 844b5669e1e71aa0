package spec

import (
	"reflect"
	"slices"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestCapabilities(t *testing.T) {
	if n := len(KnownCapabilities()); n != unix.CAP_LAST_CAP+1 {
		t.Errorf("%d capabilities, the kernel header has %d", n, unix.CAP_LAST_CAP+1)
	}
	for name, want := range map[string]int{
		"CAP_CHOWN": unix.CAP_CHOWN, "CAP_NET_BIND_SERVICE": unix.CAP_NET_BIND_SERVICE, "CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN,
		"CAP_MKNOD": unix.CAP_MKNOD, "CAP_AUDIT_WRITE": unix.CAP_AUDIT_WRITE, "CAP_SETFCAP": unix.CAP_SETFCAP, "CAP_BPF": unix.CAP_BPF,
		"CAP_CHECKPOINT_RESTORE": unix.CAP_CHECKPOINT_RESTORE,
	} {
		if n, ok := CapabilityNumber(name); !ok || n != want || CapabilityName(n) != name {
			t.Errorf("%s: %d, %v", name, n, ok)
		}
	}
	if CapabilityName(63) != "63" || CapabilityName(-1) != "-1" {
		t.Error("unknown numbers")
	}
	mask, unknown := CapabilityMask([]string{"CAP_CHOWN", "chown", "CAP_KILL"})
	if mask != 1<<unix.CAP_CHOWN|1<<unix.CAP_KILL || !slices.Equal(unknown, []string{"chown"}) {
		t.Errorf("mask %#x, unknown %q", mask, unknown)
	}
	KnownCapabilities()[0] = "x"
	if CapabilityName(0) != "CAP_CHOWN" {
		t.Error("the table can be changed from outside")
	}
}

func TestNamespaces(t *testing.T) {
	known := KnownNamespaces()
	if !slices.IsSorted(known) || len(known) != 8 {
		t.Errorf("known: %q", known)
	}
	var all uint64
	for _, name := range known {
		flag := NamespaceFlag(specs.LinuxNamespaceType(name))
		if flag == 0 || all&flag != 0 || NamespaceFile(specs.LinuxNamespaceType(name)) == "" {
			t.Errorf("%s: flag %#x", name, flag)
		}
		all |= flag
	}
	if NamespaceFlag("net") != 0 || NamespaceFile("net") != "" || NamespaceFile("network") != "net" || NamespaceFile("mount") != "mnt" || NamespaceFile("uts") != "uts" {
		t.Error("names")
	}
}

func TestRlimits(t *testing.T) {
	seen := map[int]bool{}
	for _, name := range []string{
		"AS", "CORE", "CPU", "DATA", "FSIZE", "LOCKS", "MEMLOCK", "MSGQUEUE", "NICE", "NOFILE", "NPROC", "RSS", "RTPRIO", "RTTIME", "SIGPENDING", "STACK",
	} {
		n, ok := RlimitResource("RLIMIT_" + name)
		if !ok || n < 0 || n > 15 || seen[n] {
			t.Errorf("%s: %d, %v", name, n, ok)
		}
		seen[n] = true
	}
	if _, ok := RlimitResource("NOFILE"); ok {
		t.Error("a name without its prefix is known")
	}
}

func TestSysctlPath(t *testing.T) {
	for name, want := range map[string]string{
		"net.ipv4.ip_forward": "net/ipv4/ip_forward", "net/ipv4/conf/eth0.1/x": "net/ipv4/conf/eth0.1/x",
		"net.ipv4.conf.eth0/1.x": "net/ipv4/conf/eth0.1/x", "x": "x",
	} {
		if got, err := SysctlPath(name); err != nil || got != want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"", ".", "..", "/", "a.", ".a", "a..b", "/a", "a/", "a/../b", "a/./b", "net.//.kernel", "a\x00"} {
		if got, err := SysctlPath(name); err == nil {
			t.Errorf("%q gave %q", name, got)
		}
	}
}

func TestSysctlNamespace(t *testing.T) {
	for path, want := range map[string]specs.LinuxNamespaceType{
		"kernel/msgmax": "ipc", "kernel/shm_rmid_forced": "ipc", "fs/mqueue/x": "ipc", "net/a": "network", "user/max_net_namespaces": "user",
		"kernel/domainname": "uts", "kernel/hostname": "uts", "kernel/panic": "", "fs/file-max": "", "network/x": "", "vm/swappiness": "", "kernel/sem/x": "",
	} {
		if got := SysctlNamespace(path); got != want {
			t.Errorf("%s: %q", path, got)
		}
	}
}

func TestParseList(t *testing.T) {
	for text, want := range map[string][]Range{
		"": nil, " ": nil, "0": {{0, 0}}, "0-3,7": {{0, 3}, {7, 7}}, " 1 , 2-2": {{1, 1}, {2, 2}}, "32767": {{32767, 32767}},
	} {
		if got, err := ParseList(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{",", "1,", "-1", "1-", "3-1", "a", "1-2-3", "32768", "0x1", "99999999999999999999", "+1", "1 - 2"} {
		if got, err := ParseList(text); err == nil {
			t.Errorf("%q gave %v", text, got)
		}
	}
	if got := Mask([]Range{{0, 1}, {64, 64}, {63, 63}}); !slices.Equal(got, []uint64{1<<63 | 3, 1}) {
		t.Errorf("mask %#x", got)
	}
	if Mask(nil) != nil {
		t.Error("empty mask")
	}
}

func TestNumbers(t *testing.T) {
	for i, mode := range MemoryPolicyModes() {
		if n, ok := MemoryPolicyMode(specs.MemoryPolicyModeType(mode)); !ok || n != uint32(i) {
			t.Errorf("%s: %d, %v", mode, n, ok)
		}
	}
	for _, f := range MemoryPolicyFlags() {
		if n, ok := MemoryPolicyFlag(specs.MemoryPolicyFlagType(f)); !ok || n == 0 {
			t.Errorf("%s: %d, %v", f, n, ok)
		}
	}
	for p, want := range map[specs.LinuxSchedulerPolicy]uint32{
		"SCHED_OTHER": 0, "SCHED_FIFO": 1, "SCHED_RR": 2, "SCHED_BATCH": 3, "SCHED_ISO": 4, "SCHED_IDLE": 5, "SCHED_DEADLINE": 6,
	} {
		if n, ok := SchedulerPolicy(p); !ok || n != want {
			t.Errorf("%s: %d, %v", p, n, ok)
		}
	}
	for f, want := range map[specs.LinuxSchedulerFlag]uint64{
		"SCHED_FLAG_RESET_ON_FORK": 1, "SCHED_FLAG_RECLAIM": 2, "SCHED_FLAG_DL_OVERRUN": 4, "SCHED_FLAG_KEEP_POLICY": 8,
		"SCHED_FLAG_KEEP_PARAMS": 16, "SCHED_FLAG_UTIL_CLAMP_MIN": 32, "SCHED_FLAG_UTIL_CLAMP_MAX": 64,
	} {
		if n, ok := SchedulerFlag(f); !ok || n != want {
			t.Errorf("%s: %d, %v", f, n, ok)
		}
	}
	for c, want := range map[specs.IOPriorityClass]int{"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3} {
		if n, ok := IOPriorityClass(c); !ok || n != want {
			t.Errorf("%s: %d, %v", c, n, ok)
		}
	}
	if n, ok := PersonalityDomain("LINUX32"); !ok || n != 8 {
		t.Errorf("LINUX32: %d, %v", n, ok)
	}
	if f, ok := RootfsPropagation(""); !ok || f != unix.MS_SLAVE|unix.MS_REC {
		t.Errorf("default propagation %#x, %v", f, ok)
	}
	if f, ok := RootfsPropagation("rshared"); !ok || f != unix.MS_SHARED|unix.MS_REC {
		t.Errorf("rshared %#x, %v", f, ok)
	}
}
