package systemd

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/cgroups"
	"tare/cgroups/devices"
	"tare/cgroups/internal/ctl"
	"tare/cgroups/v1"
	"tare/cgroups/v2"
)

// target asks systemd for its version if a limit's mapping depends on it.
func (m *Manager) target(ctx context.Context, c *connection, r *specs.LinuxResources) (target, error) {
	t := target{unified: m.mode == cgroups.V2}
	t.bfq = t.unified && r != nil && r.BlockIO != nil && ctl.Has(m.dirs[""], "io.bfq.weight")
	if r == nil || r.CPU == nil && len(r.Unified) == 0 {
		return t, nil
	}
	if m.version == 0 {
		v, err := c.version(ctx)
		if err != nil {
			return t, err
		}
		m.version = v
	}
	t.version = m.version
	t.quota, t.period = m.bandwidth()
	return t, nil
}

// bandwidth returns quota and period in force.
func (m *Manager) bandwidth() (quota int64, period uint64) {
	var q, p string
	if m.mode == cgroups.V2 {
		line, _ := ctl.Line(m.dirs[""], "cpu.max")
		q, p, _ = strings.Cut(line, " ")
	} else if dir := m.dirs["cpu"]; dir != "" {
		q, _ = ctl.Line(dir, "cpu.cfs_quota_us")
		p, _ = ctl.Line(dir, "cpu.cfs_period_us")
	}
	return parseBandwidth(q, p)
}

// parseBandwidth takes quota and period, in µs, from their files or from the
// halves of cpu.max. What is no limit, or absent, is quota -1 and the kernel's
// usual period.
func parseBandwidth(q, p string) (quota int64, period uint64) {
	quota, period = -1, 100000
	if v, err := ctl.ParseUint(q); err == nil && v > 0 && v < infinity>>1 {
		quota = int64(v)
	}
	if v, err := ctl.ParseUint(p); err == nil && v > 0 && v != infinity {
		period = v
	}
	return quota, period
}

// Set tells systemd what it can know, then writes the files. A limit that
// Set would refuse is refused before systemd enforces it.
func (m *Manager) Set(ctx context.Context, r *specs.LinuxResources) ([]string, error) {
	if r == nil {
		return nil, nil
	}
	if err := m.preflight(r); err != nil {
		return nil, err
	}
	var warnings []string
	err := m.mapped(ctx, r, func(ctx context.Context, c *connection, props []Property, rounded *specs.LinuxResources) error {
		err := m.setProperties(ctx, c, props)
		if err == nil {
			warnings, err = m.files.Set(ctx, rounded)
		}
		return err
	})
	return warnings, err
}

// Update writes the files first: they say what has been, and they refuse more
// than systemd does.
func (m *Manager) Update(ctx context.Context, r *specs.LinuxResources) ([]string, error) {
	if r == nil {
		return nil, nil
	}
	var warnings []string
	err := m.mapped(ctx, r, func(ctx context.Context, c *connection, props []Property, rounded *specs.LinuxResources) error {
		w, undo, err := m.Change(ctx, rounded)
		if err != nil {
			return err
		}
		warnings = w
		if err := m.setProperties(ctx, c, props); err != nil {
			return errors.Join(err, undo())
		}
		return nil
	})
	return warnings, err
}

// mapped calls fn with the properties for r and with what r is then to be
// written to the files.
func (m *Manager) mapped(ctx context.Context, r *specs.LinuxResources,
	fn func(ctx context.Context, c *connection, props []Property, rounded *specs.LinuxResources) error) error {
	return with(ctx, m.unit, func(ctx context.Context, c *connection) error {
		t, err := m.target(ctx, c, r)
		if err != nil {
			return err
		}
		props, rounded, err := properties(r, t)
		if err != nil {
			return err
		}
		return fn(ctx, c, props, rounded)
	})
}

// setProperties changes the unit. On v1 systemd writes the device rules anew
// each time, deny all first: the container must not run meanwhile.
func (m *Manager) setProperties(ctx context.Context, c *connection, props []Property) (err error) {
	if len(props) == 0 {
		return nil
	}
	if m.mode != cgroups.V2 {
		if frozen, ferr := m.Frozen(); ferr == nil && !frozen && m.Freeze(ctx) == nil {
			defer func() { err = errors.Join(err, m.Thaw(context.WithoutCancel(ctx))) }()
		}
	}
	if err := c.call(ctx, "SetUnitProperties", nil, m.unit.Name, true, props); err != nil {
		return fmt.Errorf("set properties of unit %q: %w", m.unit.Name, err)
	}
	return nil
}

// preflight refuses what the files' manager would, as far as it can be known
// before anything is written.
func (m *Manager) preflight(r *specs.LinuxResources) error {
	if m.mode == cgroups.V2 {
		return v2.Preflight(m.dirs[""], r)
	}
	return v1.Preflight(r)
}

// SetDevices tells systemd and then the kernel.
func (m *Manager) SetDevices(ctx context.Context, rules []specs.LinuxDeviceCgroup) ([]string, error) {
	policy, err := devices.Compile(rules)
	if err != nil {
		return nil, err
	}
	err = with(ctx, m.unit, func(ctx context.Context, c *connection) error {
		return m.setProperties(ctx, c, deviceProperties(policy))
	})
	var warnings []string
	if err != nil {
		if !m.unit.User {
			return nil, fmt.Errorf("linux.resources.devices: %w", err)
		}
		// A user's systemd has no say in devices.
		warnings = []string{fmt.Sprintf("linux.resources.devices: %v (ignored)", err)}
	}
	more, err := m.files.SetDevices(ctx, rules)
	return append(warnings, more...), err
}
