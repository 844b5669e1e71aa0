package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// tmux is a server of the case's own with one window, in which a call of the runtime runs.
type tmux struct {
	t      *testing.T
	sock   string
	status string // the file that gets the exit status
}

// newTmux starts `run`, or `exec -t` of a command, in a window of 80 columns and 24 rows. A window stays when
// its program has ended.
func newTmux(t *testing.T, b *bundle, line ...string) *tmux {
	t.Helper()
	needTool(t, "tmux")
	m := &tmux{t, filepath.Join(b.dir, "tmux.sock"), filepath.Join(b.dir, "tmux.status")}
	t.Cleanup(func() { m.cmd("kill-server").Run() })
	config := b.hostFile("tmux.conf", "set -g remain-on-exit on\nset -g history-limit 5000\nset -g status off\nset -s exit-empty off\n")
	call := append([]string{"-f", config, "new-session", "-d", "-x", "80", "-y", "24",
		"sh", "-c", `"$@"; echo $? >` + m.status, "sh"}, b.cmd(line...).Args...)
	if out, err := m.cmd(call...).CombinedOutput(); err != nil {
		t.Fatalf("tmux: %v\n%s", err, out)
	}
	return m
}

func (m *tmux) cmd(args ...string) *exec.Cmd {
	cmd := exec.Command("tmux", append([]string{"-S", m.sock, "-u"}, args...)...)
	cmd.Env = append(os.Environ(), "TERM=screen", "SHELL=/bin/sh", "LC_ALL=C.UTF-8")
	return cmd
}

func (m *tmux) do(args ...string) string {
	m.t.Helper()
	out, err := m.cmd(args...).CombinedOutput()
	if err != nil {
		m.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// keys types keys, as tmux names them.
func (m *tmux) keys(keys ...string) {
	m.t.Helper()
	m.do(append([]string{"send-keys"}, keys...)...)
}

// wait waits until the window, or what has scrolled out of it, shows text.
func (m *tmux) wait(text string) string {
	m.t.Helper()
	var shown string
	waitForText(m.t, text, func() string {
		out, _ := m.cmd("capture-pane", "-p", "-J", "-S", "-").Output()
		shown = string(out)
		return shown
	})
	return shown
}

// dead waits for the end of the window's program, and returns its status.
func (m *tmux) dead() string {
	m.t.Helper()
	var status string
	// Not from tmux, which does not always collect its programs.
	waitFor(m.t, "the end", func() bool {
		data, _ := os.ReadFile(m.status)
		status = strings.TrimSpace(string(data))
		return status != ""
	})
	return status
}

// inTmux runs a case in a window with `run` and with `exec -t`, of an interactive shell.
func inTmux(t *testing.T, f func(b *bundle, m *tmux, isExec bool)) {
	for _, isExec := range []bool{false, true} {
		name := "run"
		if isExec {
			name = "exec"
		}
		t.Run(name, func(t *testing.T) {
			prompt := func(s *specs.Spec) { s.Process.Env = append(s.Process.Env, "PS1=here# ", "TERM=screen") }
			b := newBundle(t, prompt)
			var m *tmux
			if isExec {
				b.hold()
				m = newTmux(t, b, "exec", "-t", b.id, "/bin/sh", "-i")
			} else {
				b.edit(shell, prompt)
				b.write()
				m = newTmux(t, b, b.line("run", nil)...)
			}
			m.wait("here#")
			f(b, m, isExec)
		})
	}
}

func TestTmuxWindowIsResized(t *testing.T) {
	inTmux(t, func(_ *bundle, m *tmux, _ bool) {
		m.keys("while :; do stty size; sleep 0.1; done", "Enter")
		m.wait("24 80\n")
		for _, size := range [][2]string{{"30", "100"}, {"10", "40"}} {
			m.do("resize-window", "-y", size[0], "-x", size[1])
			m.wait(size[0] + " " + size[1] + "\n")
		}
		m.keys("C-c")
		m.wait("^C\nhere#") // it throws away what is typed ahead
		m.keys("exit 3", "Enter")
		if status := m.dead(); status != "3" {
			m.t.Errorf("status %s", status)
		}
	})
}

// The user detaches, what runs goes on, and the next client finds it.
func TestTmuxDetachAndAttach(t *testing.T) {
	inTmux(t, func(b *bundle, m *tmux, _ bool) {
		client := func() (*pty, *call) {
			host := newPTY(m.t, 24, 80)
			return host, b.begin(host.onPTY(m.cmd("attach")))
		}
		first, c := client()
		first.waitText(m.t, "here#")
		first.write(m.t, "i=0; while :; do i=$((i+1)); echo rou''nd $i; sleep 0.1; done\r")
		first.waitText(m.t, "round 3")
		m.do("detach-client")
		c.end(m.t).ok(m.t)
		m.wait("round 6")
		second, c := client()
		second.waitText(m.t, "round 9")
		second.write(m.t, "\x03")
		m.wait("^C\nhere#")
		second.write(m.t, "echo sto''pped\r")
		m.wait("stopped")
		m.do("detach-client")
		c.end(m.t).ok(m.t)
		m.keys("exit 4", "Enter")
		if status := m.dead(); status != "4" {
			m.t.Errorf("status %s", status)
		}
	})
}

func TestTmuxJobControl(t *testing.T) {
	inTmux(t, func(b *bundle, m *tmux, _ bool) {
		m.keys("sleep 1000", "Enter")
		waitFor(m.t, "the sleep", func() bool { return len(b.sleeping(m.t)) == 1 })
		m.keys("C-z")
		m.wait("Stopped")
		m.keys("bg", "Enter")
		m.keys("jobs | grep -c Runn''ing", "Enter")
		m.wait("here# jobs | grep -c Runn''ing\n1\n")
		m.keys("fg", "Enter")
		waitFor(m.t, "its end", func() bool {
			m.keys("C-c") // again: it may come before the shell has brought it back
			return len(b.sleeping(m.t)) == 0
		})
		m.keys("echo sta''tus $?", "Enter")
		m.wait("status 130")
		m.keys("C-d")
		m.dead()
	})
}

// Much output at once comes whole. (What is written right before the end is for the tests that hold the
// terminal themselves: tmux loses some of that now and then, with a shell and no container, too.)
func TestTmuxShowsAllOutput(t *testing.T) {
	inTmux(t, func(_ *bundle, m *tmux, _ bool) {
		m.keys("i=0; while [ $i -lt 1000 ]; do echo l''ine $i; i=$((i+1)); done", "Enter")
		shown := m.wait("line 999\n")
		if n := strings.Count(shown, "line "); n != 1000 {
			m.t.Errorf("%d lines", n)
		}
		m.keys("exit 5", "Enter")
		if status := m.dead(); status != "5" {
			m.t.Errorf("status %s", status)
		}
	})
}

// The window is closed: the shell in it ends, and with run so does the container.
func TestTmuxWindowIsKilled(t *testing.T) {
	inTmux(t, func(b *bundle, m *tmux, isExec bool) {
		m.do("kill-session")
		waitFor(m.t, "the shell to end", func() bool {
			if isExec {
				return len(b.pids()) == 1 // what holds the container
			}
			return !exists(filepath.Join(b.root, b.id))
		})
	})
}
