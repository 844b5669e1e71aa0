package host

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"tare/internal/child"
)

// The few messages of rtnetlink(7) that moving an interface takes. The library for it adds 400 KB to
// the binary, which is started twice for each container.

// rtnl is a NETLINK_ROUTE socket: it belongs to the network namespace in which it was made.
type rtnl struct {
	fd  int
	seq uint32
}

// openRtnl opens a socket in the calling thread's network namespace.
func openRtnl() (*rtnl, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("socket AF_NETLINK: %w", err)
	}
	// The kernel answers at once; a bound all the same, for every wait has one.
	tv := unix.Timeval{Sec: 10}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &tv); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("setsockopt SO_RCVTIMEO: %w", err)
	}
	return &rtnl{fd: fd}, nil
}

// openRtnlIn opens a socket in the network namespace ns. The thread that goes there never comes back.
func openRtnlIn(ns int) (*rtnl, error) {
	var n *rtnl
	var err error
	child.OnOwnThread(func() {
		if e := unix.Setns(ns, unix.CLONE_NEWNET); e != nil {
			err = fmt.Errorf("setns CLONE_NEWNET: %w", e)
			return
		}
		n, err = openRtnl()
	})
	return n, err
}

func (n *rtnl) close() {
	if n != nil {
		unix.Close(n.fd)
	}
}

// message is a request under construction; its lengths are filled in when it is sent.
type message []byte

func newMessage(kind, flags uint16) message {
	m := make(message, unix.SizeofNlMsghdr, 256)
	binary.NativeEndian.PutUint16(m[4:], kind)
	binary.NativeEndian.PutUint16(m[6:], flags|unix.NLM_F_REQUEST)
	return m
}

// linkMessage begins a message about the interface index, of which the flags in change get the values
// in flags.
func linkMessage(kind, nlFlags uint16, index int32, flags, change uint32) message {
	m := newMessage(kind, nlFlags)
	m = append(m, unix.AF_UNSPEC, 0, 0, 0) // family, pad, type
	m = binary.NativeEndian.AppendUint32(m, uint32(index))
	m = binary.NativeEndian.AppendUint32(m, flags)
	return binary.NativeEndian.AppendUint32(m, change)
}

func (m message) attr(kind uint16, value []byte) message {
	m = binary.NativeEndian.AppendUint16(m, uint16(unix.SizeofRtAttr+len(value)))
	m = binary.NativeEndian.AppendUint16(m, kind)
	m = append(m, value...)
	for len(m)%unix.RTA_ALIGNTO != 0 {
		m = append(m, 0)
	}
	return m
}

func (m message) attr32(kind uint16, v uint32) message {
	return m.attr(kind, binary.NativeEndian.AppendUint32(nil, v))
}

func (m message) attrString(kind uint16, s string) message {
	return m.attr(kind, append([]byte(s), 0))
}

// reply is the payload of an answer, with the type of its message.
type reply struct {
	kind uint16
	data []byte
}

// ask sends m and gathers the answers until the kernel says that it is done.
func (n *rtnl) ask(m message) ([]reply, error) {
	n.seq++
	binary.NativeEndian.PutUint32(m, uint32(len(m)))
	binary.NativeEndian.PutUint32(m[8:], n.seq)
	if err := unix.Sendto(n.fd, m, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	var all []reply
	buf := make([]byte, 64<<10)
	for {
		k, from, err := unix.Recvfrom(n.fd, buf, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if sa, ok := from.(*unix.SockaddrNetlink); !ok || sa.Pid != 0 {
			continue // not the kernel
		}
		got, done, err := parseReplies(buf[:k], n.seq)
		if err != nil {
			return nil, err
		}
		all = append(all, got...)
		if done {
			return all, nil
		}
	}
}

var errNetlink = errors.New("answer of rtnetlink: malformed")

// parseReplies takes a datagram apart. done: an acknowledgement or the end of a dump was in it.
func parseReplies(b []byte, seq uint32) (all []reply, done bool, err error) {
	for len(b) > 0 {
		if len(b) < unix.SizeofNlMsghdr {
			return nil, false, errNetlink
		}
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return nil, false, errNetlink
		}
		data := b[unix.SizeofNlMsghdr:size]
		kind := binary.NativeEndian.Uint16(b[4:])
		if binary.NativeEndian.Uint32(b[8:]) == seq {
			switch kind {
			case unix.NLMSG_ERROR, unix.NLMSG_DONE:
				return all, true, ackError(kind, data)
			default:
				all = append(all, reply{kind, append([]byte(nil), data...)})
			}
		}
		b = b[min(align4(size), len(b)):]
	}
	return all, false, nil
}

// ackError is the errno, negative, that an acknowledgement begins with.
func ackError(kind uint16, data []byte) error {
	if len(data) < 4 {
		if kind == unix.NLMSG_DONE {
			return nil
		}
		return errNetlink
	}
	if e := int32(binary.NativeEndian.Uint32(data)); e < 0 {
		return unix.Errno(-e)
	}
	return nil
}

// parseAttrs calls each for every attribute.
func parseAttrs(b []byte, each func(kind uint16, value []byte)) error {
	for len(b) >= unix.SizeofRtAttr {
		size := int(binary.NativeEndian.Uint16(b))
		if size < unix.SizeofRtAttr || size > len(b) {
			return errNetlink
		}
		each(binary.NativeEndian.Uint16(b[2:])&^uint16(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), b[unix.SizeofRtAttr:size])
		b = b[min(align4(size), len(b)):]
	}
	return nil
}

func align4(n int) int { return (n + 3) &^ 3 }
