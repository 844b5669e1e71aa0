package cli

import (
	"slices"
	"strings"
	"testing"
)

func TestPlainWords(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"delete -fr x":                        "delete -f -r x",
		"delete x -fr":                        "delete x -f -r",
		"exec -tdu1000:5 -eA=1 x ls -la":      "exec -t -d -u=1000:5 -e=A=1 x ls -la",
		"exec -tu 5 x ls":                     "exec -t -u 5 x ls",
		"exec -te A=-fr -c=Y x ls":            "exec -t -e A=-fr -c=Y x ls",
		"exec -e -td x ls":                    "exec -e -td x ls", // a value, whatever it looks like
		"exec -tty x ls":                      "exec -tty x ls",
		"exec -pidfd-socket -td x":            "exec -pidfd-socket -td x",
		"exec -- x -td":                       "exec -- x -td",
		"exec -td":                            "exec -t -d",
		"exec -tu":                            "exec -t -u",
		"exec -tdz x ls":                      "exec -tdz x ls",
		"exec -é x":                           "exec -é x",
		"exec ---td x ls":                     "exec ---td x ls",
		"kill -ar x 9":                        "kill -a -r x 9",
		"kill x -9":                           "kill x -9",
		"ps x -ef":                            "ps x -ef",
		"run -db/b x":                         "run -d -b=/b x",
		"run -no-subreaper -bundle /b x":      "run -no-subreaper -bundle /b x",
		"--root /r -vV":                       "--root /r -v -V",
		"--root -vV delete -fr x":             "--root -vV delete -f -r x",
		"--root=/r --log delete delete -fr x": "--root=/r --log delete delete -f -r x",
		"bogus -fr x":                         "bogus -fr x",
		"-?":                                  "--help",
		"--usage":                             "--help",
		"exec -?":                             "exec --help",
		"mounts add --usage":                  "mounts add --help",
		"exec x -?":                           "exec x -?",
		"":                                    "",
	} {
		a, _, _ := testApp()
		args := append([]string{"tare"}, strings.Fields(given)...)
		if got := strings.Join(plainWords(a.root(args), slices.Clone(args))[1:], " "); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
	if got := plainWords(nil, nil); len(got) != 0 {
		t.Errorf("no words: %q", got)
	}
}

func TestWordsOfGetopt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, args := range [][]string{{"-?"}, {"--usage"}, {"delete", "-?"}, {"exec", "--usage"}, {"h"}, {"h", "exec"}} {
		if out, stderr, code := tare(args...); code != 0 || !strings.Contains(out, "USAGE:") {
			t.Errorf("%q: code %d, %q %q", args, code, out, stderr)
		}
	}
	if _, stderr, code := tare("--root", dir, "delete", "-fr", "^none"); code != 0 {
		t.Errorf("code %d: %s", code, stderr)
	}
}
