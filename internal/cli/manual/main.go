// Command manual makes tare's manual pages and shell completions from the definitions of its commands.
// It is run by make, and is no part of the binary.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tare/internal/cli"
)

func main() {
	out := flag.String("out", "out/share", "write man/man8/*.8 and completions below `DIR`")
	date := flag.String("date", "", "`YYYY-MM-DD` at the foot of the pages")
	version := flag.String("version", "", "`VERSION` at the foot of the pages")
	flag.Parse()
	if err := generate(*out, *date, *version); err != nil {
		fmt.Fprintln(os.Stderr, "manual:", err)
		os.Exit(1)
	}
}

// generate writes all files. What an earlier run has left of pages goes: a command may have gone.
func generate(out, date, version string) error {
	if _, err := time.Parse(time.DateOnly, date); err != nil {
		return fmt.Errorf("-date: %w", err)
	}
	if version == "" {
		return fmt.Errorf("-version is wanted")
	}
	files, err := contents(date, version)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(filepath.Join(out, "man")); err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(out, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// contents are the files by their names below the share directory of an installation.
func contents(date, version string) (map[string]string, error) {
	root, err := describe(cli.Tree(cli.Build{Version: version}))
	if err != nil {
		return nil, err
	}
	files := map[string]string{
		"man/man8/tare.8":                     mainPage(root, date, version),
		"bash-completion/completions/tare":    bashCompletion(root),
		"zsh/site-functions/_tare":            zshCompletion(root),
		"fish/vendor_completions.d/tare.fish": fishCompletion(root),
	}
	for _, c := range root.commands {
		files["man/man8/tare-"+c.name+".8"] = commandPage(c, date, version)
	}
	return files, nil
}
