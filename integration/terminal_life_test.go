package integration

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// termiosOf is how a terminal is set up.
func termiosOf(t *testing.T, p *pty) unix.Termios {
	t.Helper()
	got, err := unix.IoctlGetTermios(int(p.slave.Fd()), unix.TCGETS)
	check(t, err)
	return *got
}

// shell is an interactive one.
func shell(s *specs.Spec) {
	s.Process.Terminal, s.Process.Args = true, []string{"/bin/sh", "-i"}
	s.Process.Env = append(s.Process.Env, "PS1=# ")
}

// onTerminal starts `run` or `exec -t` on a terminal of the host.
func onTerminal(t *testing.T, b *bundle, host *pty, exec bool, command ...string) *call {
	t.Helper()
	if exec {
		b.hold()
		return b.begin(host.onPTY(b.cmd(append([]string{"exec", "-t", b.id}, command...)...)))
	}
	b.edit(terminal, args(command...))
	b.write()
	return b.begin(host.onPTY(b.cmd(b.line("run", nil)...)))
}

// bothWays runs a case with run and with exec -t.
func bothWays(t *testing.T, f func(t *testing.T, exec bool)) {
	for name, exec := range map[string]bool{"run": false, "exec": true} {
		t.Run(name, func(t *testing.T) { f(t, exec) })
	}
}

func TestJobControlInside(t *testing.T) {
	bothWays(t, func(t *testing.T, exec bool) {
		b := newBundle(t)
		host := newPTY(t, 24, 80)
		c := onTerminal(t, b, host, exec, "/bin/sh", "-i")
		host.write(t, "echo sh''ell\n")
		host.waitText(t, "shell\n")
		host.write(t, "sleep 1000\n")
		waitFor(t, "the sleep", func() bool { return len(b.sleeping(t)) == 1 })
		host.write(t, "\x1a")
		host.waitText(t, "Stopped")
		host.write(t, "jobs; echo list''ed\n")
		host.waitText(t, "listed\n")
		host.write(t, "fg\n")
		waitFor(t, "it to run again", func() bool {
			pids := b.sleeping(t)
			return len(pids) == 1 && strings.HasPrefix(procFieldOr(pids[0], "State", ""), "S")
		})
		host.write(t, "\x03")
		waitFor(t, "its end", func() bool { return len(b.sleeping(t)) == 0 })
		host.write(t, "echo sta''tus $?\n")
		host.waitText(t, "status 130")
		host.write(t, "exit 7\n")
		c.end(t).status(t, 7)
		if strings.Contains(host.text(), "job control") || strings.Contains(host.text(), "can't access tty") {
			t.Errorf("the shell complains: %q", host.text())
		}
	})
}

// sleeping are the host's pids of the container's sleep processes.
func (b *bundle) sleeping(t *testing.T) []int {
	t.Helper()
	var out []int
	for _, pid := range b.pids() {
		if cmdline, _ := os.ReadFile(filepath.Join("/proc", itoa(pid), "cmdline")); strings.HasPrefix(string(cmdline), "sleep\x00") {
			out = append(out, pid)
		}
	}
	return out
}

func TestTypedEndOfFileReachesTheProgram(t *testing.T) {
	bothWays(t, func(t *testing.T, exec bool) {
		b := newBundle(t)
		host := newPTY(t, 24, 80)
		c := onTerminal(t, b, host, exec, "/bin/sh", "-c", "echo up; cat; exit 4")
		host.waitText(t, "up\n")
		host.write(t, "some\n\x04")
		c.end(t).status(t, 4)
	})
}

// Whoever looks in, the terminal of the user is raw while the program has it, and as before afterwards:
// at an end, at a signal, at a failure.
func TestCallersTerminalIsRawMeanwhileAndRestored(t *testing.T) {
	for name, row := range map[string]struct {
		script string
		end    func(b *bundle, c *call)
		status int
	}{
		"end":             {"echo up; read x", nil, 0},
		"SIGTERM to tare": {"trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done", func(_ *bundle, c *call) { c.cmd.Process.Signal(unix.SIGTERM) }, 9},
		"program killed":  {"echo up; kill -KILL $$; sleep 1000", nil, 137},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, exec bool) {
				b := newBundle(t)
				host := newPTY(t, 24, 80)
				before := termiosOf(t, host)
				script := row.script
				if name == "program killed" && !exec {
					script = "echo up; read x; while :; do sleep 1; done" // number 1 cannot kill itself
				}
				c := onTerminal(t, b, host, exec, "/bin/sh", "-c", script)
				host.waitText(t, "up\n")
				if name != "program killed" || !exec {
					if during := termiosOf(t, host); during.Lflag&(unix.ICANON|unix.ECHO|unix.ISIG) != 0 {
						t.Errorf("not raw: %+v", during)
					}
				}
				switch {
				case row.end != nil:
					row.end(b, c)
				case name == "program killed" && !exec:
					check(t, syscall.Kill(b.state().Pid, syscall.SIGKILL))
				case name != "program killed":
					host.write(t, "\n")
				}
				c.end(t).status(t, row.status)
				if after := termiosOf(t, host); after != before {
					t.Errorf("was %+v, is %+v", before, after)
				}
			})
		})
	}
}

func TestExecTerminalFollowsTheCallersResize(t *testing.T) {
	b := newBundle(t)
	host := newPTY(t, 24, 80)
	c := onTerminal(t, b, host, true, "/bin/sh", "-c", "trap 'stty size; exit 3' WINCH; echo up; while :; do sleep 0.05; done")
	host.waitText(t, "up\n")
	host.resize(t, 41, 132)
	host.waitText(t, "41 132\n")
	c.end(t).status(t, 3)
}

func TestExecTerminalPassesAllOutputAtExit(t *testing.T) {
	b := newBundle(t)
	host := newPTY(t, 24, 80)
	c := onTerminal(t, b, host, true, "/bin/sh", "-c", "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done")
	c.end(t).ok(t)
	host.waitText(t, "line 1999\n")
	if n := strings.Count(host.text(), "line "); n != 2000 {
		t.Errorf("%d lines", n)
	}
}

// A child that outlives the program and keeps the terminal does not keep the caller.
func TestTerminalKeptOpenByAnOrphanDoesNotHoldTheCaller(t *testing.T) {
	b := newBundle(t)
	host := newPTY(t, 24, 80)
	c := onTerminal(t, b, host, true, "/bin/sh", "-c", "trap '' HUP; sleep 1000 & echo up; exit 6")
	c.end(t).status(t, 6)
	host.waitText(t, "up\n")
}

// The caller's terminal goes away (its window is closed): the program is told, and ends.
func TestClosedTerminalOfTheCallerHangsUp(t *testing.T) {
	bothWays(t, func(t *testing.T, exec bool) {
		b := newBundle(t)
		b.mayLeave("data/hup")
		host := newPTY(t, 24, 80)
		c := onTerminal(t, b, host, exec, "/bin/sh", "-c", "trap 'echo hup >/data/hup; exit 5' HUP; echo up; while :; do sleep 0.05; done")
		host.waitText(t, "up\n")
		host.slave.Close()
		host.master.Close()
		c.end(t).status(t, 5)
		if !exists(b.inRoot("data/hup")) {
			t.Error("the program was not told")
		}
	})
}

// An interactive shell ends with its caller's terminal, and leaves no container behind.
func TestShellEndsWithTheCallersTerminal(t *testing.T) {
	bothWays(t, func(t *testing.T, exec bool) {
		b := newBundle(t)
		host := newPTY(t, 24, 80)
		c := onTerminal(t, b, host, exec, "/bin/sh", "-i")
		host.write(t, "echo sh''ell\n")
		host.waitText(t, "shell\n")
		host.slave.Close()
		host.master.Close()
		c.end(t)
		if !exec {
			b.wantGone()
		}
	})
}

// staleSocket is a console socket nobody listens on any more.
func staleSocket(t *testing.T, b *bundle) string {
	t.Helper()
	path := filepath.Join(b.dir, "stale.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	check(t, err)
	l.SetUnlinkOnClose(false)
	check(t, l.Close())
	return path
}

func TestConsoleSocketThatNobodyListensOnFails(t *testing.T) {
	b := newBundle(t, terminal)
	b.write()
	b.tare(b.line("create", []string{"--console-socket", staleSocket(t, b)})...).fails(t, "connection refused")
	b.wantGone()
	c := newSerial(t)
	c.hold()
	c.execWith([]string{"-t", "-d", "--console-socket", staleSocket(t, c)}, "/bin/true").failsWith(t, execFailure(), "connection refused")
}

func TestConsoleSocketThatIsAFileFails(t *testing.T) {
	b := newBundle(t, terminal)
	b.write()
	b.tare(b.line("create", []string{"--console-socket", b.hostFile("file", "")})...).fails(t, "connection refused")
	b.wantGone()
}

// The engine takes the connection and dies before it takes the terminal: create does not hang, and what
// comes of it can be deleted.
func TestConsoleSocketThatIsClosedAtOnceDoesNotHang(t *testing.T) {
	b := newBundle(t, terminal, prog("hold"))
	sock := newConsoleSocket(t, b)
	go func() {
		if conn, err := sock.listener.Accept(); err == nil {
			conn.Close()
		}
	}()
	b.write()
	b.live = true
	r := b.tare(b.line("create", []string{"--console-socket", sock.path})...)
	if r.code != 0 {
		b.wantGone()
	}
}

// The listener is there and takes nothing: its backlog does.
func TestConsoleSocketThatAcceptsNothingDoesNotHang(t *testing.T) {
	b := newBundle(t, terminal, prog("hold"))
	sock := newConsoleSocket(t, b)
	b.create("--console-socket", sock.path)
	b.start().ok(t)
}

// The engine takes the master and dies: the container's session is hung up.
func TestMasterThatGoesAwayBeforeStartEndsAShell(t *testing.T) {
	b := newBundle(t, shell)
	sock := newConsoleSocket(t, b)
	b.create("--console-socket", sock.path)
	sock.master(t).master.Close()
	r := b.start()
	// The hang-up may have ended the process that waits for start already.
	if r.code != 0 && !strings.Contains(r.err, "stopped") && !strings.Contains(r.err, "was killed") {
		t.Errorf("%v", r)
	}
	b.waitStopped()
}

// An engine detaches and attaches again: the terminal lives as long as it holds the master.
func TestOutputWaitsForAnEngineThatAttachesLate(t *testing.T) {
	b := newBundle(t, terminal, sh("echo early; exit 3"))
	sock := newConsoleSocket(t, b)
	b.create("--console-socket", sock.path)
	_, files := sock.receive(t)
	b.start().ok(t)
	b.waitStopped()
	buf := make([]byte, 100)
	check(t, files[0].SetReadDeadline(time.Now().Add(deadline/2)))
	n, err := files[0].Read(buf)
	check(t, err)
	if got := string(buf[:n]); got != "early\r\n" {
		t.Errorf("%q", got)
	}
	files[0].Close()
}

// The caller's input is no terminal: there is nothing to make raw, and the program has a terminal still.
func TestForegroundTerminalWithoutOneOfTheCaller(t *testing.T) {
	not(t, "runc", "wants one")
	b := newBundle(t, terminal, sh("test -t 0 && test -t 1 && echo terminal; exit 3"))
	r := b.run().status(t, 3)
	if !strings.Contains(r.out, "terminal") {
		t.Errorf("%v", r)
	}
}
