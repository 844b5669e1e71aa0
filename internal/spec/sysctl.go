package spec

import (
	"errors"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// SysctlPath turns a sysctl's name into its path below /proc/sys. As in
// sysctl(8) the first separator decides: "net.ipv4.conf.eth0/1.forwarding" and
// "net/ipv4/conf/eth0.1/forwarding" are the same. A name that would leave
// /proc/sys or has empty parts is an error.
func SysctlPath(name string) (string, error) {
	path := name
	if i := strings.IndexAny(name, "./"); i >= 0 && name[i] == '.' {
		swapped := []byte(name)
		for i, c := range swapped {
			switch c {
			case '.':
				swapped[i] = '/'
			case '/':
				swapped[i] = '.'
			}
		}
		path = string(swapped)
	}
	if strings.IndexByte(path, 0) >= 0 {
		return "", errors.New(reasonNUL)
	}
	for part := range strings.SplitSeq(path, "/") {
		switch part {
		case "":
			return "", errors.New("empty part in the name")
		case ".", "..":
			return "", errors.New("the name leaves /proc/sys")
		}
	}
	return path, nil
}

// SysctlNamespace says which namespace a sysctl, given by its SysctlPath,
// belongs to; "" if it is not namespaced and so would change the host.
func SysctlNamespace(path string) specs.LinuxNamespaceType {
	switch path {
	case "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shmall",
		"kernel/shmmax", "kernel/shmmni", "kernel/shm_rmid_forced":
		return specs.IPCNamespace
	case sysctlDomainname, sysctlHostname:
		return specs.UTSNamespace
	}
	switch {
	case strings.HasPrefix(path, "fs/mqueue/"):
		return specs.IPCNamespace
	case strings.HasPrefix(path, "net/"):
		return specs.NetworkNamespace
	case strings.HasPrefix(path, "user/"):
		return specs.UserNamespace
	}
	return ""
}

const (
	sysctlDomainname = "kernel/domainname"
	sysctlHostname   = "kernel/hostname"
)
