package libcontainer

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/internal/facts"
	"tare/internal/launch"
	"tare/internal/plan"
	"tare/internal/spec"
)

// AddMounts makes mounts in a container that is created, running or paused: binds of the host's files,
// and file systems that have no source (tmpfs, proc, sysfs, mqueue, devpts). Relative sources count from
// the bundle. When one fails those before it are taken away again.
func (c *Container) AddMounts(ctx context.Context, mounts []specs.Mount) error {
	v, err := c.remodel(ctx)
	if err != nil {
		return err
	}
	defer v.close()
	found := spec.ValidateMounts(mounts, v.spec, spec.Options{Rootless: os.Geteuid() != 0})
	c.rt.warnAll(found.Warnings())
	if err := found.Err(); err != nil {
		return err
	}
	frozen, err := patch(v.raw, append(slices.Clone(v.spec.Mounts), mounts...), "mounts")
	if err != nil {
		return err
	}
	done, err := v.change(ctx, len(mounts), func(f *plan.ExecFacts, o *plan.Options) (*plan.Plan, error) {
		return plan.BuildMounts(v.spec, mounts, f, o)
	})
	if err == nil {
		err = v.l.dir.SaveConfig(frozen)
	}
	if err != nil && done > 0 {
		if uerr := v.takeBack(ctx, mounts[:done]); uerr != nil {
			return fmt.Errorf("%w (and the mounts made before remain: %v)", err, uerr)
		}
	}
	return err
}

// RemoveMounts detaches what is mounted on the destinations, one after the other up to the first that
// fails, with all that is mounted below.
func (c *Container) RemoveMounts(ctx context.Context, destinations []string) error {
	v, err := c.remodel(ctx)
	if err != nil {
		return err
	}
	defer v.close()
	done, err := v.unmount(ctx, destinations)
	if done == 0 {
		return err
	}
	left := slices.Clone(v.spec.Mounts)
	for _, d := range destinations[:done] {
		left = without(left, spec.MountDestination(d))
	}
	frozen, perr := patch(v.raw, left, "mounts")
	if perr == nil {
		perr = v.l.dir.SaveConfig(frozen)
	}
	if err == nil {
		err = perr
	}
	return err
}

// without leaves the last mount on target out: it is the one on top.
func without(mounts []specs.Mount, target string) []specs.Mount {
	for i := len(mounts) - 1; i >= 0; i-- {
		if spec.MountDestination(mounts[i].Destination) == target {
			return slices.Delete(mounts, i, i+1)
		}
	}
	return mounts
}

// remodelling is a change to the mounts of a live container.
type remodelling struct {
	c    *Container
	l    *loaded
	raw  []byte
	spec *specs.Spec
	init int // pidfd
}

// remodel locks a live container. The caller closes the value.
func (c *Container) remodel(ctx context.Context) (*remodelling, error) {
	l, err := c.loadLocked(ctx, "change the mounts of")
	if err != nil {
		return nil, err
	}
	v := &remodelling{c: c, l: l, init: -1}
	if err := v.open(); err != nil {
		v.close()
		return nil, err
	}
	return v, nil
}

func (v *remodelling) open() error {
	alive, err := v.l.alive()
	if err != nil {
		return err
	}
	if !alive || !v.l.record.CreateDone {
		return v.c.wrong(Stopped, "container not running")
	}
	if v.raw, err = v.l.dir.LoadConfig(); err != nil {
		return err
	}
	if v.spec, err = spec.Parse(v.raw); err != nil {
		return err
	}
	v.init, err = v.l.pidfd()
	return err
}

func (v *remodelling) close() {
	v.l.close()
	if v.init >= 0 {
		unix.Close(v.init)
	}
}

// change sends an init stage into the container to carry out n changes, and tells how many it has made.
func (v *remodelling) change(ctx context.Context, n int, build func(*plan.ExecFacts, *plan.Options) (*plan.Plan, error)) (int, error) {
	if n == 0 {
		return 0, nil
	}
	f, err := facts.GatherExec(plan.Needs{}, v.l.record.Pid)
	if err != nil {
		return 0, err
	}
	p, err := build(f, &plan.Options{ID: v.c.id, Bundle: v.l.record.Bundle, Rootfs: v.l.record.Rootfs})
	if err != nil {
		return 0, err
	}
	exe, err := launch.OpenExe(v.c.rt.cfg.Binary)
	if err != nil {
		return 0, err
	}
	defer exe.Close()
	table := &fdTable{ctx: ctx, exe: exe, listener: -1}
	defer table.close()
	if err := table.open(p.FDs); err != nil {
		return 0, err
	}
	var undo undo
	d := &driver{rt: v.c.rt, id: v.c.id, io: new(IO), plan: p, exe: exe, fds: table.fds, mgr: v.l.mgr, undo: &undo, entered: v.sameInit}
	defer undo.run() // ends the init stage: it waits at its last barrier
	err = d.run(ctx)
	return d.awaited, err
}

// sameInit makes sure that the namespaces that were entered by number were the container's.
func (v *remodelling) sameInit() error {
	if ended(v.init) {
		return v.c.wrong(Stopped, "container not running")
	}
	return nil
}

func (v *remodelling) unmount(ctx context.Context, destinations []string) (int, error) {
	return v.change(ctx, len(destinations), func(f *plan.ExecFacts, o *plan.Options) (*plan.Plan, error) {
		return plan.BuildUnmounts(v.spec, destinations, f, o)
	})
}

// takeBack removes mounts, the last first.
func (v *remodelling) takeBack(ctx context.Context, mounts []specs.Mount) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sweepTime)
	defer cancel()
	var destinations []string
	for _, m := range slices.Backward(mounts) {
		destinations = append(destinations, m.Destination)
	}
	_, err := v.unmount(ctx, destinations)
	return err
}
