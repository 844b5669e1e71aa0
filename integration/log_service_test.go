package integration

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// logService stands in for journald and for a syslog daemon: a datagram socket that a call of tare finds
// at the service's place, in a mount namespace of its own.
type logService struct {
	conn *net.UnixConn
	path string
}

func newLogService(t *testing.T, b *bundle) *logService {
	t.Helper()
	path := filepath.Join(b.dir, "service.sock")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	check(t, err)
	t.Cleanup(func() { conn.Close() })
	return &logService{conn, path}
}

// fill sends as much as the service's queue (net.unix.max_dgram_qlen) takes; nobody reads it.
func (s *logService) fill(t *testing.T) {
	t.Helper()
	for range 16 { // each sender may only have so many bytes on the way
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
		check(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		for err == nil {
			err = unix.Sendto(fd, []byte("x"), 0, &unix.SockaddrUnix{Name: s.path})
		}
		if err != unix.EAGAIN {
			t.Fatal(err)
		}
	}
}

// around wraps a call so that it sees the service, and nothing else of the machine's /run and /dev.
func (s *logService) around(cmd *exec.Cmd) *exec.Cmd {
	const script = `set -e
		dev=$(mktemp -d); mount --rbind /dev "$dev"
		mount -t tmpfs tmpfs /run; mkdir -p /run/systemd/journal; : >/run/systemd/journal/socket
		mount --bind "$SERVICE" /run/systemd/journal/socket
		mount -t tmpfs tmpfs /dev
		for n in null zero full random urandom tty ptmx; do : >/dev/$n; mount --bind "$dev/$n" /dev/$n; done
		mkdir /dev/pts; mount --rbind "$dev/pts" /dev/pts; : >/dev/log; mount --bind "$SERVICE" /dev/log
		umount -l "$dev"; rmdir "$dev"; exec "$@"`
	wrapped := exec.Command("unshare", append([]string{"-m", "--propagation", "private", "/bin/sh", "-c", script, "sh"}, cmd.Args...)...)
	wrapped.Dir = cmd.Dir
	wrapped.Env = append(os.Environ(), "SERVICE="+s.path)
	return wrapped
}

// receive takes the next message.
func (s *logService) receive(t *testing.T) string {
	t.Helper()
	check(t, s.conn.SetReadDeadline(time.Now().Add(deadline/2)))
	buf := make([]byte, 1<<18)
	n, err := s.conn.Read(buf)
	check(t, err)
	return string(buf[:n])
}

// empty says whether nothing more has come; what a finished call has sent is there.
func (s *logService) empty() bool {
	s.conn.SetReadDeadline(time.Now())
	_, err := s.conn.Read(make([]byte, 1))
	return err != nil
}

// collect reads all messages until its result is called, which returns them.
func (s *logService) collect() func() string {
	var all strings.Builder
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1<<18)
		for {
			n, err := s.conn.Read(buf)
			if err != nil {
				return
			}
			all.Write(buf[:n])
		}
	}()
	return func() string {
		s.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)) // what was sent is there
		<-done
		return all.String()
	}
}

func TestLogGoesToTheJournal(t *testing.T) {
	onlyTare(t, "journald, as crun has it")
	needTool(t, "unshare")
	b := newBundle(t)
	s := newLogService(t, b)
	b.do(s.around(b.cmd("--log", "journald:unit-1", "state", "absent"))).fails(t, "does not exist")
	got := s.receive(t)
	want := "PRIORITY=3\nSYSLOG_IDENTIFIER=unit-1\nMESSAGE=state: container \"absent\": "
	if !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "does not exist\n") {
		t.Errorf("%q, want %q", got, want)
	}
	if !s.empty() {
		t.Error("there is a second message")
	}
}

// A message with line breaks has its length before it.
func TestLogOfSeveralLinesGoesToTheJournal(t *testing.T) {
	onlyTare(t, "journald, as crun has it")
	needTool(t, "unshare")
	all := several(t, 2)
	for _, b := range all {
		b.detach().waitOut(t, "ready\n")
	}
	b := all[0]
	s := newLogService(t, b)
	r := b.do(s.around(b.cmd("--log", "journald:x", "delete", "--regex", "^re-")))
	r.fails(t, all[0].id, all[1].id)
	got := s.receive(t)
	msg := strings.TrimSuffix(strings.TrimPrefix(r.err, "tare: "), "\n")
	if !strings.Contains(msg, "\n") {
		t.Fatalf("the message is of one line: %q", msg)
	}
	size := string([]byte{byte(len(msg)), byte(len(msg) >> 8), 0, 0, 0, 0, 0, 0})
	if want := "PRIORITY=3\nSYSLOG_IDENTIFIER=x\nMESSAGE\n" + size + msg + "\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	b.do(s.around(b.cmd("--log", "syslog:x", "delete", "--regex", "^re-"))).fails(t)
	if got := s.receive(t); strings.Contains(got, "\n") || !strings.Contains(got, all[1].id) {
		t.Errorf("of one line in syslog: %q", got)
	}
}

func TestLogGoesToSyslog(t *testing.T) {
	onlyTare(t, "syslog, as crun has it")
	needTool(t, "unshare")
	b := newBundle(t)
	s := newLogService(t, b)
	b.do(s.around(b.cmd("--log=syslog:unit-2", "--log-format", "json", "state", "absent"))).fails(t, "does not exist")
	got := s.receive(t)
	if !regexp.MustCompile(`^<27>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d unit-2\[\d+\]: state: container "absent": .*does not exist$`).MatchString(got) {
		t.Errorf("%q", got)
	}
}

// Each level has its priority; what is below the wanted level does not come.
func TestLogServicesGetTheWantedLevels(t *testing.T) {
	onlyTare(t, "journald and syslog, as crun has them")
	needTool(t, "unshare")
	for name, row := range map[string]struct{ dest, level, want, not string }{
		"journal, warnings": {"journald:x", "warning", "PRIORITY=4\n", "PRIORITY=7\n"},
		"journal, all":      {"journald:x", "debug", "PRIORITY=7\n", ""},
		"syslog, warnings":  {"syslog:x", "warning", "<28>", "<31>"},
		"syslog, all":       {"syslog:x", "debug", "<31>", ""},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, args("/bin/true"), func(s *specs.Spec) {
				s.Process.Capabilities.Bounding = append(s.Process.Capabilities.Bounding, "CAP_TEA")
			})
			s := newLogService(t, b)
			b.write()
			all := s.collect()
			b.do(s.around(b.cmd(append([]string{"--log", row.dest, "--log-level", row.level}, b.line("run", nil)...)...))).ok(t)
			text := all()
			if !strings.Contains(text, row.want) || !strings.Contains(text, "CAP_TEA") || row.not != "" && strings.Contains(text, row.not) {
				t.Errorf("%q", text)
			}
		})
	}
}

// A service that takes nothing holds a container up once, and not for ever.
func TestLogServiceThatHangsDoesNotHangContainers(t *testing.T) {
	onlyTare(t, "journald and syslog, as crun has them")
	needTool(t, "unshare")
	b := newBundle(t, sh("echo ran"))
	s := newLogService(t, b)
	s.fill(t)
	b.write()
	r := b.do(s.around(b.cmd(append([]string{"--log", "journald:x", "--debug"}, b.line("run", nil)...)...))).ok(t)
	if r.out != "ran\n" || strings.Count(r.err, "takes nothing") != 1 {
		t.Errorf("%v", r)
	}
}

func TestLogServiceThatIsNotThereFails(t *testing.T) {
	onlyTare(t, "journald and syslog, as crun has them")
	needTool(t, "unshare")
	for dest, socket := range map[string]string{"journald:x": "/run/systemd/journal/socket", "syslog:x": "/dev/log"} {
		b := newSerial(t)
		script := "mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /dev; exec \"$@\""
		cmd := exec.Command("unshare", append([]string{"-m", "--propagation", "private", "/bin/sh", "-c", script, "sh"},
			b.cmd("--log", dest, "list").Args...)...)
		b.do(cmd).fails(t, socket, "no such file or directory")
	}
	for _, dest := range []string{"journald:", "syslog:", "journald:a\nb"} {
		b := newSerial(t)
		b.tare("--log", dest, "list").fails(t, "identifier")
	}
}
