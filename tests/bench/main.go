// Command bench compares container runtimes: what their commands cost in time, CPU and memory.
// run.sh builds what it needs and starts it where the other runtimes are; docs/PERFORMANCE.md
// has the method.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

type settings struct {
	dir      string // with payload, where bundles and state are made
	runs     int
	lone     int
	cycles   int
	rss      int
	limits   int
	pause    time.Duration
	jsonPath string
	runtimes []runtimeUnderTest
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parse(args []string) (settings, error) {
	var s settings
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&s.dir, "dir", "/bench", "folder with the payload program, where bundles are made")
	f.IntVar(&s.runs, "runs", 200, "back-to-back rounds of `run`")
	f.IntVar(&s.lone, "lone", 100, "rounds of lone `run`s (0: none)")
	f.IntVar(&s.cycles, "cycles", 60, "rounds of create, state, start, exec, kill, delete (0: none)")
	f.IntVar(&s.rss, "rss", 10, "rounds in which peak memory is measured (0: none)")
	f.IntVar(&s.limits, "limits", 0, "starts that must work at the smallest memory limit (0: not searched)")
	f.DurationVar(&s.pause, "pause", 60*time.Millisecond, "pause before a lone start")
	f.StringVar(&s.jsonPath, "json", "", "also write the figures to this file")
	paths := map[string]*string{}
	for _, name := range []string{"floor", "tare", "crun", "runc"} {
		paths[name] = f.String(name, "", "path of "+name+" (empty: leave it out)")
	}
	if err := f.Parse(args); err != nil {
		return s, err
	}
	for _, name := range []string{"tare", "crun", "runc", "floor"} {
		if p := *paths[name]; p != "" {
			s.runtimes = append(s.runtimes, runtimeUnderTest{name: name, path: p, onlyRun: name == "floor"})
		}
	}
	if len(s.runtimes) == 0 {
		return s, fmt.Errorf("no runtime to measure")
	}
	if s.pause < 50*time.Millisecond {
		return s, fmt.Errorf("--pause %v: a start is lone after 50ms at the least", s.pause)
	}
	return s, nil
}

func run(args []string, out io.Writer) error {
	s, err := parse(args)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("must be root")
	}
	// Everything that a runtime leaves running becomes our child: its CPU time is counted and it is reaped.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return os.NewSyscallError("prctl PR_SET_CHILD_SUBREAPER", err)
	}
	lab, err := newLab(s)
	if err != nil {
		return err
	}
	defer lab.clean()
	fmt.Fprintln(out, lab.describe())
	var all []series
	for _, part := range lab.parts() {
		got, err := part.measure()
		if err != nil {
			return fmt.Errorf("%s: %w", part.title, err)
		}
		part.table(out, part.title, got)
		all = append(all, got...)
	}
	if err := lab.leftovers(); err != nil {
		return err
	}
	if s.jsonPath != "" {
		return writeJSON(s.jsonPath, lab, all)
	}
	return nil
}
