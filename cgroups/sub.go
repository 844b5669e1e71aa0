package cgroups

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"tare/cgroups/internal/ctl"
)

// Sub returns the Config of existing cgroups below this one, for a process
// that is to join there. Each arg is [CONTROLLER[,CONTROLLER]...:]PATH; PATH
// counts from this cgroup, whether or not it begins with a slash, and must
// not leave it. With controllers (v1) it moves those hierarchies alone, and
// the rest stays as it is; without any, at most one arg can be, and it moves
// all.
func (c Config) Sub(args []string) (Config, error) {
	c = c.Clone()
	done := make([]bool, len(c.Dirs))
	for _, arg := range args {
		names, sub, ok := strings.Cut(arg, ":")
		if !ok {
			names, sub = "", arg
		}
		if err := c.subOne(done, names, sub, arg); err != nil {
			return Config{}, err
		}
	}
	return c, nil
}

func (c *Config) subOne(done []bool, names, sub, arg string) error {
	if strings.ContainsRune(sub, 0) || slices.Contains(strings.Split(sub, "/"), "..") {
		return fmt.Errorf("cgroup %q: not a sub-cgroup of the container's", arg)
	}
	var wanted []string
	if names != "" {
		wanted = strings.Split(names, ",")
	}
	for _, name := range wanted {
		if !slices.ContainsFunc(c.Dirs, func(d Dir) bool { return d.is(name) }) {
			return fmt.Errorf("cgroup %q: controller %q: %w", arg, name, ErrMode)
		}
	}
	for i := range c.Dirs {
		d := &c.Dirs[i]
		if wanted != nil && !slices.ContainsFunc(wanted, d.is) {
			continue
		}
		if done[i] {
			return fmt.Errorf("cgroup %q: names a hierarchy a second time", arg)
		}
		done[i] = true
		d.Path = path.Join(d.Path, sub)
		if !ctl.Exists(d.Path) {
			return fmt.Errorf("cgroup %q: %q: %w", arg, d.Path, unix.ENOENT)
		}
	}
	return nil
}

// is reports whether name, as a user writes it, means this v1 hierarchy.
func (d *Dir) is(name string) bool {
	return name != "" && (d.Has(name) || d.Has("name="+name))
}

// Current returns the Config of the cgroups in which pid is now, as far as
// they are this cgroup or lie below it: a payload may have moved its init to
// a child and given controllers away, so that only there a process may still
// join. Hierarchies in which pid is elsewhere keep this cgroup, unless it is
// gone: systemd moves processes out of v1 cgroups that are not its own when it
// gives a controller to its units, and removes what is empty then. Where pid
// is in the hierarchy's root then, the Config has no cgroup of it.
func (c Config) Current(pid int) (Config, error) {
	list, err := Of(pid)
	if err != nil {
		return Config{}, err
	}
	c = c.Clone()
	kept := c.Dirs[:0]
	for _, d := range c.Dirs {
		now := dirOf(&d.Hierarchy, list)
		if now != "" && now != d.Path && (strings.HasPrefix(now, d.Path+"/") || !ctl.Exists(d.Path)) {
			d.Path = now
		}
		if d.Path != d.Mount || len(c.Dirs) == 1 {
			kept = append(kept, d)
		}
	}
	c.Dirs = kept
	return c, nil
}

// Child returns the Config of a cgroup below this one, by a name or path that
// must not leave it, existing or not: one for a payload to own, say.
func (c Config) Child(sub string) (Config, error) {
	if path.Clean("/"+sub) == "/" || strings.ContainsAny(sub, "\x00\n") || slices.Contains(strings.Split(sub, "/"), "..") {
		return Config{}, fmt.Errorf("cgroup %q: not a sub-cgroup of the container's", sub)
	}
	c = c.Clone()
	c.Path = path.Join(c.Path, sub)
	for i := range c.Dirs {
		c.Dirs[i].Path = path.Join(c.Dirs[i].Path, sub)
	}
	// The unit is its parent's; a child is plain directories.
	if c.Kind == Systemd {
		c.Kind, c.Unit = Files, nil
	}
	return c, nil
}
