package sys

import "syscall"

// ReadNames gives the names in the open directory fd, without "." and "..".
func ReadNames(fd int) ([]string, error) {
	var names []string
	b := make([]byte, 8192)
	for {
		n, errno := slow(syscall.SYS_GETDENTS64, uintptr(fd), uintptr(addr(b)), uintptr(len(b)), 0, 0, 0)
		if errno != 0 {
			return nil, fail("getdents64", "", errno)
		}
		if n == 0 {
			return names, nil
		}
		_, _, names = syscall.ParseDirent(b[:n], -1, names)
	}
}
