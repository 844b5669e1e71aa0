// Package systemd manages a cgroup through a transient unit of systemd, a
// scope or a slice, so that systemd knows of it, accounts for it and does not
// interfere. Everything that D-Bus cannot say is written to the files.
package systemd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
	"golang.org/x/sys/unix"

	"tare/cgroups"
)

const (
	systemBus = "unix:path=/run/dbus/system_bus_socket"
	private   = "unix:path=/run/systemd/private"

	busName   = "org.freedesktop.systemd1"
	busPath   = "/org/freedesktop/systemd1"
	ifManager = busName + ".Manager"

	errUnitExists = busName + ".UnitExists"
	errNoSuchUnit = busName + ".NoSuchUnit"

	// jobTime bounds every operation: a busy systemd must not hang a caller.
	jobTime = 30 * time.Second
)

// ErrNoBus is wrapped by errors of a bus that cannot be reached, or does not
// take the caller.
var ErrNoBus = errors.New("connect to bus")

// connection is one open bus.
type connection struct {
	*dbus.Conn
	manager dbus.BusObject
}

// connect opens the unit's bus. Root may reach systemd even without a bus.
func connect(ctx context.Context, u *cgroups.Unit) (*connection, error) {
	if u.Bus != "" {
		return dial(ctx, u.Bus, u.BusUID, true)
	}
	if u.User {
		return nil, fmt.Errorf("%w: the address of the user's is not known (is DBUS_SESSION_BUS_ADDRESS or XDG_RUNTIME_DIR set?)", ErrNoBus)
	}
	c, err := dial(ctx, systemBus, os.Geteuid(), true)
	if err != nil && os.Geteuid() == 0 {
		if p, perr := dial(ctx, private, 0, false); perr == nil {
			return p, nil
		}
	}
	return c, err
}

func dial(ctx context.Context, address string, uid int, hello bool) (*connection, error) {
	fail := func(err error) (*connection, error) {
		return nil, fmt.Errorf("%w %q: %w", ErrNoBus, address, err)
	}
	conn, err := dbus.Dial(address, dbus.WithContext(ctx))
	if err != nil {
		return fail(err)
	}
	if err := conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(uid))}); err != nil {
		conn.Close()
		return fail(err)
	}
	if hello {
		if err := conn.Hello(); err != nil {
			conn.Close()
			return fail(err)
		}
	}
	return &connection{conn, conn.Object(busName, busPath)}, nil
}

// with runs fn on an open bus within jobTime, and once more on a new one if
// that breaks.
func with(ctx context.Context, u *cgroups.Unit, fn func(context.Context, *connection) error) error {
	ctx, cancel := context.WithTimeout(ctx, jobTime)
	defer cancel()
	for try := 0; ; try++ {
		err := once(ctx, u, fn)
		if err == nil || !again(err) || try == 1 || ctx.Err() != nil {
			if err != nil && ctx.Err() != nil {
				return fmt.Errorf("%w (systemd did not answer in time)", err)
			}
			return err
		}
	}
}

func once(ctx context.Context, u *cgroups.Unit, fn func(context.Context, *connection) error) error {
	c, err := connect(ctx, u)
	if err != nil {
		return err
	}
	defer c.Close()
	return fn(ctx, c)
}

// again: the connection is lost, whoever noticed it first.
func again(err error) bool {
	return errors.Is(err, dbus.ErrClosed) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET)
}

// call calls a method of systemd's manager; ret may be nil.
func (c *connection) call(ctx context.Context, method string, ret any, args ...any) error {
	call := c.manager.CallWithContext(ctx, ifManager+"."+method, 0, args...)
	if call.Err != nil || ret == nil {
		return call.Err
	}
	return call.Store(ret)
}

// isError reports whether err is the D-Bus error of that name.
func isError(err error, name string) bool {
	var e dbus.Error
	if errors.As(err, &e) {
		return e.Name == name
	}
	var p *dbus.Error
	return errors.As(err, &p) && p.Name == name
}

// property reads a property of systemd's manager.
func (c *connection) property(ctx context.Context, name string) (string, error) {
	var v dbus.Variant
	call := c.manager.CallWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0, ifManager, name)
	if err := call.Store(&v); err != nil {
		return "", fmt.Errorf("systemd property %s: %w", name, err)
	}
	s, ok := v.Value().(string)
	if !ok {
		return "", fmt.Errorf("systemd property %s: has type %s", name, v.Signature())
	}
	return s, nil
}

// version returns the number of systemd's version, such as 257.
func (c *connection) version(ctx context.Context) (int, error) {
	s, err := c.property(ctx, "Version")
	if err != nil {
		return 0, err
	}
	return parseVersion(s)
}

// parseVersion takes the number out of "257.13-1~deb13u1" or "v252".
func parseVersion(s string) (int, error) {
	digits := strings.TrimLeft(s, `v"`)
	end := 0
	for end < len(digits) && digits[end] >= '0' && digits[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(digits[:end])
	if err != nil {
		return 0, fmt.Errorf("systemd version %q: no number", s)
	}
	return n, nil
}

// job starts a job by fn, which returns its path, and waits for its end.
func (c *connection) job(ctx context.Context, unit string, fn func() (dbus.ObjectPath, error)) error {
	// JobRemoved(id u, job o, unit s, result s); few other signals come here.
	signals := make(chan *dbus.Signal, 64)
	c.Signal(signals)
	defer c.RemoveSignal(signals)
	if err := c.subscribe(ctx, unit); err != nil {
		return err
	}
	path, err := fn()
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for systemd job %s: %w", path, ctx.Err())
		case s, ok := <-signals:
			if !ok {
				return dbus.ErrClosed
			}
			if result, mine := jobResult(s, path); mine {
				if result != "done" {
					return fmt.Errorf("systemd job %s: result %q", path, result)
				}
				return nil
			}
		}
	}
}

// subscribe asks for the signal. systemd sends none on a bus before somebody
// calls Subscribe; on its private socket there is no bus to match on.
func (c *connection) subscribe(ctx context.Context, unit string) error {
	if len(c.Names()) > 0 {
		err := c.AddMatchSignalContext(ctx, dbus.WithMatchInterface(ifManager), dbus.WithMatchMember("JobRemoved"), dbus.WithMatchArg(2, unit))
		if err != nil {
			return fmt.Errorf("watch systemd jobs: %w", err)
		}
	}
	if err := c.call(ctx, "Subscribe", nil); err != nil && !isError(err, busName+".AlreadySubscribed") {
		return fmt.Errorf("subscribe to systemd: %w", err)
	}
	return nil
}

func jobResult(s *dbus.Signal, path dbus.ObjectPath) (result string, mine bool) {
	if s == nil || s.Name != ifManager+".JobRemoved" || len(s.Body) < 4 {
		return "", false
	}
	job, _ := s.Body[1].(dbus.ObjectPath)
	result, _ = s.Body[3].(string)
	return result, job == path
}
