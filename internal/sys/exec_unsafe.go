package sys

import (
	"syscall"
	"unsafe"
)

// Image is what execve(2) needs, made ready beforehand: Exec allocates nothing.
type Image struct {
	path *byte
	argv []*byte
	envp []*byte
}

// NewImage prepares execve of path. A string with a NUL inside is EINVAL.
func NewImage(path string, args, env []string) (*Image, error) {
	p, nul := cstring(path)
	if nul {
		return nil, fail("execve", path, syscall.EINVAL)
	}
	argv, bad := vector(args)
	if bad != "" {
		return nil, &Error{Op: "execve", Object: bad, Errno: syscall.EINVAL, Note: "argument contains NUL"}
	}
	envp, bad := vector(env)
	if bad != "" {
		return nil, &Error{Op: "execve", Object: bad, Errno: syscall.EINVAL, Note: "environment contains NUL"}
	}
	return &Image{path: p, argv: argv, envp: envp}, nil
}

// vector makes the array with its closing NULL. All strings share one piece of memory.
func vector(list []string) ([]*byte, string) {
	size := 0
	for _, s := range list {
		size += len(s) + 1
	}
	mem := make([]byte, size)
	v := make([]*byte, len(list)+1)
	for i, s := range list {
		for j := 0; j < len(s); j++ {
			if s[j] == 0 {
				return nil, s
			}
			mem[j] = s[j]
		}
		v[i] = &mem[0]
		mem = mem[len(s)+1:]
	}
	return v, ""
}

// Exec is execve(2). It returns only when that fails, and allocates nothing.
func (i *Image) Exec() syscall.Errno {
	_, _, errno := syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(i.path)),
		uintptr(unsafe.Pointer(&i.argv[0])), uintptr(unsafe.Pointer(&i.envp[0])))
	return errno
}

// ExecAt is execveat(2) of the file that fd is open on (AT_EMPTY_PATH).
func (i *Image) ExecAt(fd int) syscall.Errno {
	var empty byte
	_, _, errno := syscall.RawSyscall6(SYS_EXECVEAT, uintptr(fd), uintptr(unsafe.Pointer(&empty)),
		uintptr(unsafe.Pointer(&i.argv[0])), uintptr(unsafe.Pointer(&i.envp[0])), AT_EMPTY_PATH, 0)
	return errno
}
