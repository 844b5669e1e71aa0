package cgroups

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"tare/cgroups/internal/ctl"
)

// Delegate gives the cgroup to uid, so that a payload of that user can make
// cgroups below it: the directory and the files that the kernel lists in
// /sys/kernel/cgroup/delegate (config-linux.md, "Cgroup ownership"). Only on
// V2: v1 cannot delegate safely, and then nothing is changed.
func (c Config) Delegate(uid int) error {
	if c.Mode() != V2 {
		return nil
	}
	return delegate(c.Unified(), uid)
}

func delegate(dir string, uid int) error {
	names := []string{"cgroup.procs", "cgroup.subtree_control", "cgroup.threads"}
	b, err := ctl.Read("/sys/kernel/cgroup", "delegate", nil)
	switch {
	case err == nil:
		names = parseDelegate(string(b))
	case !ctl.Gone(err): // no such list before Linux 4.15, or without sysfs
		return err
	}
	if err := chown(dir, uid); err != nil {
		return err
	}
	for _, name := range names {
		if err := chown(dir+"/"+name, uid); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	return nil
}

// parseDelegate takes the list apart: bare file names, nothing else.
func parseDelegate(list string) []string {
	return slices.DeleteFunc(strings.Fields(list), func(name string) bool {
		return name == "." || name == ".." || strings.ContainsAny(name, "/\x00")
	})
}

func chown(path string, uid int) error {
	if err := unix.Lchown(path, uid, -1); err != nil {
		return fmt.Errorf("chown %q to %d: %w", path, uid, err)
	}
	return nil
}
