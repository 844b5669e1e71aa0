package libcontainer

import (
	"context"
	"fmt"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/internal/host"
	"tare/internal/state"
)

// enclose puts criu, and with it all that it makes, into the container's cgroup and resctrl group.
func (r *restoration) enclose(ctx context.Context) error {
	d := &driver{rt: r.rt, id: r.id, mgr: r.mgr, undo: &r.undo, annotations: r.spec.Annotations}
	d.res, d.rdt = r.spec.Linux.Resources, r.spec.Linux.IntelRdt
	pid := r.criu.Pid()
	err := r.mgr.Create(ctx, cgroups.CreateOptions{Resources: d.res, Annotations: d.annotations,
		Description: "tare container " + r.id, PID: pid})
	if err != nil {
		return err
	}
	r.undo.push(func() { r.sweep() })
	for _, uid := range r.plan.Delegate {
		if err := r.mgr.Config().Delegate(int(uid)); err != nil {
			return err
		}
	}
	if err := d.limit(ctx); err != nil {
		return err
	}
	if err := r.mgr.Join(pid, cgroups.All); err != nil {
		return err
	}
	return r.joinRdt(d.rdt, pid)
}

// sweep ends what has been made, the cgroup last.
func (r *restoration) sweep() {
	ctx, cancel := context.WithTimeout(context.Background(), sweepTime)
	defer cancel()
	r.criu.Close() // it takes its own processes back
	if r.pidfd != nil {
		sendSignal(int(r.pidfd.Fd()), int(unix.SIGKILL))
	}
	r.mgr.Kill(ctx)
	if r.pidfd != nil && waitEnd(ctx, int(r.pidfd.Fd())) == nil {
		unix.Wait4(r.pid, nil, unix.WNOHANG, nil)
	}
	if err := r.mgr.Undo(ctx); err != nil {
		r.rt.warn("remove the cgroup of container %q: %v", r.id, err)
	}
}

func (r *restoration) joinRdt(rdt *specs.LinuxIntelRdt, pid int) error {
	if rdt == nil {
		return nil
	}
	root, err := host.ResctrlRoot()
	if err != nil {
		return fmt.Errorf("linux.intelRdt: %w", err)
	}
	group := host.Rdt{Root: root, Container: r.id, CLOS: rdt.ClosID, L3: rdt.L3CacheSchema, MemBW: rdt.MemBwSchema,
		Schemata: rdt.Schemata, Monitor: rdt.EnableMonitoring}
	g, err := group.Create()
	if err != nil {
		return fmt.Errorf("linux.intelRdt: %w", err)
	}
	r.undo.push(func() {
		if err := g.Remove(); err != nil {
			r.rt.warn("linux.intelRdt: %v", err)
		}
	})
	r.record.IntelRdt = &state.IntelRdt{Group: g.Dir, Own: g.Own, Mon: g.Mon}
	return g.Join(pid)
}

// cgroupRoots says that the groups of the image lie below those that criu is in.
func cgroupRoots(pid int) ([]*rpc.CgroupRoot, error) {
	list, err := cgroups.Of(pid)
	if err != nil {
		return nil, err
	}
	var roots []*rpc.CgroupRoot
	for _, m := range list {
		controllers := m.Controllers
		if len(controllers) == 0 {
			controllers = []string{""}
		}
		for _, c := range controllers {
			roots = append(roots, &rpc.CgroupRoot{Ctrl: new(c), Path: new(m.Path)})
		}
	}
	return roots, nil
}
