package libcontainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/manager"
	"tare/cgroups/systemd"
	"tare/internal/plan"
	"tare/internal/state"
)

// placeCgroup decides where the container's cgroup lies and who manages it.
func (rt *Runtime) placeCgroup(ctx context.Context, p *prepared) (*plan.CgroupFacts, error) {
	layout, err := cgroups.Detect()
	if err != nil {
		return nil, err
	}
	f := &plan.CgroupFacts{Mode: layout.Mode.String()}
	p.cgroup = cgroups.Config{Kind: cgroups.Disabled}
	if rt.cfg.Cgroups == Disabled || layout.Mode == cgroups.NoCgroups {
		f.Disabled = true
		return f, hierarchies(f, layout.Config(cgroups.Path{Path: "/"}))
	}
	req, err := rt.cgroupRequest(ctx, p, &layout)
	if err != nil {
		return nil, err
	}
	place, err := cgroups.Resolve(req)
	if err != nil {
		return nil, err
	}
	cfg := layout.Config(place)
	cfg.Rootless = p.rootless
	if p.rootless {
		ok, err := mayManage(&cfg, p.spec)
		if err != nil {
			return nil, err
		}
		if !ok {
			f.Disabled = true
			return f, hierarchies(f, layout.Config(cgroups.Path{Path: "/"}))
		}
	}
	p.cgroup = cfg
	mgr, err := manager.New(cfg)
	if err != nil {
		return nil, err
	}
	f.NeedsPID = mgr.NeedsPID()
	f.Into = layout.Mode == cgroups.V2 && cfg.Kind == cgroups.Files
	return f, hierarchies(f, cfg)
}

func (rt *Runtime) cgroupRequest(ctx context.Context, p *prepared, layout *cgroups.Layout) (cgroups.Request, error) {
	r := cgroups.Request{ID: p.id, Mode: layout.Mode, Systemd: rt.cfg.Cgroups == Systemd, Prefix: "tare"}
	if p.spec.Linux != nil {
		r.CgroupsPath = p.spec.Linux.CgroupsPath
	}
	if own, err := cgroups.Of(0); err == nil {
		r.Own = cgroups.UnifiedPath(own)
	}
	if !r.Systemd {
		return r, nil
	}
	// On v2 a process in a unit's own cgroup keeps controllers from those below it.
	r.Sub = p.spec.Annotations["run.oci.systemd.subgroup"]
	if r.User = p.rootless; !r.User {
		return r, nil
	}
	var err error
	r.Bus, r.BusUID, err = systemd.UserBus(os.Getenv("DBUS_SESSION_BUS_ADDRESS"), os.Getenv("XDG_RUNTIME_DIR"), os.Geteuid())
	if err == nil && r.Bus != "" {
		r.Root, err = systemd.Root(ctx, cgroups.Unit{User: true, Bus: r.Bus, BusUID: r.BusUID})
	}
	return r, err
}

func hierarchies(f *plan.CgroupFacts, cfg cgroups.Config) error {
	for _, d := range cfg.Dirs {
		f.Hierarchies = append(f.Hierarchies, plan.Hierarchy{Mount: d.Mount, Dir: filepath.Clean(d.Path), Version: d.Version,
			Controllers: d.Controllers})
	}
	return nil
}

// mayManage tells whether a caller without privilege may make its cgroup. When it may not, a container
// that asks for neither limits nor a place runs without one.
func mayManage(cfg *cgroups.Config, s *specs.Spec) (bool, error) {
	if cfg.Kind == cgroups.Systemd {
		return true, nil
	}
	for _, d := range cfg.Dirs {
		if !writable(d.Path, d.Mount) {
			if s.Linux != nil && (s.Linux.CgroupsPath != "" || limited(s.Linux.Resources)) {
				return false, fmt.Errorf("linux.resources: %q: rootless needs no limits + no cgrouppath when no permission is granted for cgroups", d.Path)
			}
			return false, nil
		}
	}
	return true, nil
}

// writable tells whether dir, or what exists above it, may be written to.
func writable(dir, mount string) bool {
	for ; len(dir) >= len(mount); dir = filepath.Dir(dir) {
		err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK, unix.AT_EACCESS)
		if !errors.Is(err, unix.ENOENT) {
			return err == nil
		}
	}
	return false
}

// limited tells whether any limit is asked for; device rules are none, an unprivileged caller cannot
// have any.
func limited(r *specs.LinuxResources) bool {
	if r == nil {
		return false
	}
	return r.Memory != nil || r.CPU != nil || r.Pids != nil || r.BlockIO != nil || r.Network != nil ||
		len(r.HugepageLimits)+len(r.Rdma)+len(r.Unified) > 0
}

// manager rebuilds the cgroup manager of a container.
func managerOf(r *state.Record) (cgroups.Manager, error) {
	if len(r.Cgroup) == 0 {
		return cgroups.None{}, nil
	}
	var cfg cgroups.Config
	if err := json.Unmarshal(r.Cgroup, &cfg); err != nil {
		return nil, fmt.Errorf("record of container %q: cgroup: %w", r.ID, err)
	}
	return manager.New(cfg)
}
