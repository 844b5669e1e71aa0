package devices

import "github.com/opencontainers/runtime-spec/specs-go"

// Policy is an ordered list of rules in normal form. For each operation on a
// device the last rule that mentions it decides; what none mentions is denied.
type Policy struct {
	rules []Rule
}

// builtin are the devices that every container has, whatever its rules say:
// any node may be made (it grants nothing), and the standard ones used.
func builtin() []Rule {
	dev := func(major, minor int64) Rule { return Rule{true, Char, major, minor, Full} }
	return []Rule{
		{true, Char, Any, Any, Mknod},
		{true, Block, Any, Any, Mknod},
		dev(1, 3),     // null
		dev(1, 5),     // zero
		dev(1, 7),     // full
		dev(1, 8),     // random
		dev(1, 9),     // urandom
		dev(5, 0),     // tty
		dev(136, Any), // pts
		dev(5, 2),     // ptmx
		dev(10, 200),  // net/tun
	}
}

// Compile checks the rules of linux.resources.devices and returns the policy
// of a container: deny, then the rules in order, then the standard devices.
func Compile(list []specs.LinuxDeviceCgroup) (*Policy, error) {
	rules, err := Parse(list)
	if err != nil {
		return nil, err
	}
	return New(append(rules, builtin()...)), nil
}

// New brings rules into normal form: without those that a later one hides
// and those that only repeat what the ones before say.
func New(rules []Rule) *Policy {
	p := &Policy{rules: make([]Rule, 0, len(rules))}
	for _, r := range rules {
		p.add(r)
	}
	return p
}

func (p *Policy) add(r Rule) {
	kept := p.rules[:0]
	for _, old := range p.rules {
		if !r.covers(old) {
			kept = append(kept, old)
		}
	}
	p.rules = kept
	if !p.says(r) {
		p.rules = append(p.rules, r)
	}
}

// says reports whether p without r already decides all of r as r does.
func (p *Policy) says(r Rule) bool {
	for i := len(p.rules) - 1; i >= 0; i-- {
		old := p.rules[i]
		if old.Allow == r.Allow && old.covers(r) {
			return true
		}
		if old.Allow != r.Allow && old.overlaps(r) {
			return false
		}
	}
	return !r.Allow
}

// AllowsAll reports whether the policy restricts nothing.
func (p *Policy) AllowsAll() bool {
	return len(p.rules) == 1 && p.rules[0] == Rule{true, All, Any, Any, Full}
}

// Rules returns a copy of the normal form.
func (p *Policy) Rules() []Rule { return append([]Rule(nil), p.rules...) }

// Allowed reports whether an operation, or several at once, on one device
// (a single Type, no Any) is allowed: each of them must be. No operation at
// all is allowed on a device that some rule allows anything on.
func (p *Policy) Allowed(t Type, major, minor uint32, a Access) bool {
	dev := Rule{Type: t, Major: int64(major), Minor: int64(minor)}
	for i := len(p.rules) - 1; i >= 0; i-- {
		r := p.rules[i]
		switch {
		case !r.coversDevices(dev):
		case r.Access == Full:
			return r.Allow
		case r.Allow:
			if a &^= r.Access; a == 0 {
				return true
			}
		case a&r.Access != 0:
			return false
		}
	}
	return false
}
