package spec

import (
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func (c *checker) intelRdt(at *node, r *specs.LinuxIntelRdt) {
	c.closID(at.field("closID"), r.ClosID)
	c.line(at.field("l3CacheSchema"), r.L3CacheSchema)
	if r.L3CacheSchema != "" && !strings.HasPrefix(r.L3CacheSchema, "L3") {
		c.warn(at.field("l3CacheSchema"), r.L3CacheSchema, "does not begin with L3:")
	}
	c.line(at.field("memBwSchema"), r.MemBwSchema)
	if r.MemBwSchema != "" && !strings.HasPrefix(r.MemBwSchema, "MB:") {
		c.fail(at.field("memBwSchema"), r.MemBwSchema, "must begin with MB:")
	}
	for i, line := range r.Schemata {
		c.line(at.field("schemata").at(i), line)
	}
}

// closID checks the name of a directory in resctrl's root; "/" alone is the
// root itself.
func (c *checker) closID(at *node, id string) {
	if id == "/" || !c.line(at, id) {
		return
	}
	switch {
	case id == "." || id == ".." || strings.Contains(id, "/"):
		c.fail(at, id, "not a directory name")
	case id == "info" || id == "mon_groups" || id == "mon_data":
		c.fail(at, id, "a name that resctrl itself uses")
	}
}
