package initstage

import (
	"tare/internal/rootfs"
	"tare/internal/step"
	"tare/internal/sys"
)

// failedStep tells which step an error belongs to: with a Fallback it is an inner one.
type failedStep struct {
	step step.Step
	err  error
}

func (f *failedStep) Error() string { return f.err.Error() }
func (f *failedStep) Unwrap() error { return f.err }

// apply carries out one step.
func (l *lane) apply(s step.Step) error {
	if f, ok := s.(*step.Fallback); ok {
		return l.fallback(f)
	}
	err := l.act(s)
	if err == nil || err == errHostGone {
		return err
	}
	return &failedStep{s, err}
}

// fallback carries out First, and Else when First fails with an errno that the plan expects.
func (l *lane) fallback(f *step.Fallback) error {
	var err error
	for _, s := range f.First {
		if err = l.apply(s); err != nil {
			break
		}
	}
	errno := sys.ErrnoOf(err)
	if errno == 0 {
		return err
	}
	for _, on := range f.On {
		if uint32(errno) == on {
			return l.all(f.Else)
		}
	}
	return err
}

func (l *lane) all(steps []step.Step) error {
	for _, s := range steps {
		if err := l.apply(s); err != nil {
			return err
		}
	}
	return nil
}

// act is the table of steps.
func (l *lane) act(s step.Step) error {
	switch s := s.(type) {
	case *step.Barrier:
		return l.barrier(s)
	case *step.Unshare:
		return sys.Unshare(s.Flags)
	case *step.Loopback:
		return loopback()
	case *step.Hostname:
		return sys.Sethostname(s.Name)
	case *step.Domainname:
		return sys.Setdomainname(s.Name)
	case *step.Setsid:
		return setsid()
	case *step.Keyring:
		return l.keyring(s)
	case *step.SetPropagation:
		return rootfs.SetPropagation(s)
	case *step.OpenRootfs:
		return l.openRootfs(s)
	case *step.Hook:
		return l.hook(s)
	case *step.Scheduler:
		return scheduler(s)
	case *step.IOPriority:
		return sys.IoprioSet(s.Value)
	case *step.MemoryPolicy:
		return sys.SetMempolicy(s.Mode, s.Nodes, s.MaxNode)
	case *step.Affinity:
		return affinity(s)
	case *step.Personality:
		return sys.Personality(s.Persona)
	case *step.NoNewPrivs:
		_, err := sys.Prctl("PR_SET_NO_NEW_PRIVS", sys.PR_SET_NO_NEW_PRIVS, 1, 0)
		return err
	case *step.BoundingCaps:
		return boundingCaps(s)
	case *step.User:
		return user(s)
	case *step.Caps:
		return l.caps(s)
	case *step.FindExec:
		return l.findExec(s)
	case *step.Seccomp:
		return l.seccomp(s)
	case *step.WaitStart:
		return l.waitStart(s)
	case *step.PlaceFDs:
		return l.placeFDs(s)
	case *step.Exec:
		return l.exec(s)
	}
	return l.inRoot(s)
}

// inRoot is the part of the table whose steps work on the rootfs, or on the present root when the
// process has joined a container.
func (l *lane) inRoot(s step.Step) error {
	if err := l.needRoot(); err != nil {
		return err
	}
	switch s := s.(type) {
	case *step.Mount:
		return l.mount(s)
	case *step.Unmount:
		return l.root.Unmount(s)
	case *step.Symlink:
		return l.root.Symlink(s)
	case *step.Device:
		return l.root.Device(s)
	case *step.Console:
		return l.console(s)
	case *step.MaskPath:
		return l.root.MaskPath(s)
	case *step.ReadonlyPath:
		return l.root.ReadonlyPath(s)
	case *step.ReadonlyRoot:
		return l.root.ReadonlyRoot()
	case *step.PivotRoot:
		return l.changeRoot(l.root.PivotRoot())
	case *step.MoveRoot:
		return l.changeRoot(l.root.MoveRoot(l.path))
	case *step.Sysctl:
		return l.root.Sysctl(s.Key, s.Value)
	case *step.ExecLabel:
		return l.root.Label(s.LSM, "exec", s.Label)
	case *step.Chdir:
		return l.chdir(s)
	}
	return &sys.Error{Op: "init", Object: s.Kind().String(), Note: "this step belongs to the host"}
}

// needRoot opens the present root when no rootfs is open.
func (l *lane) needRoot() (err error) {
	if l.root == nil {
		l.root, err = rootfs.Here()
	}
	return err
}
