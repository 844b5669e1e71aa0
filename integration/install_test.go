package integration

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// needTool skips the case where a program is missing.
func needTool(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			skip(t, "no %s here", name)
		}
	}
}

// install is `make install` into a directory that all cases share. What is installed is the binary that
// make has built, whichever is under test.
var install = struct {
	once sync.Once
	dir  string // of DESTDIR; PREFIX is /usr
	out  string
	err  error
}{}

// installed returns the directory of DESTDIR.
func installed(t *testing.T) string {
	t.Helper()
	onlyTare(t, "its manual pages and completions")
	needTool(t, "make", "go")
	install.once.Do(func() {
		install.dir = filepath.Join(suite.base, "dest dir")
		// The binary is there: making it again would take it away under the other cases.
		cmd := exec.Command("make", "-C", "..", "-o", "build", "install", "DESTDIR="+install.dir, "PREFIX=/usr")
		for _, e := range os.Environ() {
			if !strings.HasPrefix(e, "MAKE") && !strings.HasPrefix(e, "MFLAGS") {
				cmd.Env = append(cmd.Env, e)
			}
		}
		var out []byte
		out, install.err = cmd.CombinedOutput()
		install.out = string(out)
	})
	if install.err != nil {
		t.Fatalf("make install: %v\n%s", install.err, install.out)
	}
	return install.dir
}

// helpOf is the help of a command, "" for that of tare.
func helpOf(t *testing.T, b *bundle, command ...string) string {
	t.Helper()
	r := b.tare(append(command, "--help")...)
	r.ok(t)
	return r.out
}

// listedCommands are those that the help lists.
func listedCommands(t *testing.T, b *bundle) []string {
	t.Helper()
	_, list, ok := strings.Cut(helpOf(t, b), "\nCOMMANDS:\n")
	if !ok {
		t.Fatal("the help has no list of commands")
	}
	list, _, _ = strings.Cut(list, "\n\n")
	var names []string
	for line := range strings.Lines(list) {
		names = append(names, strings.TrimSuffix(strings.Fields(line)[0], ","))
	}
	return names
}

// listedOptions are the names of options, with their dashes, that a help lists.
func listedOptions(help string) []string {
	var names []string
	for line := range strings.Lines(help) {
		if !strings.HasPrefix(line, "   -") {
			continue
		}
		for word := range strings.FieldsSeq(line) {
			if !strings.HasPrefix(word, "-") {
				break
			}
			name, more := strings.CutSuffix(word, ",")
			names = append(names, name)
			if !more {
				break
			}
		}
	}
	return names
}

func TestInstallPutsEveryFileInItsPlace(t *testing.T) {
	b := newBundle(t)
	dir := installed(t)
	want := []string{"usr/sbin/tare 755", "usr/share/bash-completion/completions/tare 644", "usr/share/zsh/site-functions/_tare 644",
		"usr/share/fish/vendor_completions.d/tare.fish 644", "usr/share/man/man8/tare.8 644"}
	for _, c := range listedCommands(t, b) {
		want = append(want, "usr/share/man/man8/tare-"+c+".8 644")
	}
	var got []string
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		rel, _ := filepath.Rel(dir, path)
		got = append(got, rel+" "+strings.TrimPrefix(itoa8(info.Mode().Perm()), "0"))
		return err
	}))
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("installed:\n%s\nwanted:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	out, err := exec.Command(filepath.Join(dir, "usr/sbin/tare"), "--version").Output()
	if err != nil || !strings.HasPrefix(string(out), "tare version ") {
		t.Errorf("%v: %q", err, out)
	}
}

// itoa8 is a number in octal digits.
func itoa8(mode fs.FileMode) string {
	return string([]byte{'0' + byte(mode>>6&7), '0' + byte(mode>>3&7), '0' + byte(mode&7)})
}

func TestManualPagesHaveEveryOption(t *testing.T) {
	needTool(t, "mandoc")
	b := newBundle(t)
	dir := installed(t)
	for _, c := range append(listedCommands(t, b), "") {
		page, words := "tare-"+c+".8", []string{c}
		if c == "" {
			page, words = "tare.8", nil
		}
		text, err := exec.Command("mandoc", "-T", "ascii", "-I", "os=tare", filepath.Join(dir, "usr/share/man/man8", page)).Output()
		check(t, err)
		plain := overstruck(string(text))
		options := listedOptions(helpOf(t, b, words...))
		if len(options) < 2 {
			t.Errorf("%s: no options in its help", c)
		}
		for _, o := range options {
			if !slices.Contains(strings.FieldsFunc(plain, func(r rune) bool { return strings.ContainsRune(" ,\n", r) }), o) {
				t.Errorf("%s does not have %s", page, o)
			}
		}
	}
}

// overstruck takes what prints a letter twice out of a page.
func overstruck(text string) string {
	var out []byte
	for i := range len(text) {
		switch {
		case text[i] == '\b':
			out = out[:len(out)-1]
		default:
			out = append(out, text[i])
		}
	}
	return string(out)
}

func TestManualPagesLintClean(t *testing.T) {
	needTool(t, "mandoc")
	t.Parallel()
	pages, err := filepath.Glob(filepath.Join(installed(t), "usr/share/man/man8/*.8"))
	check(t, err)
	if len(pages) < 15 {
		t.Fatalf("%d pages", len(pages))
	}
	// References are looked for among the pages that are installed.
	out, err := exec.Command("mandoc", append([]string{"-T", "lint", "-W", "style"}, pages...)...).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}
