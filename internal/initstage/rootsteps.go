package initstage

import (
	"syscall"

	"tare/internal/rootfs"
	"tare/internal/step"
	"tare/internal/sys"
)

// openRootfs opens the rootfs; the steps after it work beneath it.
func (l *lane) openRootfs(s *step.OpenRootfs) error {
	tree, err := l.fd(s.Tree)
	if err != nil {
		return err
	}
	l.root.Close()
	l.root, err = rootfs.Open(s, tree)
	l.path = s.Path
	return err
}

func (l *lane) mount(m *step.Mount) error {
	tree, err := l.fd(m.Tree)
	if err != nil {
		return err
	}
	idmap, err := l.fd(m.IDMap)
	if err != nil {
		return err
	}
	return l.root.Mount(m, tree, idmap)
}

// changeRoot follows a change of root: no descriptor of the host's tree may stay.
func (l *lane) changeRoot(err error) error {
	if err == nil {
		l.dropFDs()
	}
	return err
}

// console makes the terminal and takes it.
func (l *lane) console(c *step.Console) error {
	master, peer, err := l.root.Console(c)
	if err != nil {
		return err
	}
	defer master.Close()
	defer peer.Close()
	if err := sys.SetControllingTTY(peer.Int()); err != nil {
		return err
	}
	for fd := range 3 {
		if err := sys.Dup3(peer.Int(), fd, 0); err != nil {
			return err
		}
	}
	return l.sendFD(step.RoleConsole, master.Int())
}

// chdir changes the working directory. A refusal may be put off to the second Chdir of the plan.
func (l *lane) chdir(s *step.Chdir) error {
	err := l.root.Chdir(s.Dir, s.Create)
	errno := sys.ErrnoOf(err)
	if s.Retry && (errno == syscall.EPERM || errno == syscall.EACCES) {
		return nil
	}
	return err
}
