package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v3"

	tare "tare/internal/cli"
)

func TestEveryCommandHasAPageAndIsCompleted(t *testing.T) {
	files, err := contents("2020-02-29", "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range tare.Tree(tare.Build{}).Commands {
		page, ok := files["man/man8/tare-"+c.Name+".8"]
		if ok == c.Hidden {
			t.Errorf("%s (hidden %v): page %v", c.Name, c.Hidden, ok)
		}
		if c.Hidden {
			continue
		}
		for _, f := range c.Flags {
			long := f.Names()[0]
			if !strings.Contains(page, escape("--"+long)) {
				t.Errorf("%s: no --%s on its page", c.Name, long)
			}
			for name, text := range files {
				if strings.Contains(name, "tare.fish") && !strings.Contains(text, "__tare_options "+c.Name+"' -l "+long) ||
					strings.Contains(name, "_tare") && !strings.Contains(text, "--"+long) ||
					strings.Contains(name, "bash") && !strings.Contains(text, "--"+long) {
					t.Errorf("%s: no --%s of %s", name, long, c.Name)
				}
			}
		}
	}
	if !strings.Contains(files["man/man8/tare.8"], `.TH TARE 8 2020-02-29 "tare 1.2.3"`) {
		t.Errorf("%.200s", files["man/man8/tare.8"])
	}
}

func TestDefinitionsThatSayTooLittleAreRefused(t *testing.T) {
	for want, def := range map[string]*cli.Command{
		"has no usage":         {Name: "list"},
		"what completes":       {Name: "unheard-of", Usage: "x"},
		"does not name":        {Name: "list", Usage: "x", Flags: []cli.Flag{&cli.StringFlag{Name: "f", Usage: "a value"}}},
		`"quiet" has no usage`: {Name: "list", Usage: "x", Flags: []cli.Flag{&cli.BoolFlag{Name: "quiet"}}},
	} {
		if _, err := one(def, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

func TestTextIsPlainTextToRoff(t *testing.T) {
	for text, want := range map[string]string{
		".TH x":      `\&.TH x`,
		"'x' -a \\n": `\(aqx\(aq \-a \en`,
		"~^`":        `\(ti\(ha\(ga`,
	} {
		if got := escape(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestGenerateRemovesThePagesOfCommandsThatAreGone(t *testing.T) {
	dir := t.TempDir()
	gone := filepath.Join(dir, "man/man8/tare-gone.8")
	if err := os.MkdirAll(filepath.Dir(gone), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(gone, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := generate(dir, "2020-02-29", "1"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(gone); err == nil {
		t.Error("it is still there")
	}
	if err := generate(dir, "today", "1"); err == nil {
		t.Error("a date that is none was taken")
	}
}
