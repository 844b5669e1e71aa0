package plan

import (
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/internal/spec"
	"tare/internal/step"
)

const sysAdmin = uint64(1) << unix.CAP_SYS_ADMIN

// capSets are the five sets of capabilities(7) as bit masks.
type capSets struct{ bounding, effective, permitted, inheritable, ambient uint64 }

func (c *capSets) step() *step.Caps {
	return &step.Caps{Effective: c.effective, Permitted: c.permitted, Inheritable: c.inheritable, Ambient: c.ambient,
		Place: step.At("process.capabilities")}
}

// capabilities reads process.capabilities. A name that the kernel does not know is a warning; without
// the section there are none.
func (b *builder) capabilities(p *specs.Process) capSets {
	var c capSets
	if p.Capabilities == nil {
		return c
	}
	known := ^uint64(0)
	if b.f.LastCap < 63 {
		known = 1<<(b.f.LastCap+1) - 1
	}
	read := func(set string, names []string) uint64 {
		mask, unknown := spec.CapabilityMask(names)
		if gone := mask &^ known; gone != 0 {
			for n := range uint(64) {
				if gone&(1<<n) != 0 {
					unknown = append(unknown, step.CapName(n))
				}
			}
		}
		for _, name := range unknown {
			b.warn("process.capabilities.%s: unknown capability %q is ignored", set, name)
		}
		return mask & known
	}
	c.bounding = read("bounding", p.Capabilities.Bounding)
	c.effective = read("effective", p.Capabilities.Effective)
	c.permitted = read("permitted", p.Capabilities.Permitted)
	c.inheritable = read("inheritable", p.Capabilities.Inheritable)
	c.ambient = read("ambient", p.Capabilities.Ambient)
	return c
}
