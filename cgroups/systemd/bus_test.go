package systemd

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	"tare/cgroups"
)

// fakeBus is a bus with a systemd on it: reply is asked for the answer to each
// call but Hello, and may close the connection by a nil answer.
func fakeBus(t *testing.T, reply func(method string) any) *cgroups.Unit {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "bus"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c, reply)
		}
	}()
	return &cgroups.Unit{Name: "x.scope", User: true, Bus: "unix:path=" + l.Addr().String(), BusUID: os.Geteuid()}
}

func serve(c net.Conn, reply func(string) any) {
	defer c.Close()
	in := bufio.NewReader(c)
	for line := ""; line != "BEGIN"; {
		s, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch line = strings.Trim(s, "\x00\r\n"); {
		case strings.HasPrefix(line, "AUTH EXTERNAL"):
			c.Write([]byte("OK 0123456789abcdef0123456789abcdef\r\n"))
		case line == "NEGOTIATE_UNIX_FD":
			c.Write([]byte("ERROR\r\n"))
		case strings.HasPrefix(line, "AUTH"):
			c.Write([]byte("REJECTED EXTERNAL\r\n"))
		}
	}
	for serial := uint32(1); ; serial++ {
		m, err := dbus.DecodeMessage(in)
		if err != nil {
			return
		}
		var body any = ":1.1"
		if method, _ := m.Headers[dbus.FieldMember].Value().(string); method != "Hello" {
			if body = reply(method); body == nil {
				return
			}
		}
		if answer(m, body).EncodeTo(c, binary.LittleEndian) != nil {
			return
		}
	}
}

// answer makes the reply to m; an error becomes a D-Bus error of that name.
func answer(m *dbus.Message, body any) *dbus.Message {
	out := &dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{
		dbus.FieldReplySerial: dbus.MakeVariant(m.Serial())}}
	if err, ok := body.(error); ok {
		out.Type = dbus.TypeError
		out.Headers[dbus.FieldErrorName] = dbus.MakeVariant(err.Error())
		body = "as told"
	}
	if _, empty := body.(struct{}); !empty {
		out.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(body))
		out.Body = []any{body}
	}
	return out
}

func TestALostConnectionIsTriedAgain(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	u := fakeBus(t, func(string) any {
		if asked.Add(1) == 1 {
			return nil // the bus goes away with the question unanswered
		}
		return dbus.MakeVariant("/user.slice")
	})
	root, err := Root(t.Context(), *u)
	if err != nil || root != "/user.slice" || asked.Load() != 2 {
		t.Errorf("%q, %v after %d questions", root, err, asked.Load())
	}
}

func TestABusThatKeepsHangingUpIsAnError(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	u := fakeBus(t, func(string) any { asked.Add(1); return nil })
	if root, err := Root(t.Context(), *u); err == nil || asked.Load() != 2 {
		t.Errorf("%q, %v after %d questions", root, err, asked.Load())
	}
}

func TestAnAnswerThatIsAnErrorIsNotTriedAgain(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	u := fakeBus(t, func(string) any {
		asked.Add(1)
		return errors.New("org.freedesktop.DBus.Error.AccessDenied")
	})
	if _, err := Root(t.Context(), *u); err == nil || !isError(err, "org.freedesktop.DBus.Error.AccessDenied") || asked.Load() != 1 {
		t.Errorf("%v after %d questions", err, asked.Load())
	}
}

// A bus that says nothing, or a job that does not end, holds nobody longer than the time is.
func TestABusThatDoesNotAnswerIsATimeOut(t *testing.T) {
	t.Parallel()
	never := make(chan struct{})
	t.Cleanup(func() { close(never) })
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "bus"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() }) // takes connections, and no notice of them
	silent := &cgroups.Unit{Name: "x.scope", User: true, Bus: "unix:path=" + l.Addr().String(), BusUID: os.Geteuid()}
	busy := fakeBus(t, func(string) any { <-never; return nil })
	endless := fakeBus(t, func(method string) any {
		if method == "StopUnit" {
			return dbus.ObjectPath("/org/freedesktop/systemd1/job/7")
		}
		return struct{}{}
	})
	for name, u := range map[string]*cgroups.Unit{"greeting": silent, "answer": busy, "job": endless} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		m := &Manager{unit: u}
		ended := make(chan error, 1)
		go func() { ended <- with(ctx, u, m.stop) }()
		select {
		case err := <-ended:
			if err == nil || !strings.Contains(err.Error(), "systemd did not answer in time") {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: still waiting", name)
		}
	}
}

// members is a manager of files that only lists processes.
type members struct {
	files
	pids []int
}

func (m members) Pids(bool) ([]int, error) { return m.pids, nil }

func TestAUnitThatExistsIsRefused(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var methods []string
	u := fakeBus(t, func(method string) any {
		mu.Lock()
		defer mu.Unlock()
		methods = append(methods, method)
		switch method {
		case "StartTransientUnit":
			return errors.New(errUnitExists)
		case "ResetFailedUnit":
			return errors.New(errNoSuchUnit)
		}
		return struct{}{}
	})
	m := &Manager{unit: u, mode: cgroups.V2, files: members{pids: []int{1}}}
	err := with(t.Context(), u, func(ctx context.Context, c *connection) error {
		return m.start(ctx, c, cgroups.CreateOptions{PID: os.Getpid()})
	})
	if !errors.Is(err, errExists) || !isError(err, errUnitExists) && !strings.Contains(err.Error(), "exists already") {
		t.Errorf("%v", err)
	}
	m.files = members{pids: []int{1, os.Getpid()}}
	err = with(t.Context(), u, func(ctx context.Context, c *connection) error {
		return m.start(ctx, c, cgroups.CreateOptions{PID: os.Getpid()})
	})
	if err != nil {
		t.Errorf("a unit of its own, started by a try that was cut off: %v", err)
	}
	mu.Lock()
	defer mu.Unlock()
	methods = methods[:len(methods)/2]
	if got := strings.Join(methods, " "); got != "AddMatch Subscribe StartTransientUnit ResetFailedUnit AddMatch Subscribe StartTransientUnit" {
		t.Errorf("%s", got)
	}
}

func TestAUserWithoutABusIsTold(t *testing.T) {
	t.Parallel()
	for _, u := range []cgroups.Unit{{User: true}, {User: true, Bus: "unix:path=" + t.TempDir() + "/none"}} {
		if _, err := Root(t.Context(), u); !errors.Is(err, ErrNoBus) {
			t.Errorf("%+v: %v", u, err)
		}
	}
}
