package libcontainer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups"
	"tare/internal/host"
	"tare/internal/spec"
)

// UpdateOptions say what Update changes.
type UpdateOptions struct {
	// Resources are the new limits. What is absent stays as it is, and so does a limit, weight or
	// period of 0. Device rules, when there are any, replace all that the container has.
	Resources *specs.LinuxResources
	// L3CacheSchema and MemBwSchema are as in linux.intelRdt, which the container must have been
	// created with; "" changes nothing.
	L3CacheSchema, MemBwSchema string
}

// Update changes the limits of a container that is created, running or paused. When it fails, those
// that held before hold again.
func (c *Container) Update(ctx context.Context, r *specs.LinuxResources) error {
	return c.UpdateWith(ctx, UpdateOptions{Resources: r})
}

// UpdateWith is Update with all that can be changed.
func (c *Container) UpdateWith(ctx context.Context, o UpdateOptions) error {
	l, err := c.loadLocked(ctx, "update")
	if err != nil {
		return err
	}
	defer l.close()
	status, err := l.status()
	if err != nil {
		return err
	}
	if status == Stopped || status == Creating {
		return c.wrong(status, "container not running")
	}
	u := &updating{c: c, l: l, o: &o, change: o.Resources}
	if u.change == nil {
		u.change = new(specs.LinuxResources)
	}
	if err := u.prepare(); err != nil {
		return err
	}
	if err := u.run(ctx); err != nil {
		u.undo.run()
		if u.lost != "" {
			return fmt.Errorf("%w (and not restored: %s)", err, strings.TrimSuffix(u.lost, "; "))
		}
		return err
	}
	return nil
}

// updating is an update under way.
type updating struct {
	c      *Container
	l      *loaded
	o      *UpdateOptions
	change *specs.LinuxResources
	old    *specs.LinuxResources // as frozen
	merged *specs.LinuxResources // old with change on top
	raw    []byte                // the frozen configuration
	frozen []byte                // the one to come
	undo   undo
	lost   string // what could not be put back
}

// prepare judges the limits as they will be. Nothing is changed.
func (u *updating) prepare() error {
	var err error
	if u.raw, err = u.l.dir.LoadConfig(); err != nil {
		return err
	}
	s, err := spec.Parse(u.raw)
	if err != nil {
		return err
	}
	linux := s.Linux
	if linux == nil {
		linux = new(specs.Linux)
	}
	u.old = linux.Resources
	u.merged = merge(u.old, u.change)
	found := spec.ValidateResources(u.merged, spec.Options{Rootless: u.l.record.Rootless})
	u.c.rt.warnAll(found.Warnings())
	if err := found.Err(); err != nil {
		return err
	}
	if u.l.mgr.Config().Kind == cgroups.Disabled && (limited(u.change) || len(u.change.Devices) > 0) {
		return fmt.Errorf("linux.resources: container %q has no cgroup of its own: %w", u.c.id, cgroups.ErrNotSupported)
	}
	if u.frozen, err = patch(u.raw, u.merged, "linux", "resources"); err != nil {
		return err
	}
	return u.prepareRdt(linux.IntelRdt)
}

func (u *updating) prepareRdt(rdt *specs.LinuxIntelRdt) error {
	if u.o.L3CacheSchema == "" && u.o.MemBwSchema == "" {
		return nil
	}
	if rdt == nil || u.l.record.IntelRdt == nil {
		return errors.New("linux.intelRdt: the container was created without it, so its schemas cannot be changed")
	}
	changed := *rdt
	if u.o.L3CacheSchema != "" {
		changed.L3CacheSchema = u.o.L3CacheSchema
	}
	if u.o.MemBwSchema != "" {
		changed.MemBwSchema = u.o.MemBwSchema
	}
	var err error
	u.frozen, err = patch(u.frozen, &changed, "linux", "intelRdt")
	return err
}

// run writes down first what will hold: then what cannot be written down is not done, either.
func (u *updating) run(ctx context.Context) error {
	if !bytes.Equal(u.raw, u.frozen) {
		u.onFailure("the configuration", func() error { return u.l.dir.SaveConfig(u.raw) })
		if err := u.l.dir.SaveConfig(u.frozen); err != nil {
			return err
		}
	}
	if err := u.rdt(); err != nil {
		return fmt.Errorf("linux.intelRdt: %w", err)
	}
	if err := u.devices(ctx); err != nil {
		return err
	}
	if !limited(u.change) {
		return nil
	}
	warnings, err := u.l.mgr.Update(ctx, u.effective()) // puts back by itself what it has changed
	u.c.rt.warnAll(warnings)
	return err
}

func (u *updating) onFailure(what string, back func() error) {
	u.undo.push(func() {
		if err := back(); err != nil {
			u.lost += fmt.Sprintf("%s: %v; ", what, err)
		}
	})
}

func (u *updating) rdt() error {
	if u.o.L3CacheSchema == "" && u.o.MemBwSchema == "" {
		return nil
	}
	root, err := host.ResctrlRoot()
	if err != nil {
		return err
	}
	r := &host.Rdt{Root: root, L3: u.o.L3CacheSchema, MemBW: u.o.MemBwSchema}
	back, err := r.Update(u.l.record.IntelRdt.Group)
	u.onFailure("linux.intelRdt", back)
	return err
}

// devices replaces the device rules. The manager does that without a moment at which more or less than
// the old or the new ones is allowed.
func (u *updating) devices(ctx context.Context) error {
	if len(u.change.Devices) == 0 {
		return nil
	}
	u.onFailure("linux.resources.devices", func() error {
		var rules []specs.LinuxDeviceCgroup
		if u.old != nil {
			rules = u.old.Devices
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepTime)
		defer cancel()
		_, err := u.l.mgr.SetDevices(ctx, rules)
		return err
	})
	warnings, err := u.l.mgr.SetDevices(ctx, u.change.Devices)
	u.c.rt.warnAll(warnings)
	return err
}

// effective is the change with what the kernel has to be told again, since it keeps some values in
// another form than they are given, or not at all.
func (u *updating) effective() *specs.LinuxResources {
	r := *u.change
	if m := r.Memory; m != nil {
		m := *m
		m.CheckBeforeUpdate = u.merged.Memory.CheckBeforeUpdate
		if swap := u.merged.Memory.Swap; isSet(m.Limit) && !isSet(m.Swap) && swap != nil && *swap > 0 {
			m.Swap = swap // v2 keeps the difference of the two
		}
		r.Memory = &m
	}
	if c := r.CPU; c != nil {
		c := *c
		if c.Idle == nil && isSet(c.Shares) {
			c.Idle = u.merged.CPU.Idle // an idle cgroup takes no shares: they wait for its end
		}
		if c.Idle != nil && *c.Idle == 0 {
			c.Shares = u.merged.CPU.Shares // which idle had taken away
		}
		r.CPU = &c
	}
	return &r
}
