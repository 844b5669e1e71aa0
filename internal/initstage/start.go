package initstage

import (
	"tare/internal/step"
	"tare/internal/sys"
)

// waitStart lets go of the host and waits for the start command. That the listener still accepts is
// what makes the container "created"; it and the connection are close-on-exec, so the kernel closes
// both at execve, and the client reads the end of the stream. A client that dies before it says go
// leaves us waiting for another.
func (l *lane) waitStart(s *step.WaitStart) error {
	fd, err := l.fd(s.Listener)
	if err != nil {
		return err
	}
	listener := l.table[s.Listener-1]
	if err := sys.SetCloexec(fd, true); err != nil {
		return err
	}
	l.conn.Close() // the host reads the end of the stream: created
	for {
		client, err := sys.Accept4(fd)
		if err != nil {
			return err
		}
		kind, _, err := l.message(client.Int())
		if err == nil && kind == step.MsgGo {
			l.conn = client
			listener.Close()
			l.started = true
			return nil
		}
		client.Close()
	}
}
