package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completionCase is a line with the cursor at its end.
type completionCase struct {
	line   string   // STATE stands for the state root
	want   []string // candidates, RUN, NEW and FROZEN stand for containers
	absent []string
}

// completionCases holds for all shells.
func completionCases() []completionCase {
	return []completionCase{
		{line: "tare ", want: []string{"create", "exec", "mounts", "features"}, absent: []string{"RUN"}},
		{line: "tare re", want: []string{"resume"}, absent: []string{"exec"}},
		{line: "tare --root STATE p", want: []string{"pause", "plan", "ps"}, absent: []string{"exec"}},
		{line: "tare --log-", want: []string{"--log-format", "--log-level"}, absent: []string{"--root"}},
		{line: "tare --log-level ", want: []string{"debug", "error", "info", "warning"}, absent: []string{"create"}},
		{line: "tare --cgroup-manager=", want: []string{"cgroupfs", "disabled", "systemd"}, absent: []string{"create"}},
		{line: "tare --root STATE state ", want: []string{"RUN", "NEW", "FROZEN"}},
		{line: "tare --root=STATE state ", want: []string{"RUN", "NEW", "FROZEN"}},
		{line: "tare --debug --root STATE start ", want: []string{"NEW"}, absent: []string{"RUN", "FROZEN"}},
		{line: "tare --root STATE resume ", want: []string{"FROZEN"}, absent: []string{"RUN", "NEW"}},
		{line: "tare --root STATE exec --env A=1 -t ", want: []string{"RUN", "NEW", "FROZEN"}},
		{line: "tare --root STATE exec RUN --", absent: []string{"--env", "--tty"}},
		{line: "tare --root STATE exec --pre", want: []string{"--preserve-fds"}},
		{line: "tare --root STATE kill --all RUN US", want: []string{"USR1", "USR2"}, absent: []string{"TERM"}},
		{line: "tare exec --cap CAP_SYS_P", want: []string{"CAP_SYS_PACCT", "CAP_SYS_PTRACE"}, absent: []string{"CAP_CHOWN"}},
		{line: "tare --root STATE mounts ", want: []string{"add", "remove"}},
		{line: "tare --root STATE mounts add ", want: []string{"RUN", "NEW", "FROZEN"}},
		{line: "tare list --format ", want: []string{"json", "table"}},
		{line: "tare create --bundle STATE/../com", want: []string{"compdir"}, absent: []string{"compfile"}},
		{line: "tare create --config STATE/../com", want: []string{"compdir", "compfile"}},
		{line: "tare help ev", want: []string{"events"}},
	}
}

// completionBed makes three containers of different statuses in one state root, and a folder of programs
// whose tare is the one under test. The words of the cases are to be replaced as words says.
func completionBed(t *testing.T) (b *bundle, path string, words *strings.Replacer) {
	t.Helper()
	needController(t, "freezer")
	b = newBundle(t)
	b.hold()
	var others []string
	for _, status := range []string{"new", "frozen"} {
		o := newSerial(t)
		o.root, o.beside = b.root, append(others, b.id)
		o.spec.Process.Args = []string{"/testprog", "hold"}
		o.create()
		if status == "frozen" {
			o.start().ok(t)
			o.tare("pause", o.id).ok(t)
		}
		others = append(others, o.id)
	}
	b.beside = others
	mkdirs(t, filepath.Join(b.dir, "compdir"))
	b.hostFile("compfile", "")
	path = b.hostDir("path")
	check(t, os.Symlink(suite.bin, filepath.Join(path, "tare")))
	return b, path, strings.NewReplacer("STATE", b.root, "RUN", b.id, "NEW", others[0], "FROZEN", others[1])
}

func (c completionCase) words(r *strings.Replacer) completionCase {
	out := completionCase{line: r.Replace(c.line)}
	for _, w := range c.want {
		out.want = append(out.want, r.Replace(w))
	}
	for _, w := range c.absent {
		out.absent = append(out.absent, r.Replace(w))
	}
	return out
}

func TestFishCompletesCommandsOptionsAndContainers(t *testing.T) {
	needTool(t, "fish")
	b, path, words := completionBed(t)
	script := filepath.Join(installed(t), "usr/share/fish/vendor_completions.d/tare.fish")
	for _, c := range completionCases() {
		c = c.words(words)
		cmd := exec.Command("fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", script, c.line)
		cmd.Env = []string{"PATH=" + path + ":" + os.Getenv("PATH"), "HOME=" + b.dir, "TERM=dumb"}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", c.line, err, out)
		}
		var got []string
		for line := range strings.Lines(string(out)) {
			word, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
			_, value, isValue := strings.Cut(word, "=")
			if isValue {
				word = value
			}
			got = append(got, filepath.Base(word))
		}
		for _, w := range c.want {
			if !slices.Contains(got, w) {
				t.Errorf("%q does not offer %s: %q", c.line, w, got)
			}
		}
		for _, w := range c.absent {
			if slices.Contains(got, w) {
				t.Errorf("%q offers %s: %q", c.line, w, got)
			}
		}
	}
}

func TestBashCompletesCommandsOptionsAndContainers(t *testing.T) {
	needTool(t, "bash")
	b, path, words := completionBed(t)
	script := filepath.Join(installed(t), "usr/share/bash-completion/completions/tare")
	setup := "bind 'set show-all-if-ambiguous on'; bind 'set completion-query-items 0'; bind 'set page-completions off'; " +
		"bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; source '" + script + "'"
	completeInShell(t, b, path, words, setup, "bash", "--norc", "--noprofile", "-i")
}

func TestZshCompletesCommandsOptionsAndContainers(t *testing.T) {
	needTool(t, "zsh")
	b, path, words := completionBed(t)
	folder := filepath.Join(installed(t), "usr/share/zsh/site-functions")
	setup := "LISTMAX=10000; unsetopt beep zle_bracketed_paste; setopt auto_list no_list_ambiguous; unset zle_bracketed_paste; " +
		"fpath=('" + folder + "' $fpath); autoload -Uz compinit; compinit -u -D"
	completeInShell(t, b, path, words, setup, "zsh", "-f", "-i")
}

// completeInShell types the lines of all cases, with a tab at the end, into a shell on a terminal.
func completeInShell(t *testing.T, b *bundle, path string, words *strings.Replacer, setup string, shell ...string) {
	t.Helper()
	host := newPTY(t, 100, 250)
	cmd := exec.Command(shell[0], shell[1:]...)
	cmd.Dir = b.dir
	cmd.Env = []string{"PATH=" + path + ":" + os.Getenv("PATH"), "HOME=" + b.dir, "TERM=dumb", "PS1=$ ", "PROMPT_COMMAND="}
	shellCall := b.begin(host.onPTY(cmd))
	// The quotes keep the mark out of the echo of what is typed.
	host.write(t, setup+"; echo set''up\n")
	host.waitText(t, "setup\n")
	for i, c := range completionCases() {
		c = c.words(words)
		mark := itoa(i)
		before := len(host.text())
		host.write(t, c.line+"\t")
		host.waitAfter(t, before, c.want...)
		// What else the tab says is there when the next command has answered.
		host.write(t, "\x15echo end''"+mark+"\n")
		host.waitAfter(t, before, "end"+mark+"\n")
		got := strings.TrimPrefix(host.text()[before:], c.line)
		got, _, _ = strings.Cut(got, "echo end''")
		for _, w := range c.absent {
			if strings.Contains(strings.ReplaceAll(got, c.line, ""), w) {
				t.Errorf("%q offers %s: %q", c.line, w, got)
			}
		}
	}
	host.write(t, "exit\n")
	shellCall.end(t)
}

// waitAfter waits until all texts are in what came after the first n bytes.
func (p *pty) waitAfter(t *testing.T, n int, texts ...string) {
	t.Helper()
	for _, text := range texts {
		waitForText(t, text, func() string { return p.text()[n:] })
	}
}

func waitForText(t *testing.T, text string, get func() string) {
	t.Helper()
	defer func() {
		if t.Failed() {
			t.Logf("waited for %q, got %q", text, get())
		}
	}()
	waitFor(t, text, func() bool { return strings.Contains(get(), text) })
}

// What is offered for the global options is what tare takes.
func TestOfferedChoicesAreTaken(t *testing.T) {
	needTool(t, "fish")
	b := newBundle(t)
	script := filepath.Join(installed(t), "usr/share/fish/vendor_completions.d/tare.fish")
	for _, option := range []string{"--log-format", "--log-level", "--cgroup-manager", "--rootless"} {
		out, err := exec.Command("fish", "--no-config", "-c", "source $argv[1]; complete -C $argv[2]", script, "tare "+option+" ").Output()
		check(t, err)
		var offered []string
		for line := range strings.Lines(string(out)) {
			offered = append(offered, strings.Fields(line)[0]) // a description follows
		}
		if len(offered) < 2 {
			t.Errorf("%s: %q", option, offered)
		}
		for _, value := range offered {
			b.tare(option, value, "list").ok(t)
		}
		b.tare(option, "other", "list").fails(t, "not one of")
	}
}
