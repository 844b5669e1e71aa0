package systemd

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"
)

// Property is a unit property as StartTransientUnit takes it.
type Property struct {
	Name  string
	Value dbus.Variant
}

func prop(name string, value any) Property { return Property{name, dbus.MakeVariant(value)} }

// infinity is systemd's "no limit".
const infinity uint64 = math.MaxUint64

func bytesOf(v int64) uint64 {
	if v < 0 {
		return infinity
	}
	return uint64(v)
}

// annotationPrefix marks annotations that name a unit property; the value is
// GVariant text (https://docs.gtk.org/glib/gvariant-text-format.html).
const annotationPrefix = "org.systemd.property."

// Annotated returns the properties in annotations, in the order of their
// names. NAMESec, in seconds, becomes the NAMEUSec that D-Bus has.
func Annotated(annotations map[string]string) ([]Property, error) {
	var list []Property
	for key, text := range annotations {
		name, ok := strings.CutPrefix(key, annotationPrefix)
		if !ok {
			continue
		}
		p, err := annotated(name, text)
		if err != nil {
			return nil, fmt.Errorf("annotations[%q]: %w", key, err)
		}
		list = append(list, p)
	}
	slices.SortFunc(list, func(a, b Property) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

func annotated(name, text string) (Property, error) {
	if len(name) < 3 || strings.IndexFunc(name, notLetter) >= 0 {
		return Property{}, fmt.Errorf("%q is not a property name", name)
	}
	v, err := dbus.ParseVariant(text, dbus.Signature{})
	if err != nil {
		return Property{}, fmt.Errorf("value %q: %w", text, err)
	}
	if base, ok := strings.CutSuffix(name, "Sec"); ok && !strings.HasSuffix(name, "USec") {
		usec, err := microseconds(v)
		if err != nil {
			return Property{}, err
		}
		return prop(base+"USec", usec), nil
	}
	return Property{name, v}, nil
}

func notLetter(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') }

// microseconds converts a number of seconds of whatever type.
func microseconds(v dbus.Variant) (uint64, error) {
	var sec float64
	switch n := v.Value().(type) {
	case float64:
		sec = n
	case int16:
		sec = float64(n)
	case uint16:
		sec = float64(n)
	case int32:
		sec = float64(n)
	case uint32:
		sec = float64(n)
	case int64:
		sec = float64(n)
	case uint64:
		if n > infinity/1000000 {
			return infinity, nil
		}
		return n * 1000000, nil
	default:
		return 0, fmt.Errorf("value %s is not a number of seconds", v)
	}
	usec := sec * 1000000
	if math.IsNaN(usec) || usec < 0 || usec >= math.MaxInt64 {
		return 0, fmt.Errorf("value %s is not a number of seconds", v)
	}
	return uint64(math.Round(usec)), nil
}

// bitmap turns a list such as "0-3,7" into the little-endian bit array of
// AllowedCPUs and AllowedMemoryNodes.
func bitmap(list []uint16) []byte {
	if len(list) == 0 {
		return nil
	}
	bits := make([]byte, slices.Max(list)/8+1)
	for _, n := range list {
		bits[n/8] |= 1 << (n % 8)
	}
	return bits
}

func parseNumber(s string) (uint64, error) {
	if s == "max" {
		return infinity, nil
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a number", s)
	}
	return v, nil
}
