// Command report reads what `go test -json` writes and says it to a person.
//
//	go test -json ./... | report -live -save FILE   while a lane runs
//	report FILE...                        once, at the end
//	report -again FILE                    prints a pattern of what failed, for a second try
//
// Live, it prints a line per package and the names of what failed, and keeps the
// stream in FILE. LANE-again.json is a second try of what failed in LANE.json: what passes there is
// called unsteady, and counts as passed. At the end it prints what was skipped and why, a table of
// packages, the failures in full, and last, alone on its line,
// `N passed, N failed, N skipped`. It exits 1 if anything failed or nothing ran.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	live := flag.Bool("live", false, "print each package as it ends, no summary")
	save := flag.String("save", "", "copy the stream to `FILE`")
	retry := flag.Bool("again", false, "print a pattern of the tests that failed, if they are few")
	flag.Parse()
	if *retry {
		res := newResults()
		for _, name := range flag.Args() {
			if err := readFile(res, name); err != nil {
				fmt.Fprintln(os.Stderr, "report:", err)
				os.Exit(2)
			}
		}
		printAgain(os.Stdout, res)
		return
	}
	ok, err := run(os.Stdout, os.Stdin, *live, *save, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(2)
	}
	if !ok {
		os.Exit(1)
	}
}

// run reads files, or in if there are none, and reports whether all is well.
func run(out io.Writer, in io.Reader, live bool, save string, files []string) (bool, error) {
	res := newResults()
	if live {
		res.onEnd = func(p *pkg) { printPackage(out, p) }
	}
	if save != "" {
		f, err := os.Create(save)
		if err != nil {
			return false, err
		}
		defer f.Close()
		in = io.TeeReader(in, f)
	}
	if len(files) == 0 {
		if err := res.read(in); err != nil {
			return false, err
		}
	}
	for _, name := range files {
		if err := readFile(res, name); err != nil {
			return false, err
		}
	}
	if !live {
		res.settle()
		printSummary(out, res)
	}
	return res.ok(), nil
}

func readFile(res *results, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	res.lane = strings.TrimSuffix(filepath.Base(name), ".json")
	if err := res.read(f); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
