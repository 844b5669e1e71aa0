package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// measured collects the peak RSS, in KiB, of one cycle's commands.
type measured struct{ peak map[string]int }

// measuredCommand runs argv under the payload's measure.
func (l *lab) measuredCommand(m *measured, op string, stdout *os.File, argv []string) (cost, error) {
	file := filepath.Join(l.work, "peak")
	c, err := l.command(stdout, append([]string{filepath.Join(l.work, "measure"), file}, argv...)...)
	if err != nil {
		return c, err
	}
	m.peak[op], err = readPID(file)
	return c, err
}

// measureMemory gives the peak of the largest process of each command, and of the container's
// init while it waits for start.
func (l *lab) measureMemory() ([]series, error) {
	b := book{mode: "memory"}
	ops := []string{"run", "create", "init, created", "state", "start", "exec", "kill", "delete"}
	for _, op := range ops {
		for _, r := range l.runtimes {
			if op == "run" || !r.onlyRun {
				b.of(op, r.name)
			}
		}
	}
	err := l.rounds(l.rss, func(r *runtimeUnderTest, warm bool) error {
		m := &measured{peak: map[string]int{}}
		_, err := l.measuredCommand(m, "run", nil, []string{r.path, "--root", r.stateRoot, "run", "--bundle", r.runBundle, r.id})
		if err != nil {
			return err
		}
		if _, err := orphans(0); err != nil {
			return err
		}
		if !r.onlyRun {
			if err := l.cycle(r, func(string, cost) {}, m); err != nil {
				return err
			}
		}
		for op, kib := range m.peak {
			if s := b.of(op, r.name); !warm {
				s.kib = append(s.kib, kib)
			}
		}
		return nil
	})
	return b.series(), err
}

// peakOf is a living process's peak RSS in KiB.
func peakOf(pid int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		if f := bytes.Fields(line); len(f) > 1 && string(f[0]) == "VmHWM:" {
			return strconv.Atoi(string(f[1]))
		}
	}
	return 0, fmt.Errorf("/proc/%d/status: no VmHWM", pid)
}
