package libcontainer

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/internal/criu"
	"tare/internal/proc"
	"tare/internal/step"
)

// event is called while criu waits at a point of its way.
func (r *restoration) event(ctx context.Context, e *criu.Event) error {
	switch e.Name {
	case "orphan-pts-master":
		return r.console(e.File)
	case "setup-namespaces":
		return r.namespaced(ctx, e.Pid)
	case "post-restore":
		return r.restored(e.Pid)
	}
	if e.File != nil {
		e.File.Close()
	}
	return nil
}

// console hands the master of the container's terminal over.
func (r *restoration) console(master *os.File) error {
	switch {
	case master == nil:
		return errors.New("criu has sent no terminal")
	case r.o.ConsoleSocket != "":
		defer master.Close()
		return sendConsole(r.o.ConsoleSocket, master)
	case r.o.Console != nil:
		return r.o.Console(master)
	}
	master.Close()
	return errors.New("the image has a terminal that nobody takes (process.terminal is false)")
}

// namespaced is called when the first process is in its namespaces, and has nothing else yet.
func (r *restoration) namespaced(ctx context.Context, pid int) error {
	if err := r.met(pid); err != nil {
		return err
	}
	st := &specs.State{Version: specs.Version, ID: r.id, Status: specs.StateCreating, Pid: pid, Bundle: r.bundle,
		Annotations: r.spec.Annotations}
	for _, h := range r.plan.Hooks {
		r.hooks = true
		if err := runHook(ctx, h.(*step.HostHook), r.spec, st, int(r.pidfd.Fd())); err != nil {
			return fmt.Errorf("%s: %w", h.Where(), err)
		}
	}
	return nil
}

// met writes the pid down as soon as there is one.
func (r *restoration) met(pid int) error {
	if r.pid == pid {
		return nil
	}
	start, err := proc.StartTime(pid)
	if err != nil {
		return err
	}
	fd, err := proc.OpenPidfd(pid, start)
	if err != nil {
		return err
	}
	r.pid, r.pidfd = pid, os.NewFile(uintptr(fd), "pidfd")
	r.record.Pid, r.record.StartTime = pid, start
	return r.dir.Save(r.record)
}

// restored is called when all is as it was, and nothing runs yet.
func (r *restoration) restored(pid int) error {
	if err := r.met(pid); err != nil {
		return err
	}
	if r.spec.Root.Readonly {
		if err := criu.LockRoot(pid); err != nil {
			return fmt.Errorf("root.readonly: %w", err)
		}
	}
	r.record.CreateDone = true
	r.record.StdioNames = stdioNames(pid)
	if err := r.dir.Save(r.record); err != nil {
		return err
	}
	r.ready = true
	return announce(&r.o.IO, pid, r.pidfd)
}
