package initstage_test

import (
	"encoding/json"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"tare/internal/step"
)

func devpts() *step.Mount {
	return &step.Mount{Type: step.MountFS, FSType: "devpts", Source: "devpts", Target: "/dev/pts",
		Set: syscall.MS_NOSUID | syscall.MS_NOEXEC, Data: []string{"newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}}
}

func consolePlan(t *testing.T, dev []step.Step) (rootfs string, steps []step.Step) {
	rootfs, head := bundle(t)
	return rootfs, join([]step.Step{&step.Setsid{}}, head, dev, []step.Step{
		&step.Console{Place: step.At("process.terminal"), Rows: 33, Cols: 77, BindConsole: true, UID: 1000},
		&step.PivotRoot{}}, ending("tty"))
}

func TestConsole(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for name, dev := range map[string][]step.Step{
		"dev mounted":   {tmpfs("/dev"), devpts(), &step.Device{Path: "/dev/tty", Type: syscall.S_IFCHR, Major: 5, Mode: 0o666}},
		"no dev mount":  {devpts(), &step.Device{Path: "/dev/tty", Type: syscall.S_IFCHR, Major: 5, Mode: 0o666}},
		"existing file": {tmpfs("/dev"), devpts(), &step.Device{Path: "/dev/tty", Type: syscall.S_IFCHR, Major: 5, Mode: 0o666}, bindStep("/dev/null", "/dev/console", 0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, steps := consolePlan(t, dev)
			j := &job{t: t, clone: testClone, steps: steps}
			j.start()
			m, ok := j.recv()
			if ok && m.kind == step.MsgFailure {
				t.Fatal(text(m.report(t)))
			}
			if !ok || m.kind != step.MsgFD || len(m.payload) != 1 || m.payload[0] != step.RoleConsole || len(m.fds) != 1 {
				t.Fatalf("got %v %+v, want the master", ok, m)
			}
			master := os.NewFile(uintptr(m.fds[0]), "master")
			defer master.Close()
			if n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN); err != nil || n != 0 {
				t.Errorf("terminal %d, %v; want the first of the container's own", n, err)
			}
			if m, ok := j.recv(); !ok || m.kind != step.MsgArrived {
				t.Fatalf("message %d, %v", m.kind, ok)
			}
			b := make([]byte, 0, 1<<16)
			for !strings.HasSuffix(string(b), "\n") {
				readable(t, int(master.Fd()))
				n, err := master.Read(b[len(b):cap(b)])
				if err != nil {
					t.Fatalf("%v after %q", err, b)
				}
				b = b[:len(b)+n]
			}
			var s seen
			if err := json.Unmarshal(b, &s); err != nil {
				t.Fatalf("%v in %q", err, b)
			}
			if s.Winsize != "33x77 uid 1000" {
				t.Errorf("got %s", s.Winsize)
			}
			if m, ok := s.mount("/dev/console"); !ok || m.Type != "devpts" {
				t.Errorf("/dev/console: %+v", m)
			}
		})
	}
}

// CVE-2025-52565, CVE-2026-88264: what is prepared at /dev/pts, ptmx or console must not be used.
func TestConsoleGuards(t *testing.T) {
	needRoot(t)
	t.Parallel()
	ptmx, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ptmx.Close() })
	n, err := unix.IoctlGetInt(int(ptmx.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		prepare func(rootfs string) error
		dev     []step.Step
		want    string
	}{
		"console is a link": {func(r string) error { return os.Symlink("/etc/target", r+"/dev/console") },
			[]step.Step{devpts()}, "too many levels of symbolic links"},
		"pts is no devpts": {func(r string) error { return os.Mkdir(r+"/dev/pts", 0o755) }, nil, "not a devpts"},
		"pts is a link":    {func(r string) error { return os.Symlink("/fake", r+"/dev/pts") }, nil, "not a devpts"},
		"ptmx is mounted over": {func(r string) error { return nil },
			[]step.Step{devpts(), bindStep("/dev/null", "/dev/pts/ptmx", 0)}, "not a devpts"},
		"ptmx is a terminal of the host": {func(r string) error { return nil },
			[]step.Step{devpts(), bindStep("/dev/pts/"+itoa(n), "/dev/pts/ptmx", 0)}, "not a devpts"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			rootfs, steps := consolePlan(t, c.dev)
			os.MkdirAll(rootfs+"/dev", 0o755)
			os.MkdirAll(rootfs+"/fake", 0o755)
			os.MkdirAll(rootfs+"/etc", 0o755)
			os.WriteFile(rootfs+"/etc/target", nil, 0o600)
			syscall.Mknod(rootfs+"/fake/ptmx", syscall.S_IFCHR|0o666, 5<<8|2)
			if err := c.prepare(rootfs); err != nil {
				t.Fatal(err)
			}
			j := &job{t: t, clone: testClone, steps: steps}
			j.start()
			if got := text(j.failure()); !strings.HasPrefix(got, "process.terminal: ") || !strings.Contains(got, c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
			var st syscall.Stat_t
			if err := syscall.Stat(rootfs+"/etc/target", &st); err != nil || st.Uid != 0 {
				t.Errorf("the link's target belongs to %d, %v", st.Uid, err)
			}
		})
	}
}
