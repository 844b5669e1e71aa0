// Package devices turns the device rules of linux.resources into what the
// kernel enforces: entries of the v1 devices controller, or an eBPF program
// attached to a cgroup2 directory.
package devices

import (
	"fmt"
	"math"
	"strconv"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Type of a device, with the numbers that the kernel gives to eBPF programs.
type Type uint8

const (
	// Block device.
	Block Type = 1
	// Char device.
	Char Type = 2
	// All devices, block and char.
	All = Block | Char
)

// Access is a set of operations on a device, with the kernel's numbers.
type Access uint8

const (
	// Mknod creates the node.
	Mknod Access = 1
	// Read opens for reading.
	Read Access = 2
	// Write opens for writing.
	Write Access = 4
	// Full is all three.
	Full = Mknod | Read | Write
)

// Any stands for every major or minor number.
const Any int64 = -1

// Rule allows or denies some operations on some devices.
type Rule struct {
	Allow        bool
	Type         Type
	Major, Minor int64 // 0 to 2³²-1, or Any
	Access       Access
}

// covers reports whether every (device, operation) of o is one of r.
func (r Rule) covers(o Rule) bool {
	return r.Access&o.Access == o.Access && r.coversDevices(o)
}

func (r Rule) coversDevices(o Rule) bool {
	return r.Type&o.Type == o.Type &&
		(r.Major == Any || r.Major == o.Major) && (r.Minor == Any || r.Minor == o.Minor)
}

// overlaps reports whether r and o have a (device, operation) in common.
func (r Rule) overlaps(o Rule) bool { return r.Access&o.Access != 0 && r.overlapsDevices(o) }

func (r Rule) overlapsDevices(o Rule) bool {
	return r.Type&o.Type != 0 &&
		(r.Major == Any || o.Major == Any || r.Major == o.Major) &&
		(r.Minor == Any || o.Minor == Any || r.Minor == o.Minor)
}

// String writes the rule as devices.allow takes it: "c 1:3 rwm".
func (r Rule) String() string {
	b := append(make([]byte, 0, 24), r.typeByte(), ' ')
	b = append(appendNumber(b, r.Major), ':')
	b = append(appendNumber(b, r.Minor), ' ')
	for _, a := range []struct {
		bit Access
		c   byte
	}{{Read, 'r'}, {Write, 'w'}, {Mknod, 'm'}} {
		if r.Access&a.bit != 0 {
			b = append(b, a.c)
		}
	}
	return string(b)
}

func (r Rule) typeByte() byte {
	switch r.Type {
	case Block:
		return 'b'
	case Char:
		return 'c'
	}
	return 'a'
}

func appendNumber(b []byte, n int64) []byte {
	if n == Any {
		return append(b, '*')
	}
	return strconv.AppendInt(b, n, 10)
}

// Parse checks the rules of linux.resources.devices. What a rule leaves out
// means all: type, major, minor (config-linux.md, "Allowed Device list"), and
// an access is never empty.
func Parse(list []specs.LinuxDeviceCgroup) ([]Rule, error) {
	rules := make([]Rule, 0, len(list))
	for i, d := range list {
		r, err := parseRule(d)
		if err != nil {
			return nil, fmt.Errorf("linux.resources.devices[%d].%w", i, err)
		}
		rules = append(rules, r)
	}
	return rules, nil
}

func parseRule(d specs.LinuxDeviceCgroup) (r Rule, err error) {
	r.Allow = d.Allow
	switch d.Type {
	case "", "a":
		r.Type = All
	case "b":
		r.Type = Block
	case "c":
		r.Type = Char
	default:
		return r, fmt.Errorf("type: %q is not a, b or c", d.Type)
	}
	if r.Major, err = number(d.Major); err != nil {
		return r, fmt.Errorf("major: %w", err)
	}
	if r.Minor, err = number(d.Minor); err != nil {
		return r, fmt.Errorf("minor: %w", err)
	}
	for _, c := range []byte(d.Access) {
		bit := accessBit(c)
		if bit == 0 {
			return r, fmt.Errorf("access: %q is not of r, w and m", d.Access)
		}
		r.Access |= bit
	}
	if r.Access == 0 {
		return r, fmt.Errorf("access: is empty, want some of r, w and m")
	}
	return r, nil
}

func accessBit(c byte) Access {
	switch c {
	case 'r':
		return Read
	case 'w':
		return Write
	case 'm':
		return Mknod
	}
	return 0
}

func number(n *int64) (int64, error) {
	if n == nil || *n == Any {
		return Any, nil
	}
	if *n < 0 || *n > math.MaxUint32 {
		return 0, fmt.Errorf("%d is not a device number", *n)
	}
	return *n, nil
}
