package spec

import (
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func (c *checker) process(at *node, p *specs.Process) {
	if p.Terminal && p.ConsoleSize != nil {
		c.consoleSize(at.field("consoleSize"), p.ConsoleSize)
	}
	c.user(at.field("user"), &p.User)
	if len(p.Args) == 0 {
		c.fail(at.field("args"), "", "args must not be empty")
	}
	for i, arg := range p.Args {
		c.text(at.field("args").at(i), arg)
	}
	c.environ(at.field("env"), p.Env)
	if !strings.HasPrefix(p.Cwd, "/") {
		c.fail(at.field("cwd"), p.Cwd, "Cwd must be an absolute path")
	} else {
		c.text(at.field("cwd"), p.Cwd)
	}
	if p.Capabilities != nil {
		c.capabilities(at.field("capabilities"), p.Capabilities)
	}
	c.rlimits(at.field("rlimits"), p.Rlimits)
	c.line(at.field("apparmorProfile"), p.ApparmorProfile)
	c.line(at.field("selinuxLabel"), p.SelinuxLabel)
	if adj := p.OOMScoreAdj; adj != nil && (*adj < -1000 || *adj > 1000) {
		c.fail(at.field("oomScoreAdj"), strconv.Itoa(*adj), "not in -1000..1000")
	}
	if p.Scheduler != nil {
		c.scheduler(at.field("scheduler"), p.Scheduler)
	}
	if p.IOPriority != nil {
		c.ioPriority(at.field("ioPriority"), p.IOPriority)
	}
	if a := p.ExecCPUAffinity; a != nil {
		c.list(at.field("execCPUAffinity").field("initial"), a.Initial)
		c.list(at.field("execCPUAffinity").field("final"), a.Final)
	}
}

// consoleSize: the kernel keeps a window's size in 16 bits.
func (c *checker) consoleSize(at *node, b *specs.Box) {
	const most = 1<<16 - 1
	if b.Height > most {
		c.fail(at.field("height"), strconv.FormatUint(uint64(b.Height), 10), "above 65535")
	}
	if b.Width > most {
		c.fail(at.field("width"), strconv.FormatUint(uint64(b.Width), 10), "above 65535")
	}
}

// maxGroups is NGROUPS_MAX, the most that setgroups(2) takes.
const maxGroups = 65536

func (c *checker) user(at *node, u *specs.User) {
	c.id(at.field("uid"), u.UID)
	c.id(at.field("gid"), u.GID)
	if u.Umask != nil && *u.Umask > 0o777 {
		c.fail(at.field("umask"), strconv.FormatUint(uint64(*u.Umask), 10), "above 511 (octal 777)")
	}
	groups := at.field("additionalGids")
	for i, gid := range u.AdditionalGids {
		c.id(groups.at(i), gid)
	}
	if len(u.AdditionalGids) > maxGroups {
		c.fail(groups, strconv.Itoa(len(u.AdditionalGids)), "more than 65536 groups")
	}
	if len(u.AdditionalGids) > 0 && c.opts.Rootless {
		c.fail(groups, "", "additional groups cannot be set by an unprivileged user")
	}
}

// capabilities only ever warns: config.md forbids to fail on a capability that
// cannot be granted.
func (c *checker) capabilities(at *node, caps *specs.LinuxCapabilities) {
	c.capabilitySet(at.field("bounding"), caps.Bounding, ^uint64(0), "")
	permitted, _ := CapabilityMask(caps.Permitted)
	inheritable, _ := CapabilityMask(caps.Inheritable)
	c.capabilitySet(at.field("effective"), caps.Effective, permitted,
		"cannot be granted: not permitted")
	c.capabilitySet(at.field("inheritable"), caps.Inheritable, ^uint64(0), "")
	c.capabilitySet(at.field("permitted"), caps.Permitted, ^uint64(0), "")
	c.capabilitySet(at.field("ambient"), caps.Ambient, permitted&inheritable,
		"cannot be granted: not both permitted and inheritable")
}

func (c *checker) capabilitySet(at *node, names []string, within uint64, reason string) {
	var unknown, beyond []string
	for _, name := range names {
		n, ok := CapabilityNumber(name)
		switch {
		case !ok:
			unknown = append(unknown, name)
		case within&(1<<n) == 0:
			beyond = append(beyond, name)
		}
	}
	// One line each, as whole lists of them are common.
	if unknown != nil {
		c.warn(at, strings.Join(unknown, " "), "unknown, ignored")
	}
	if beyond != nil {
		c.warn(at, strings.Join(beyond, " "), reason)
	}
}

func (c *checker) rlimits(at *node, limits []specs.POSIXRlimit) {
	var seen uint32
	for i, l := range limits {
		n, ok := RlimitResource(l.Type)
		switch {
		case !ok:
			c.fail(at.at(i).field("type"), l.Type, "unknown rlimit")
		case seen&(1<<n) != 0:
			c.fail(at.at(i).field("type"), l.Type, "given twice")
		}
		if ok {
			seen |= 1 << n
		}
		if l.Soft > l.Hard {
			c.fail(at.at(i).field("soft"), strconv.FormatUint(l.Soft, 10), "above the hard limit")
		}
	}
}

func (c *checker) ioPriority(at *node, p *specs.LinuxIOPriority) {
	if _, ok := IOPriorityClass(p.Class); !ok {
		c.fail(at.field("class"), string(p.Class), "unknown I/O scheduling class")
	}
	if p.Priority < 0 || p.Priority > 7 {
		c.fail(at.field("priority"), strconv.Itoa(p.Priority), "not in 0..7")
	}
}
