package cgroups

import (
	"fmt"
	"strings"
)

// ExpandSlice returns the cgroup path of a systemd slice unit, which spells
// its place in its name (systemd.slice(5)): a-b.slice is /a.slice/a-b.slice,
// and "-.slice" is "".
func ExpandSlice(slice string) (string, error) {
	name, ok := strings.CutSuffix(slice, ".slice")
	if !ok || name == "" || strings.ContainsAny(slice, "/\x00") {
		return "", fmt.Errorf("slice %q: not a slice unit name", slice)
	}
	if name == "-" {
		return "", nil
	}
	var path strings.Builder
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '-' {
			continue
		}
		if i == 0 || i == len(name) && name[i-1] == '-' || i < len(name) && name[i-1] == '-' {
			return "", fmt.Errorf("slice %q: empty part in a slice unit name", slice)
		}
		path.WriteByte('/')
		path.WriteString(name[:i])
		path.WriteString(".slice")
	}
	return path.String(), nil
}

// Unit names a systemd unit that owns a cgroup.
type Unit struct {
	// Name is the unit: NAME.scope, or NAME.slice.
	Name string `json:"name"`
	// Slice is the parent slice.
	Slice string `json:"slice"`
	// User: the unit belongs to the user's systemd instance, not the system's.
	User bool `json:"user,omitempty"`
	// Bus is the D-Bus address of that systemd; "" is the system bus.
	Bus string `json:"bus,omitempty"`
	// BusUID authenticates to Bus, as the bus counts uids; unused without Bus.
	BusUID int `json:"busUID,omitempty"`
	// Sub is the cgroup of the container below the unit's own, if it has one.
	Sub string `json:"sub,omitempty"`
}

// parseUnit splits slice:prefix:name. An empty string is the default: all
// three parts empty.
func parseUnit(cgroupsPath string) (slice, prefix, name string, err error) {
	if cgroupsPath == "" {
		return "", "", "", nil
	}
	parts := strings.Split(cgroupsPath, ":")
	if len(parts) != 3 {
		return "", "", "", fmt.Errorf("linux.cgroupsPath: %q is not slice:prefix:name", cgroupsPath)
	}
	return parts[0], parts[1], parts[2], nil
}

// unitName builds the name of the unit; a name that ends in .slice is a
// slice itself and takes no prefix.
func unitName(prefix, name string) (string, error) {
	unit := name
	if !strings.HasSuffix(name, ".slice") {
		unit = name + ".scope"
		if prefix != "" {
			unit = prefix + "-" + unit
		}
	}
	unit = escapeUnit(unit)
	if name == "" || strings.ContainsAny(unit, "/\x00") || len(unit) > 255 {
		return "", fmt.Errorf("linux.cgroupsPath: %q is not a unit name", unit)
	}
	return unit, nil
}

// escapeUnit writes characters that no unit name may have (a container ID can
// have a +) as systemd-escape(1) does.
func escapeUnit(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(`:-_.\@/`+"\x00", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}
