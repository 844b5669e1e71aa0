package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/internal/proc"
	"tare/internal/spec"
)

// Kill sends a signal to the init, or to every process of the container. SIGKILL of an init that is
// not the first of its own pid namespace reaches every process: nothing else would end the others.
func (c *Container) Kill(ctx context.Context, signal int, o KillOptions) error {
	l, err := c.load()
	if err != nil {
		return err
	}
	defer l.close()
	if o.All {
		return c.killAll(ctx, l, signal)
	}
	pidfd, err := l.pidfd()
	if errors.Is(err, proc.ErrGone) {
		return c.wrong(Stopped, "container not running")
	}
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	if signal == int(unix.SIGKILL) && !firstOfNamespace(l.record.Pid) && l.mgr.Exists() {
		return l.mgr.Kill(ctx)
	}
	if err := sendSignal(pidfd, signal); err != nil {
		if errors.Is(err, unix.ESRCH) {
			return c.wrong(Stopped, "container not running")
		}
		return err
	}
	if signal == int(unix.SIGKILL) {
		// A frozen process on cgroup v1 dies only once it is thawed.
		if err := l.mgr.Thaw(ctx); err != nil && !errors.Is(err, cgroups.ErrNotSupported) {
			c.rt.warn("thaw container %q: %v", c.id, err)
		}
	}
	return nil
}

// haltSignal is SIGRTMIN+3 as C libraries count, which keep the first two real-time signals.
const haltSignal = 37

// StopSignal asks the container's process to end: SIGTERM, and SIGRTMIN+3 where the annotation tare.boot says
// that it is an init system (systemd(1), "Signals").
func (c *Container) StopSignal() (int, error) {
	l, err := c.load()
	if err != nil {
		return 0, err
	}
	defer l.close()
	if spec.Boots(l.record.Annotations) {
		return haltSignal, nil
	}
	return int(unix.SIGTERM), nil
}

// killAll signals every process of the cgroup. That the init is gone is no error.
func (c *Container) killAll(ctx context.Context, l *loaded, signal int) error {
	err := cgroups.Signal(ctx, l.mgr, unix.Signal(signal))
	if !errors.Is(err, cgroups.ErrNotSupported) {
		return err
	}
	pidfd, err := l.pidfd() // without a cgroup of its own the init is all that is known
	if errors.Is(err, proc.ErrGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	return sendSignal(pidfd, signal)
}

func sendSignal(pidfd, signal int) error {
	if err := unix.PidfdSendSignal(pidfd, unix.Signal(signal), nil, 0); err != nil {
		return fmt.Errorf("pidfd_send_signal %d: %w", signal, err)
	}
	return nil
}

// firstOfNamespace tells whether the process is number 1 of the innermost pid namespace that it is in.
func firstOfNamespace(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, "NSpid:"); ok {
			numbers := strings.Fields(rest)
			return len(numbers) > 1 && numbers[len(numbers)-1] == "1"
		}
	}
	return false
}

// Pause freezes every process of the container.
func (c *Container) Pause(ctx context.Context) error {
	return c.freezer(ctx, "pause", func(l *loaded, status Status) error {
		switch status {
		case Created, Running:
			return l.mgr.Freeze(ctx)
		case Paused:
			return c.wrong(status, "container paused")
		}
		return c.wrong(status, "container not running")
	})
}

// Resume thaws a paused container.
func (c *Container) Resume(ctx context.Context) error {
	return c.freezer(ctx, "resume", func(l *loaded, status Status) error {
		if status != Paused {
			return c.wrong(status, "container not paused")
		}
		return l.mgr.Thaw(ctx)
	})
}

func (c *Container) freezer(ctx context.Context, what string, do func(*loaded, Status) error) error {
	l, err := c.loadLocked(ctx, what)
	if err != nil {
		return err
	}
	defer l.close()
	status, err := l.status()
	if err != nil {
		return err
	}
	return do(l, status)
}
