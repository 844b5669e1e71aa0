package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func sysctl(key, val string) func(*specs.Spec) {
	return func(s *specs.Spec) {
		if s.Linux.Sysctl == nil {
			s.Linux.Sysctl = map[string]string{}
		}
		s.Linux.Sysctl[key] = val
	}
}

func TestSysctlIsSetInItsNamespaceOnly(t *testing.T) {
	for name, row := range map[string]struct{ key, val, file string }{
		"net":          {"net.ipv4.ip_forward", "1", "/proc/sys/net/ipv4/ip_forward"},
		"kernel ipc":   {"kernel.msgmax", "8000", "/proc/sys/kernel/msgmax"},
		"kernel sem":   {"kernel.sem", "100 32000 50 128", "/proc/sys/kernel/sem"},
		"mqueue":       {"fs.mqueue.msg_max", "7", "/proc/sys/fs/mqueue/msg_max"},
		"with slashes": {"net/ipv4/conf/all/forwarding", "1", "/proc/sys/net/ipv4/conf/all/forwarding"},
	} {
		t.Run(name, func(t *testing.T) {
			host := readFile(t, row.file)
			b := newBundle(t, args("/bin/cat", row.file), sysctl(row.key, row.val))
			if got := b.run().ok(t).out; strings.Join(strings.Fields(got), " ") != row.val {
				t.Errorf("%q", got)
			}
			if now := readFile(t, row.file); now != host {
				t.Errorf("the host's was %q, is %q", host, now)
			}
		})
	}
}

func TestSysctlDomainnameNeedsUTSNamespace(t *testing.T) {
	b := newBundle(t, args("/bin/cat", "/proc/sys/kernel/domainname"), sysctl("kernel.domainname", "by.sysctl"))
	if got := b.run().ok(t).out; got != "by.sysctl\n" {
		t.Errorf("%q", got)
	}
}

func TestSysctlOutsideTheContainersNamespacesFails(t *testing.T) {
	for name, edit := range map[string]func(*specs.Spec){
		"no namespace of its own": sysctl("vm.swappiness", "10"),
		"net without network":     func(s *specs.Spec) { dropNS("network")(s); sysctl("net.ipv4.ip_forward", "1")(s) },
		"ipc without ipc":         func(s *specs.Spec) { dropNS("ipc")(s); dropMount("/dev/mqueue")(s); sysctl("kernel.msgmax", "8000")(s) },
		"hostname":                sysctl("kernel.hostname", "x"),
		"unknown kernel one":      sysctl("kernel.no_such_thing", "1"),
		"host network by path": func(s *specs.Spec) {
			joinNS("network", fmt.Sprintf("/proc/%d/ns/net", os.Getpid()))(s)
			sysctl("net.ipv4.ip_forward", "1")(s)
		},
		"dots that leave /proc/sys": sysctl("net/../../sysrq-trigger", "b"),
	} {
		t.Run(name, func(t *testing.T) {
			if name == "dots that leave /proc/sys" {
				not(t, "runc", "differs in text")
			}
			b := newBundle(t, edit)
			b.run().fails(t, "sysctl")
			b.wantGone()
		})
	}
}

func TestSysctlWithABadValueFails(t *testing.T) {
	b := newBundle(t, sysctl("net.ipv4.ip_forward", "not a number"))
	b.run().fails(t, "invalid argument")
	b.wantGone()
}

func TestSysctlOfUnknownNetKeyFails(t *testing.T) {
	b := newBundle(t, sysctl("net.ipv4.no_such_key", "1"))
	b.run().fails(t, "no_such_key")
	b.wantGone()
}

func TestSysctlWorksWithAReadonlyProcSys(t *testing.T) {
	b := newBundle(t, args("/bin/cat", "/proc/sys/net/ipv4/ip_forward"), sysctl("net.ipv4.ip_forward", "1"), func(s *specs.Spec) {
		s.Linux.ReadonlyPaths = []string{"/proc/sys"}
	})
	if got := b.run().ok(t).out; got != "1\n" {
		t.Errorf("%q", got)
	}
}
