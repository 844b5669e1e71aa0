package sys

import (
	"strconv"
	"syscall"
	"unsafe"
)

// Socket is socket(2), close-on-exec.
func Socket(domain, typ, proto int) (*FD, error) {
	n, errno := quick(syscall.SYS_SOCKET, uintptr(domain), uintptr(typ|syscall.SOCK_CLOEXEC), uintptr(proto), 0, 0, 0)
	return opened(n, errno, "socket", "")
}

// Socketpair makes two connected unix sockets, close-on-exec.
func Socketpair(typ int) (a, b *FD, err error) {
	p, e := syscall.Socketpair(syscall.AF_UNIX, typ|syscall.SOCK_CLOEXEC, 0)
	if e != nil {
		return nil, nil, wrap("socketpair", "", e)
	}
	return Own(p[0]), Own(p[1]), nil
}

// Accept4 is accept4(2), close-on-exec. It waits.
func Accept4(fd int) (*FD, error) {
	n, errno := slow(syscall.SYS_ACCEPT4, uintptr(fd), 0, 0, syscall.SOCK_CLOEXEC, 0, 0)
	return made(n, errno, "accept4", fd)
}

// ConnectUnix connects the socket fd to the unix socket at path (at most 107 bytes).
func ConnectUnix(fd int, path string) error {
	return wrap("connect", path, retry(func() error { return syscall.Connect(fd, &syscall.SockaddrUnix{Name: path}) }))
}

// SendFDs sends b with descriptors as SCM_RIGHTS, without SIGPIPE. It may send less than all of b; the
// descriptors go with the first byte.
func SendFDs(fd int, b []byte, fds []int) (int, error) {
	iov := syscall.Iovec{}
	if len(b) > 0 {
		iov.Base = &b[0]
		iov.SetLen(len(b))
	}
	msg := syscall.Msghdr{Iov: &iov, Iovlen: 1}
	if len(fds) > 0 {
		oob := syscall.UnixRights(fds...)
		msg.Control = &oob[0]
		msg.SetControllen(len(oob))
	}
	n, errno := slow(syscall.SYS_SENDMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), syscall.MSG_NOSIGNAL, 0, 0, 0)
	return int(n), fail("sendmsg", strconv.Itoa(fd), errno)
}

// Send is send(2) of b without SIGPIPE, once, and allocates nothing: for the moment before execve.
func Send(fd int, b []byte) syscall.Errno {
	_, _, errno := syscall.RawSyscall6(syscall.SYS_SENDTO, uintptr(fd), uintptr(addr(b)), uintptr(len(b)), syscall.MSG_NOSIGNAL, 0, 0)
	return errno
}

// SendAll sends all of b, descriptors with its first byte.
func SendAll(fd int, b []byte, fds []int) error {
	for len(b) > 0 {
		n, err := SendFDs(fd, b, fds)
		if err != nil {
			return err
		}
		b, fds = b[n:], nil
	}
	return nil
}

// RecvFDs receives into b; descriptors that come with it (maxFDs at most) are close-on-exec. n is 0 at
// the end of the stream. When the kernel had to drop descriptors it is an error, and those that came are
// closed.
func RecvFDs(fd int, b []byte, maxFDs int) (n int, fds []*FD, err error) {
	iov := syscall.Iovec{}
	if len(b) > 0 {
		iov.Base = &b[0]
		iov.SetLen(len(b))
	}
	oob := make([]byte, syscall.CmsgSpace(4*maxFDs))
	msg := syscall.Msghdr{Iov: &iov, Iovlen: 1}
	msg.Control = &oob[0]
	msg.SetControllen(len(oob))
	r, errno := slow(syscall.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&msg)), syscall.MSG_CMSG_CLOEXEC, 0, 0, 0)
	if errno != 0 {
		return 0, nil, fail("recvmsg", strconv.Itoa(fd), errno)
	}
	fds, ok := rights(oob[:msg.Controllen])
	if !ok || msg.Flags&syscall.MSG_CTRUNC != 0 {
		for _, f := range fds {
			f.Close()
		}
		return 0, nil, &Error{Op: "recvmsg", Object: strconv.Itoa(fd), Note: "descriptors were lost (too few allowed)"}
	}
	return int(r), fds, nil
}

func rights(oob []byte) ([]*FD, bool) {
	if len(oob) == 0 {
		return nil, true
	}
	msgs, err := syscall.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, false
	}
	var fds []*FD
	for i := range msgs {
		if msgs[i].Header.Type != syscall.SCM_RIGHTS {
			continue
		}
		nums, err := syscall.ParseUnixRights(&msgs[i])
		if err != nil {
			return fds, false
		}
		for _, n := range nums {
			fds = append(fds, Own(n))
		}
	}
	return fds, true
}
