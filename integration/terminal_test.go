package integration

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/integration/report"
)

// ttyOf parses the JSON that `testprog tty` wrote to a terminal.
func ttyOf(t *testing.T, p *pty) report.TTY {
	t.Helper()
	p.waitText(t, "}\n")
	text := p.text()
	return decode[report.TTY](t, text[strings.Index(text, "{"):strings.LastIndex(text, "}")+1])
}

func TestTerminalIsSentOverTheConsoleSocket(t *testing.T) {
	b := newBundle(t, terminal, prog("tty"))
	sock := newConsoleSocket(t, b)
	b.create("--console-socket", sock.path)
	p := sock.master(t)
	b.start().ok(t)
	tty := ttyOf(t, p)
	for fd := range 3 {
		if !tty.IsTTY[fd] || !strings.HasPrefix(tty.Name[fd], "/dev/pts/") {
			t.Errorf("fd %d: %v %q", fd, tty.IsTTY[fd], tty.Name[fd])
		}
	}
	if !tty.Controls || !tty.Foreground {
		t.Errorf("%+v", tty)
	}
}

func TestConsoleSocketPayloadIsTheNameOfThePTY(t *testing.T) {
	b := newBundle(t, terminal, prog("hold"))
	sock := newConsoleSocket(t, b)
	b.create("--console-socket", sock.path)
	name, files := sock.receive(t)
	if len(files) != 1 || !strings.Contains(name, "/dev/pts/") && !strings.Contains(name, "/dev/ptmx") {
		t.Errorf("%q, %d descriptors", name, len(files))
	}
}

func TestConsoleSocketPathIsRelativeToTheCaller(t *testing.T) {
	b := newBundle(t, terminal, prog("hold"))
	sock := newConsoleSocket(t, b)
	check(t, os.Rename(sock.path, b.path+"/console.sock"))
	cmd := b.cmd("create", "--bundle", b.path, "--console-socket", "console.sock", b.id)
	cmd.Dir = b.path
	b.write()
	b.live = true
	b.do(cmd).ok(t)
	sock.master(t)
}

func TestTerminalIsMountedOnDevConsole(t *testing.T) {
	b := newBundle(t, terminal, prog("tty"))
	sock := newConsoleSocket(t, b)
	b.detach("--console-socket", sock.path)
	tty := ttyOf(t, sock.master(t))
	if tty.Console.Type != "char" || tty.Console.Major != 136 || tty.Console.FSType != unix.DEVPTS_SUPER_MAGIC {
		t.Errorf("%+v", tty.Console)
	}
}

func TestTerminalIsOfTheContainersOwnDevpts(t *testing.T) {
	b := newBundle(t, terminal, sh("test -c $(tty 2>/dev/null || readlink /proc/self/fd/0) && ls /dev/pts && /testprog hold"))
	check(t, os.Symlink("busybox", b.inRoot("bin/tty")))
	sock := newConsoleSocket(t, b)
	b.detach("--console-socket", sock.path)
	p := sock.master(t)
	p.waitText(t, "ready")
	if !strings.HasPrefix(p.text(), "0") {
		t.Errorf("%q", p.text())
	}
}

func TestConsoleSizeIsSetBeforeTheProgramStarts(t *testing.T) {
	b := newBundle(t, terminal, prog("tty"), func(s *specs.Spec) { s.Process.ConsoleSize = &specs.Box{Height: 31, Width: 97} })
	sock := newConsoleSocket(t, b)
	b.detach("--console-socket", sock.path)
	if tty := ttyOf(t, sock.master(t)); tty.Rows != 31 || tty.Cols != 97 {
		t.Errorf("%d rows, %d columns", tty.Rows, tty.Cols)
	}
}

func TestConsoleSizeWithAZeroIsIgnored(t *testing.T) {
	b := newBundle(t, terminal, prog("tty"), func(s *specs.Spec) { s.Process.ConsoleSize = &specs.Box{Height: 31} })
	sock := newConsoleSocket(t, b)
	b.detach("--console-socket", sock.path)
	if tty := ttyOf(t, sock.master(t)); tty.Rows != 0 || tty.Cols != 0 {
		t.Errorf("%d rows, %d columns", tty.Rows, tty.Cols)
	}
}

func TestInputReachesTheProgramThroughTheMaster(t *testing.T) {
	b := newBundle(t, terminal, sh("stty -echo; echo up; read x; echo got $x"))
	sock := newConsoleSocket(t, b)
	b.detach("--console-socket", sock.path)
	p := sock.master(t)
	p.waitText(t, "up\n")
	p.write(t, "hello\n")
	p.waitText(t, "got hello\n")
}

func TestControlCInterruptsTheForegroundGroup(t *testing.T) {
	b := newBundle(t, terminal, prog("hold"))
	sock := newConsoleSocket(t, b)
	b.detach("--console-socket", sock.path)
	p := sock.master(t)
	p.waitText(t, "ready")
	p.write(t, "\x03")
	p.waitText(t, "got SIGINT")
}

func TestMasterResizeSendsSIGWINCH(t *testing.T) {
	b := newBundle(t, terminal, prog("hold"))
	sock := newConsoleSocket(t, b)
	b.detach("--console-socket", sock.path)
	p := sock.master(t)
	p.waitText(t, "ready")
	p.resize(t, 50, 60)
	p.waitText(t, "got SIGWINCH")
}

func TestClosedMasterHangsUp(t *testing.T) {
	b := newBundle(t, terminal, sh("trap 'echo hup > /data/hup; exit 5' HUP; echo up; while :; do sleep 0.05; done"))
	b.mayLeave("data/hup")
	sock := newConsoleSocket(t, b)
	b.detach("--console-socket", sock.path)
	p := sock.master(t)
	p.waitText(t, "up\n")
	p.master.Close()
	waitFor(t, "the hang-up", func() bool { return exists(b.inRoot("data/hup")) })
}

func TestTerminalBelongsToTheProcessUser(t *testing.T) {
	b := newBundle(t, terminal, user(1000, 1000), sh("/testprog stat $(readlink /proc/self/fd/0) /dev/console; echo x > /dev/tty"))
	sock := newConsoleSocket(t, b)
	b.detach("--console-socket", sock.path)
	p := sock.master(t)
	p.waitText(t, "x\n")
	for path, st := range decode[map[string]report.Stat](t, p.text()[:strings.LastIndex(p.text(), "}")+1]) {
		if st.UID != 1000 {
			t.Errorf("%s: %+v", path, st)
		}
	}
}

func TestTerminalInAUserNamespace(t *testing.T) {
	b := newBundle(t, terminal, userNS, prog("tty"))
	sock := newConsoleSocket(t, b)
	b.detach("--console-socket", sock.path)
	if tty := ttyOf(t, sock.master(t)); !tty.IsTTY[0] || !tty.Controls || tty.Console.UID != 0 {
		t.Errorf("%+v", tty)
	}
}

func TestTerminalDetachedWithoutASocketFails(t *testing.T) {
	for _, line := range [][]string{{"create"}, {"run", "-d"}} {
		t.Run(line[0], func(t *testing.T) {
			b := newBundle(t, terminal)
			b.write()
			b.tare(b.line(line[0], line[1:])...).fails(t, "cannot allocate tty if ", " will detach without setting console socket")
			b.wantGone()
		})
	}
}

func TestConsoleSocketWithoutATerminalFails(t *testing.T) {
	b := newBundle(t)
	sock := newConsoleSocket(t, b)
	b.write()
	b.tare(b.line("create", []string{"--console-socket", sock.path})...).fails(t, "console socket")
	b.wantGone()
}

func TestConsoleSocketInTheForegroundFails(t *testing.T) {
	b := newBundle(t, terminal)
	sock := newConsoleSocket(t, b)
	b.run("--console-socket", sock.path).fails(t, "console socket")
	b.wantGone()
}

func TestConsoleSocketThatIsNotThereFails(t *testing.T) {
	b := newBundle(t, terminal)
	b.write()
	b.tare(b.line("create", []string{"--console-socket", b.dir + "/none"})...).fails(t, "no such file or directory")
	b.wantGone()
}

func TestForegroundTerminalIsWiredToTheCallers(t *testing.T) {
	b := newBundle(t, terminal, sh("echo out; echo err >&2; read x; echo got $x; exit 5"))
	host := newPTY(t, 24, 80)
	b.write()
	c := b.begin(host.onPTY(b.cmd(b.line("run", nil)...)))
	host.waitText(t, "err\n")
	host.write(t, "line\n")
	host.waitText(t, "got line\n")
	c.end(t).status(t, 5)
	b.wantGone()
}

func TestForegroundTerminalHasTheCallersSizeFromTheStart(t *testing.T) {
	not(t, "runc", "is late at times")
	b := newBundle(t, terminal, prog("tty"))
	host := newPTY(t, 37, 123)
	b.write()
	b.begin(host.onPTY(b.cmd(b.line("run", nil)...))).end(t).ok(t)
	if tty := ttyOf(t, host); tty.Rows != 37 || tty.Cols != 123 {
		t.Errorf("%d rows, %d columns", tty.Rows, tty.Cols)
	}
}

func TestForegroundTerminalFollowsTheCallersResize(t *testing.T) {
	b := newBundle(t, terminal, sh("trap 'stty size' WINCH; echo up; while :; do sleep 0.05; done"))
	host := newPTY(t, 24, 80)
	b.write()
	c := b.begin(host.onPTY(b.cmd(b.line("run", nil)...)))
	host.waitText(t, "up\n")
	host.resize(t, 41, 132)
	host.waitText(t, "41 132\n")
	check(t, syscall.Kill(b.state().Pid, syscall.SIGKILL))
	c.end(t).status(t, 137)
}

func TestCallersTerminalIsRestored(t *testing.T) {
	b := newBundle(t, terminal, args("/bin/true"))
	host := newPTY(t, 24, 80)
	before, err := unix.IoctlGetTermios(int(host.slave.Fd()), unix.TCGETS)
	check(t, err)
	b.write()
	b.begin(host.onPTY(b.cmd(b.line("run", nil)...))).end(t).ok(t)
	after, err := unix.IoctlGetTermios(int(host.slave.Fd()), unix.TCGETS)
	check(t, err)
	if *before != *after {
		t.Errorf("was %+v, is %+v", before, after)
	}
}

func TestCallersTerminalIsRestoredAfterAFailure(t *testing.T) {
	b := newBundle(t, terminal, args("/no/such"))
	host := newPTY(t, 24, 80)
	before, err := unix.IoctlGetTermios(int(host.slave.Fd()), unix.TCGETS)
	check(t, err)
	b.write()
	b.begin(host.onPTY(b.cmd(b.line("run", nil)...))).end(t).status(t, 1)
	after, err := unix.IoctlGetTermios(int(host.slave.Fd()), unix.TCGETS)
	check(t, err)
	if *before != *after {
		t.Errorf("was %+v, is %+v", before, after)
	}
	// What the terminal has taken is read here a moment later.
	waitFor(t, "the error", func() bool { return strings.Contains(host.text(), "no such file or directory") })
}

func TestForegroundTerminalPassesAllOutputAtExit(t *testing.T) {
	b := newBundle(t, terminal, sh("i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done"))
	host := newPTY(t, 24, 80)
	b.write()
	b.begin(host.onPTY(b.cmd(b.line("run", nil)...))).end(t).ok(t)
	host.waitText(t, "line 1999\n")
	if n := strings.Count(host.text(), "line "); n != 2000 {
		t.Errorf("%d lines", n)
	}
}

func TestForegroundTerminalDoesNotDoubleCarriageReturns(t *testing.T) {
	b := newBundle(t, terminal, args("/bin/echo", "x"))
	host := newPTY(t, 24, 80)
	b.write()
	b.begin(host.onPTY(b.cmd(b.line("run", nil)...))).end(t).ok(t)
	host.waitText(t, "x")
	if strings.Contains(host.raw(), "\r\r") {
		t.Errorf("%q", host.raw())
	}
}

func TestExecTerminalOverTheConsoleSocket(t *testing.T) {
	b := newBundle(t)
	b.hold()
	sock := newConsoleSocket(t, b)
	b.execWith([]string{"-t", "-d", "--console-socket", sock.path}, "/testprog", "tty").ok(t)
	tty := ttyOf(t, sock.master(t))
	if !tty.IsTTY[0] || !tty.IsTTY[1] || !tty.IsTTY[2] || !tty.Controls {
		t.Errorf("%+v", tty)
	}
	if tty.Console.Err != "ENOENT" {
		t.Errorf("exec made /dev/console: %+v", tty.Console)
	}
}

func TestExecTerminalInTheForeground(t *testing.T) {
	b := newBundle(t)
	b.hold()
	host := newPTY(t, 33, 99)
	c := b.begin(host.onPTY(b.cmd("exec", "-t", b.id, "/bin/sh", "-c", "read x; stty size; exit 9")))
	host.write(t, "go\n")
	c.end(t).status(t, 9)
	host.waitText(t, "33 99\n")
}

func TestExecDetachedTerminalWithoutASocketFails(t *testing.T) {
	b := newBundle(t)
	b.hold()
	b.execWith([]string{"-t", "-d"}, "/bin/true").failsWith(t, execFailure(), "console socket")
}

func TestProcessFileTerminalSizeIsUsed(t *testing.T) {
	b := newBundle(t)
	b.hold()
	sock := newConsoleSocket(t, b)
	p := *b.spec.Process
	p.Terminal, p.Args, p.ConsoleSize = true, []string{"/testprog", "tty"}, &specs.Box{Height: 12, Width: 34}
	file := filepath.Join(b.dir, "process.json")
	writeJSON(t, file, p)
	b.tare("exec", "-d", "--process", file, "--console-socket", sock.path, b.id).ok(t)
	if tty := ttyOf(t, sock.master(t)); tty.Rows != 12 || tty.Cols != 34 {
		t.Errorf("%d rows, %d columns", tty.Rows, tty.Cols)
	}
}
