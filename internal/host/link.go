package host

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"

	"golang.org/x/sys/unix"
)

// link is a network interface.
type link struct {
	index int32
	name  string
	up    bool
}

// linkByName finds an interface; ENODEV when there is none.
func (n *rtnl) linkByName(name string) (link, error) {
	m := linkMessage(unix.RTM_GETLINK, unix.NLM_F_ACK, 0, 0, 0).attrString(unix.IFLA_IFNAME, name)
	rs, err := n.ask(m)
	if err != nil {
		return link{}, err
	}
	ls, err := parseLinks(rs)
	if err == nil && len(ls) == 0 {
		err = unix.ENODEV
	}
	if err != nil {
		return link{}, err
	}
	return ls[0], nil
}

func (n *rtnl) links() ([]link, error) {
	rs, err := n.ask(linkMessage(unix.RTM_GETLINK, unix.NLM_F_DUMP, 0, 0, 0))
	if err != nil {
		return nil, err
	}
	return parseLinks(rs)
}

func parseLinks(rs []reply) ([]link, error) {
	var ls []link
	for _, r := range rs {
		if r.kind != unix.RTM_NEWLINK {
			continue
		}
		if len(r.data) < unix.SizeofIfInfomsg {
			return nil, errNetlink
		}
		l := link{
			index: int32(binary.NativeEndian.Uint32(r.data[4:])),
			up:    binary.NativeEndian.Uint32(r.data[8:])&unix.IFF_UP != 0,
		}
		err := parseAttrs(r.data[unix.SizeofIfInfomsg:], func(kind uint16, v []byte) {
			if kind == unix.IFLA_IFNAME {
				l.name = cstring(v)
			}
		})
		if err != nil {
			return nil, err
		}
		ls = append(ls, l)
	}
	return ls, nil
}

// setUp sets an interface up or down.
func (n *rtnl) setUp(index int32, up bool) error {
	var flags uint32
	if up {
		flags = unix.IFF_UP
	}
	_, err := n.ask(linkMessage(unix.RTM_NEWLINK, unix.NLM_F_ACK, index, flags, unix.IFF_UP))
	return err
}

// sendTo moves an interface to the network namespace ns, where it gets the index newIndex and, with
// a name other than "", that name; the same message takes it down.
func (n *rtnl) sendTo(index int32, ns int, name string, newIndex int32) error {
	m := linkMessage(unix.RTM_NEWLINK, unix.NLM_F_ACK, index, 0, unix.IFF_UP)
	m = m.attr32(unix.IFLA_NET_NS_FD, uint32(ns)).attr32(unix.IFLA_NEW_IFINDEX, uint32(newIndex))
	if name != "" {
		m = m.attrString(unix.IFLA_IFNAME, name)
	}
	_, err := n.ask(m)
	return err
}

// address is one that an interface had, as an attribute list for RTM_NEWADDR.
type address struct {
	family, prefix, scope byte
	attrs                 []attribute
}

type attribute struct {
	kind  uint16
	value []byte
}

// addresses lists the addresses of an interface that the specification wants kept: permanent ones of
// global scope, of any family.
func (n *rtnl) addresses(index int32) ([]address, error) {
	m := newMessage(unix.RTM_GETADDR, unix.NLM_F_DUMP)
	m = append(m, unix.AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0)
	rs, err := n.ask(m)
	if err != nil {
		return nil, err
	}
	var as []address
	for _, r := range rs {
		a, of, err := parseAddress(r)
		if err != nil {
			return nil, err
		}
		if a != nil && of == index {
			as = append(as, *a)
		}
	}
	return as, nil
}

// parseAddress is nil for an address that is not to be kept.
func parseAddress(r reply) (a *address, index int32, err error) {
	if r.kind != unix.RTM_NEWADDR {
		return nil, 0, nil
	}
	if len(r.data) < unix.SizeofIfAddrmsg {
		return nil, 0, errNetlink
	}
	a = &address{family: r.data[0], prefix: r.data[1], scope: r.data[3]}
	index = int32(binary.NativeEndian.Uint32(r.data[4:]))
	flags := uint32(r.data[2])
	err = parseAttrs(r.data[unix.SizeofIfAddrmsg:], func(kind uint16, v []byte) {
		switch kind {
		case unix.IFA_FLAGS:
			if len(v) == 4 {
				flags = binary.NativeEndian.Uint32(v)
			}
		case unix.IFA_ADDRESS, unix.IFA_LOCAL, unix.IFA_BROADCAST, unix.IFA_LABEL, unix.IFA_RT_PRIORITY:
			a.attrs = append(a.attrs, attribute{kind, v})
		}
	})
	if err != nil || flags&unix.IFA_F_PERMANENT == 0 || a.scope != unix.RT_SCOPE_UNIVERSE {
		return nil, 0, err
	}
	// The flags that a user chooses; the kernel finds the others itself.
	const chosen = unix.IFA_F_NODAD | unix.IFA_F_HOMEADDRESS | unix.IFA_F_MANAGETEMPADDR |
		unix.IFA_F_NOPREFIXROUTE | unix.IFA_F_MCAUTOJOIN
	if f := flags & chosen; f != 0 {
		a.attrs = append(a.attrs, attribute{unix.IFA_FLAGS, binary.NativeEndian.AppendUint32(nil, f)})
	}
	return a, index, nil
}

// addAddress gives an interface an address again. was and is are its names: the label of an IPv4
// address begins with the name.
func (n *rtnl) addAddress(index int32, a address, was, is string) error {
	m := newMessage(unix.RTM_NEWADDR, unix.NLM_F_ACK|unix.NLM_F_CREATE|unix.NLM_F_EXCL)
	m = append(m, a.family, a.prefix, 0, a.scope)
	m = binary.NativeEndian.AppendUint32(m, uint32(index))
	for _, t := range a.attrs {
		if t.kind != unix.IFA_LABEL {
			m = m.attr(t.kind, t.value)
			continue
		}
		label := is + strings.TrimPrefix(cstring(t.value), was)
		if len(label) < unix.IFNAMSIZ {
			m = m.attrString(unix.IFA_LABEL, label)
		}
	}
	_, err := n.ask(m)
	if errors.Is(err, unix.EEXIST) {
		return nil // the kernel made it itself
	}
	return err
}

func cstring(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
