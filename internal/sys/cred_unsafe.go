package sys

import (
	"strconv"
	"syscall"
	"unsafe"
)

// Setgroups is setgroups(2) of the calling thread alone.
func Setgroups(groups []uint32) error {
	var p unsafe.Pointer
	if len(groups) > 0 {
		p = unsafe.Pointer(&groups[0])
	}
	_, errno := quick(syscall.SYS_SETGROUPS, uintptr(len(groups)), uintptr(p), 0, 0, 0, 0)
	return fail("setgroups", "", errno)
}

// Setresgid is setresgid(2) of the calling thread alone, the same id three times.
func Setresgid(gid uint32) error {
	g := uintptr(gid)
	_, errno := quick(syscall.SYS_SETRESGID, g, g, g, 0, 0, 0)
	return fail("setresgid", strconv.FormatUint(uint64(gid), 10), errno)
}

// Setresuid is setresuid(2) of the calling thread alone, the same id three times.
func Setresuid(uid uint32) error {
	u := uintptr(uid)
	_, errno := quick(syscall.SYS_SETRESUID, u, u, u, 0, 0, 0)
	return fail("setresuid", strconv.FormatUint(uint64(uid), 10), errno)
}

// CapSets are the three capability sets that capset(2) knows, bit n for capability n.
type CapSets struct{ Effective, Permitted, Inheritable uint64 }

type capHeader struct {
	version uint32
	pid     int32
}

type capData struct{ effective, permitted, inheritable uint32 }

const capVersion3 = 0x20080522

// Capget is capget(2) of the calling thread.
func Capget() (CapSets, error) {
	h := capHeader{version: capVersion3}
	var d [2]capData
	_, errno := quick(syscall.SYS_CAPGET, uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&d)), 0, 0, 0, 0)
	join := func(lo, hi uint32) uint64 { return uint64(lo) | uint64(hi)<<32 }
	return CapSets{join(d[0].effective, d[1].effective), join(d[0].permitted, d[1].permitted),
		join(d[0].inheritable, d[1].inheritable)}, fail("capget", "", errno)
}

// Capset is capset(2) of the calling thread.
func Capset(c CapSets) error {
	h := capHeader{version: capVersion3}
	d := [2]capData{
		{uint32(c.Effective), uint32(c.Permitted), uint32(c.Inheritable)},
		{uint32(c.Effective >> 32), uint32(c.Permitted >> 32), uint32(c.Inheritable >> 32)},
	}
	_, errno := quick(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&d)), 0, 0, 0, 0)
	return fail("capset", "", errno)
}

// Prctl is prctl(2) with numbers as arguments; name is for the error.
func Prctl(name string, option, a, b uintptr) (int, error) {
	n, errno := quick(syscall.SYS_PRCTL, option, a, b, 0, 0, 0)
	return int(n), fail(name, "", errno)
}

// SetSeccomp is seccomp(SECCOMP_SET_MODE_FILTER): filter is an array of struct sock_filter. The result
// is the listener with SECCOMP_FILTER_FLAG_NEW_LISTENER, else nil.
func SetSeccomp(filter []byte, flags uint64) (*FD, error) {
	n := len(filter) / 8
	if n == 0 || n > 0xffff || len(filter)%8 != 0 {
		return nil, fail("seccomp", "", syscall.EINVAL)
	}
	prog := struct {
		n uint16
		p unsafe.Pointer
	}{uint16(n), addr(filter)}
	r, errno := quick(SYS_SECCOMP, SECCOMP_SET_MODE_FILTER, uintptr(flags), uintptr(unsafe.Pointer(&prog)), 0, 0, 0)
	if errno == 0 && flags&SECCOMP_FILTER_FLAG_NEW_LISTENER != 0 {
		return Own(int(r)), nil
	}
	return nil, fail("seccomp", "", errno)
}

// JoinSessionKeyring is keyctl(KEYCTL_JOIN_SESSION_KEYRING): the serial number of the keyring.
func JoinSessionKeyring(name string) (int, error) {
	p, nul := cstring(name)
	if nul {
		return 0, fail("keyctl", name, syscall.EINVAL)
	}
	n, errno := quick(syscall.SYS_KEYCTL, KEYCTL_JOIN_SESSION_KEYRING, uintptr(unsafe.Pointer(p)), 0, 0, 0, 0)
	return int(int32(n)), fail("keyctl join", name, errno)
}

// DescribeKey is keyctl(KEYCTL_DESCRIBE): "type;uid;gid;perm;description".
func DescribeKey(key int) (string, error) {
	b := make([]byte, 512)
	n, errno := quick(syscall.SYS_KEYCTL, KEYCTL_DESCRIBE, uintptr(key), uintptr(addr(b)), uintptr(len(b)), 0, 0)
	if errno != 0 {
		return "", fail("keyctl describe", strconv.Itoa(key), errno)
	}
	return string(b[:max(1, min(int(n), len(b)))-1]), nil
}

// SetKeyPerm is keyctl(KEYCTL_SETPERM).
func SetKeyPerm(key int, perm uint32) error {
	_, errno := quick(syscall.SYS_KEYCTL, KEYCTL_SETPERM, uintptr(key), uintptr(perm), 0, 0, 0)
	return fail("keyctl setperm", strconv.Itoa(key), errno)
}
