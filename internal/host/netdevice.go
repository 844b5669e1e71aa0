package host

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"tare/internal/step"

	"golang.org/x/sys/unix"
)

// Undo takes an effect on the host back. It is called when a create fails, never later.
type Undo func() error

// NetDevice moves a network interface of the caller's network namespace into the one of the
// descriptor netns, keeps its permanent addresses of global scope, and sets it up
// (config-linux.md, Network Devices). A name with %d gets a number. The second result is the name that
// it has now. netns is borrowed until Undo was called or is not needed any more.
func NetDevice(netns int, s *step.NetDevice) (Undo, string, error) {
	here, hereNS, err := openHere()
	if err != nil {
		return nil, "", err
	}
	defer here.close()
	defer hereNS.Close()
	there, err := openRtnlIn(netns)
	if err != nil {
		return nil, "", err
	}
	defer there.close()
	m := &mover{from: here, to: there, ns: netns, host: s.Host}
	m.link, err = here.linkByName(s.Host)
	if err == nil {
		err = m.move(s.Name)
	}
	if err == nil {
		return m.back, m.now.name, nil
	}
	err = fmt.Errorf("interface %q: %w", s.Host, err)
	if m.now.index != 0 {
		err = errors.Join(err, m.back())
	}
	return nil, "", err
}

// openHere opens a socket in the caller's network namespace, and the namespace itself.
func openHere() (*rtnl, *os.File, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	n, err := openRtnl()
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		n.close()
		return nil, nil, err
	}
	return n, f, nil
}

// mover moves one interface.
type mover struct {
	from, to *rtnl
	ns       int // namespace of to
	host     string
	link     link // as it was
	addrs    []address
	now      link // as it is in the other namespace; index 0 while it is not there
}

// move carries out all of it; when it fails, now tells whether the interface has moved.
func (m *mover) move(name string) error {
	var err error
	if m.addrs, err = m.from.addresses(m.link.index); err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	if name == "" {
		name = m.link.name
	}
	index, err := m.freeIndex(name)
	if err != nil {
		return err
	}
	if err := m.from.sendTo(m.link.index, m.ns, name, index); err != nil {
		m.find(index)
		return fmt.Errorf("move as %q: %w", name, err)
	}
	if err := m.find(index); err != nil {
		return err
	}
	for _, a := range m.addrs {
		if err := m.to.addAddress(index, a, m.link.name, m.now.name); err != nil {
			return fmt.Errorf("restore address: %w", err)
		}
	}
	if err := m.to.setUp(index, true); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	return nil
}

// freeIndex chooses an index in the other namespace, the present one if it can be: by it the interface
// is known there, whatever name it gets. A name that is taken is an error now, since the kernel
// would see it only after the move.
func (m *mover) freeIndex(name string) (int32, error) {
	ls, err := m.to.links()
	if err != nil {
		return 0, fmt.Errorf("list the container's interfaces: %w", err)
	}
	index, highest := m.link.index, int32(0)
	for _, l := range ls {
		if l.name == name && !strings.Contains(name, "%d") {
			return 0, fmt.Errorf("name %q in the container's network namespace: %w", name, unix.EEXIST)
		}
		highest = max(highest, l.index)
		if l.index == m.link.index {
			index = 0
		}
	}
	if index == 0 {
		index = highest + 1
	}
	return index, nil
}

// find looks at the interface in the other namespace.
func (m *mover) find(index int32) error {
	ls, err := m.to.links()
	if err != nil {
		return fmt.Errorf("list the container's interfaces: %w", err)
	}
	for _, l := range ls {
		if l.index == index {
			m.now = l
			return nil
		}
	}
	return fmt.Errorf("interface %d: %w", index, unix.ENODEV)
}

// back undoes a move that came as far as now tells. It goes to the caller's network namespace, which is
// the one that move came from.
func (m *mover) back() error {
	err := m.tryBack()
	if err != nil {
		return fmt.Errorf("move interface %q back: %w", m.host, err)
	}
	return nil
}

func (m *mover) tryBack() error {
	here, hereNS, err := openHere()
	if err != nil {
		return err
	}
	defer here.close()
	defer hereNS.Close()
	there, err := openRtnlIn(m.ns)
	if err != nil {
		return err
	}
	defer there.close()
	r := mover{from: there, to: here, ns: int(hereNS.Fd()), link: m.now}
	index, err := r.freeIndex(m.host)
	if err != nil {
		return err
	}
	if err := there.sendTo(m.now.index, r.ns, m.host, index); err != nil {
		return err
	}
	for _, a := range m.addrs {
		if err := here.addAddress(index, a, m.link.name, m.host); err != nil {
			return err
		}
	}
	if m.link.up {
		return here.setUp(index, true)
	}
	return nil
}
