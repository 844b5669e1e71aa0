package libcontainer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/manager"
	"tare/cgroups/systemd"
	"tare/cgroups/v2"
	"tare/internal/plan"
	"tare/internal/state"
	"tare/internal/step"
)

// placeCgroup decides where the container's cgroup lies and who manages it.
func (rt *Runtime) placeCgroup(ctx context.Context, p *prepared) (*plan.CgroupFacts, error) {
	layout, err := cgroups.Detect()
	if err != nil {
		return nil, err
	}
	f := &plan.CgroupFacts{Mode: layout.Mode.String()}
	p.cgroup = cgroups.Config{Kind: cgroups.Disabled}
	switch {
	case rt.cfg.Cgroups == Disabled:
		return withoutCgroup(f, &layout, "the caller wants none"), nil
	case layout.Mode == cgroups.NoCgroups:
		return withoutCgroup(f, &layout, "no cgroup file system is mounted"), nil
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
			return withoutCgroup(f, &layout, "the caller has no permission for one, and neither limits nor a path are asked for"), nil
		}
	}
	p.cgroup = cfg
	mgr, err := manager.New(cfg)
	if err != nil {
		return nil, err
	}
	f.NeedsPID = mgr.NeedsPID()
	f.Into = layout.Mode == cgroups.V2 && cfg.Kind == cgroups.Files
	f.Manager, f.Why = string(cfg.Kind), whyManager(&cfg)
	hierarchies(f, cfg)
	return f, nil
}

func withoutCgroup(f *plan.CgroupFacts, layout *cgroups.Layout, why string) *plan.CgroupFacts {
	f.Disabled, f.Manager, f.Why = true, string(cgroups.Disabled), why
	hierarchies(f, layout.Config(cgroups.Path{Path: "/"}))
	return f
}

// whyManager says what made it the manager that it is.
func whyManager(cfg *cgroups.Config) string {
	var why string
	switch mode := cfg.Mode(); {
	case cfg.Kind == cgroups.Systemd && cfg.Unit.User:
		why = "systemd is asked for, and the caller's is at " + cfg.Unit.Bus
	case cfg.Kind == cgroups.Systemd:
		why = "systemd is asked for"
	case mode == cgroups.V2:
		why = "cgroup2 is mounted at " + cfg.Dirs[0].Mount
	case mode == cgroups.V1:
		why = "v1 hierarchies alone are mounted"
	default:
		why = "v1 hierarchies are mounted, and cgroup2 beside them at " + strings.TrimSuffix(cfg.Unified(), cfg.Path)
	}
	if cfg.Rootless && cfg.Kind == cgroups.Files {
		why += ", where the caller may make cgroups"
	}
	return why
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
	return r, rt.userUnit(ctx, &r)
}

// userUnit finds the user's systemd. A user without one may still be allowed to ask the system's.
func (rt *Runtime) userUnit(ctx context.Context, r *cgroups.Request) (err error) {
	r.Bus, r.BusUID, err = systemd.UserBus(os.Getenv("DBUS_SESSION_BUS_ADDRESS"), os.Getenv("XDG_RUNTIME_DIR"), os.Geteuid())
	if err != nil {
		return err
	}
	r.Root, err = systemd.Root(ctx, cgroups.Unit{User: true, Bus: r.Bus, BusUID: r.BusUID})
	if !errors.Is(err, systemd.ErrNoBus) {
		return err
	}
	root, syserr := systemd.Root(ctx, cgroups.Unit{})
	if syserr != nil {
		return errors.Join(err, syserr)
	}
	rt.warn("%v: the system's systemd is asked instead", err)
	r.User, r.Bus, r.BusUID, r.Root = false, "", 0, root
	return nil
}

func hierarchies(f *plan.CgroupFacts, cfg cgroups.Config) {
	for _, d := range cfg.Dirs {
		f.Hierarchies = append(f.Hierarchies, plan.Hierarchy{Mount: d.Mount, Dir: filepath.Clean(d.Path), Version: d.Version,
			Controllers: d.Controllers})
	}
}

// joinOwn makes a cgroup below the container's and moves the init there. Only then has the container's
// no process of its own, so that it can give its controllers to that below.
func (d *driver) joinOwn(ctx context.Context, sub string) error {
	cfg, err := d.mgr.Config().Child(sub)
	if err != nil {
		return err
	}
	m, err := v2.New(cfg)
	if err != nil {
		return err
	}
	if err := m.Adopt(ctx, cgroups.CreateOptions{}); err != nil {
		return err
	}
	if err := m.Join(d.child.Pid, cgroups.All); err != nil {
		return err
	}
	return m.Adopt(ctx, cgroups.CreateOptions{})
}

// delegate gives the container's cgroup, or one below it, to a user.
func (d *driver) delegate(s *step.CgroupDelegate) error {
	cfg := d.mgr.Config()
	if s.Sub != "" {
		var err error
		if cfg, err = cfg.Child(s.Sub); err != nil {
			return err
		}
	}
	return cfg.Delegate(int(s.UID))
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
