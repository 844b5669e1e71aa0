package host

import (
	"errors"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"

	"tare/internal/step"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// inNamespaces runs f on a thread of its own in a new network namespace, the "host", with the
// descriptor of a second one, the "container".
func inNamespaces(t *testing.T, f func(t *testing.T, container int)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("network namespaces need root")
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends here
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Errorf("unshare CLONE_NEWNET: %v", err)
			return
		}
		container, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			t.Error(err)
			return
		}
		defer container.Close()
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		f(t, int(container.Fd()))
	}()
	<-done
}

func veth(t *testing.T, name, peer string, addrs ...string) {
	la := netlink.NewLinkAttrs()
	la.Name, la.MTU = name, 1400
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: la, PeerName: peer}); err != nil {
		t.Error(err)
		return
	}
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		addr, err := netlink.ParseAddr(a)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(a, "10.9.") { // one that is not to be kept
			addr.Scope = unix.RT_SCOPE_LINK
		}
		if strings.HasPrefix(a, "10.8.") {
			addr.ValidLft, addr.PreferedLft = 1000, 1000
		}
		if err := netlink.AddrAdd(l, addr); err != nil {
			t.Fatal(err)
		}
	}
	if err := netlink.LinkSetUp(l); err != nil {
		t.Fatal(err)
	}
}

// look describes an interface as the library sees it in the namespace ns.
func look(t *testing.T, ns int, name string) (netlink.Link, []string) {
	t.Helper()
	type result struct {
		l   netlink.Link
		as  []string
		err error
	}
	c := make(chan result)
	go func() {
		runtime.LockOSThread()
		var r result
		if r.err = unix.Setns(ns, unix.CLONE_NEWNET); r.err == nil {
			r.l, r.err = netlink.LinkByName(name)
		}
		var as []netlink.Addr
		if r.err == nil {
			as, r.err = netlink.AddrList(r.l, netlink.FAMILY_ALL)
		}
		for _, a := range as {
			if a.Scope == unix.RT_SCOPE_UNIVERSE {
				r.as = append(r.as, a.IPNet.String()+" "+a.Label)
			}
		}
		c <- r
	}()
	r := <-c
	if r.err != nil {
		t.Errorf("%s: %v", name, r.err)
		return nil, nil
	}
	return r.l, r.as
}

func here(t *testing.T) int {
	f, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return int(f.Fd())
}

func TestNetDevice(t *testing.T) {
	t.Parallel()
	inNamespaces(t, func(t *testing.T, container int) {
		veth(t, "tare0", "peer0", "10.1.2.3/24", "10.9.0.1/24", "10.8.0.1/24", "fd00::5/64")
		was, _ := look(t, here(t), "tare0")
		undo, name, err := NetDevice(container, &step.NetDevice{Host: "tare0", Name: "eth7"})
		if err != nil || name != "eth7" {
			t.Errorf("%q, %v", name, err)
			return
		}
		l, as := look(t, container, "eth7")
		if l == nil {
			return
		}
		if l.Attrs().Flags&net.FlagUp == 0 || l.Attrs().MTU != 1400 ||
			l.Attrs().HardwareAddr.String() != was.Attrs().HardwareAddr.String() {
			t.Errorf("%+v; was %+v", l.Attrs(), was.Attrs())
		}
		if got := strings.Join(as, ", "); got != "10.1.2.3/24 eth7, fd00::5/64 " {
			t.Errorf("addresses %q", got)
		}
		if _, err := netlink.LinkByName("tare0"); err == nil {
			t.Error("it is still on the host")
		}
		if err := undo(); err != nil {
			t.Error(err)
		}
		l, as = look(t, here(t), "tare0")
		if l == nil {
			return
		}
		if got := strings.Join(as, ", "); got != "10.1.2.3/24 tare0, fd00::5/64 " || l.Attrs().Flags&net.FlagUp == 0 {
			t.Errorf("back: %q, %v", got, l.Attrs().Flags)
		}
	})
}

func TestNetDeviceNames(t *testing.T) {
	t.Parallel()
	inNamespaces(t, func(t *testing.T, container int) {
		// The second one's index is taken in the container's namespace by the first's peer.
		for i, tt := range []struct{ host, name, want, err string }{
			{"a0", "", "a0", ""},
			{"a1", "eth%d", "eth0", ""},
			{"a2", "eth%d", "eth1", ""},
			{"a3", "a0", "", `interface "a3": name "a0" in the container's network namespace: file exists`},
			{"a4", "lo", "", "file exists"},
			{"a5", "much-too-long-a-name", "", "move as"},
		} {
			veth(t, tt.host, "p"+tt.host)
			_, name, err := NetDevice(container, &step.NetDevice{Host: tt.host, Name: tt.name})
			if name != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%d: %q, %v", i, name, err)
			}
			if err == nil {
				look(t, container, tt.want)
				continue
			}
			if _, err := netlink.LinkByName(tt.host); err != nil {
				t.Errorf("after the error %s is gone: %v", tt.host, err)
			}
		}
		_, _, err := NetDevice(container, &step.NetDevice{Host: "none"})
		if !errors.Is(err, unix.ENODEV) || !strings.Contains(err.Error(), `interface "none"`) {
			t.Error(err)
		}
	})
}

func TestNetDeviceBadNamespace(t *testing.T) {
	t.Parallel()
	f, err := os.Open("/proc/self/ns/mnt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, _, err := NetDevice(int(f.Fd()), &step.NetDevice{Host: "lo"}); err == nil {
		t.Error("a mount namespace was taken for a network one")
	}
}

func FuzzNetlink(f *testing.F) {
	f.Add([]byte{20, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, []byte{8, 0, 3, 0, 'l', 'o', 0, 0})
	f.Fuzz(func(t *testing.T, b, attrs []byte) {
		rs, _, err := parseReplies(b, 1)
		if err == nil {
			parseLinks(rs)
		}
		data := append(make([]byte, unix.SizeofIfInfomsg), attrs...)
		parseLinks([]reply{{unix.RTM_NEWLINK, data}})
		parseAddress(reply{unix.RTM_NEWADDR, append(make([]byte, unix.SizeofIfAddrmsg), attrs...)})
	})
}
