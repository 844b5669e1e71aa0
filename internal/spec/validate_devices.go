package spec

import (
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// The kernel's dev_t has 12 bits for the major and 20 for the minor number.
const (
	maxMajor = 1<<12 - 1
	maxMinor = 1<<20 - 1
)

func (c *checker) devices(at *node, list []specs.LinuxDevice) {
	byPath := make(map[string]int, len(list))
	for i := range list {
		d := &list[i]
		c.device(at.at(i), d)
		clean := path.Clean(d.Path)
		first, dup := byPath[clean]
		switch {
		case !dup:
			byPath[clean] = i
		case sameNode(d, &list[first]):
			c.warn(at.at(i).field("path"), d.Path, "given twice")
		default:
			c.fail(at.at(i).field("path"), d.Path, "is another device in entry "+strconv.Itoa(first))
		}
	}
}

// sameNode tells whether two entries for one path ask for the same file.
func sameNode(a, b *specs.LinuxDevice) bool {
	return DeviceType(a.Type) == DeviceType(b.Type) && a.Major == b.Major && a.Minor == b.Minor &&
		equal(a.FileMode, b.FileMode) && equal(a.UID, b.UID) && equal(a.GID, b.GID)
}

func equal[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// DeviceType gives the letter that mknod(1) means by a type: 'c' (also for u,
// the unbuffered character device), 'b' or 'p'; 0 if it is unknown.
func DeviceType(t string) byte {
	switch t {
	case "c", "u":
		return 'c'
	case "b", "p":
		return t[0]
	}
	return 0
}

// DeviceMode gives the permission bits of a device entry's fileMode, 0666 if
// there is none. Other bits, which tools copy from stat(2), are dropped.
func DeviceMode(mode *os.FileMode) uint32 {
	if mode == nil {
		return 0o666
	}
	return uint32(*mode) & 0o7777
}

func (c *checker) device(at *node, d *specs.LinuxDevice) {
	c.absolute(at.field("path"), d.Path)
	kind := DeviceType(d.Type)
	if kind == 0 {
		c.fail(at.field("type"), d.Type, "unknown device type (c, u, b or p)")
	}
	if kind != 'p' {
		c.deviceNumber(at.field("major"), d.Major, 0, maxMajor)
		c.deviceNumber(at.field("minor"), d.Minor, 0, maxMinor)
	}
	if d.UID != nil {
		c.id(at.field("uid"), *d.UID)
	}
	if d.GID != nil {
		c.id(at.field("gid"), *d.GID)
	}
}

func (c *checker) deviceNumber(at *node, n, least, most int64) {
	if n < least || n > most {
		c.fail(at, itoa(n), "not in "+itoa(least)+".."+itoa(most))
	}
}

// netDevices checks the devices to be moved in; that they exist is the host's
// matter.
func (c *checker) netDevices(at *node, s *specs.Spec) {
	devices := s.Linux.NetDevices
	if len(devices) == 0 {
		return
	}
	if !has(s, specs.NetworkNamespace) {
		c.fail(at, "", "needs a network namespace entry")
	}
	if c.opts.Rootless {
		c.fail(at, "", "an unprivileged user cannot move network devices")
	}
	targets := make(map[string]string, len(devices))
	for _, host := range keys(devices) {
		if reason := interfaceName(host); reason != "" {
			c.fail(at, host, reason)
		}
		name := devices[host].Name
		if name == "" {
			name = host
		} else if reason := interfaceTemplate(name); reason != "" {
			c.fail(at.entry(host).field("name"), name, reason)
		}
		if other, dup := targets[name]; dup && !strings.Contains(name, "%") {
			c.fail(at.entry(host).field("name"), name, "is the name of "+strconv.Quote(other)+" too")
		}
		targets[name] = host
	}
}

// interfaceName applies the kernel's dev_valid_name and returns what is wrong.
func interfaceName(name string) string {
	switch {
	case name == "":
		return "network device without a name"
	case len(name) > 15:
		return "network device name longer than 15 bytes"
	case name == "." || name == "..":
		return "not a network device name"
	}
	for _, b := range []byte(name) {
		if b == '/' || b == ':' || b == ' ' || b == 0 || '\t' <= b && b <= '\r' || b == 0xa0 {
			return "network device name with a slash, colon, blank or NUL byte"
		}
	}
	return ""
}

// interfaceTemplate also admits one %d, which the kernel replaces by the first
// free number.
func interfaceTemplate(name string) string {
	if reason := interfaceName(name); reason != "" {
		return reason
	}
	if n := strings.Count(name, "%"); n > 1 || n == 1 && !strings.Contains(name, "%d") {
		return "template other than one %d"
	}
	return ""
}
