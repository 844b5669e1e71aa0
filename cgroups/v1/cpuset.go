package v1

import (
	"errors"
	"fmt"
	"path"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

// prepare returns what a new directory of the hierarchy needs before
// processes can join: a cpuset is born empty and takes its parent's CPUs and
// memory nodes.
func prepare(d *cgroups.Dir) func(dir string) error {
	if !d.Has("cpuset") {
		return nil
	}
	prefix := cpusetPrefix(d)
	return func(dir string) error {
		for _, name := range []string{prefix + "cpus", prefix + "mems"} {
			if err := inherit(dir, name); err != nil {
				return err
			}
		}
		return nil
	}
}

func cpusetPrefix(d *cgroups.Dir) string {
	if d.NoPrefix {
		return ""
	}
	return "cpuset."
}

// inherit copies a cpuset file from the parent. The parent may itself be new
// and empty for a moment, in the hands of another process: then it is filled
// first, with the same values that the other would write.
func inherit(dir, name string) error {
	now, err := ctl.Line(dir, name)
	if err != nil || now != "" {
		return err
	}
	parent := path.Dir(dir)
	value, err := ctl.Line(parent, name)
	if err != nil {
		return err
	}
	if value == "" && ctl.Has(path.Dir(parent), name) {
		if err := inherit(parent, name); err != nil {
			return err
		}
		if value, err = ctl.Line(parent, name); err != nil {
			return err
		}
	}
	if err := ctl.Write(dir, name, value); err != nil {
		return fmt.Errorf("cgroup %q: %w", dir, err)
	}
	return nil
}

func isCpusetSet(r *specs.LinuxResources) bool {
	return r.CPU != nil && (r.CPU.Cpus != "" || r.CPU.Mems != "")
}

func (m *Manager) setCpuset(w *ctl.Journal, d *cgroups.Dir, r *specs.LinuxResources) error {
	prefix := cpusetPrefix(d)
	if r.CPU.Cpus != "" {
		if err := w.Write(d.Path, prefix+"cpus", r.CPU.Cpus); err != nil {
			return cpusetError("cpus", err)
		}
	}
	if r.CPU.Mems != "" {
		if err := w.Write(d.Path, prefix+"mems", r.CPU.Mems); err != nil {
			return cpusetError("mems", err)
		}
	}
	return nil
}

func cpusetError(what string, err error) error {
	if errors.Is(err, unix.EACCES) {
		return fmt.Errorf("linux.resources.cpu.%s: %w (the parent cgroup does not have all of them)", what, err)
	}
	return fmt.Errorf("linux.resources.cpu.%s: %w", what, err)
}
