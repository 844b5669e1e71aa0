package main

import (
	"bytes"
	"errors"
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

var errNothingWorks = errors.New("no memory limit in reach works")

// measureLimits searches, for every runtime, the smallest linux.resources.memory.limit at which
// `run` works l.limits times of l.limits.
func (l *lab) measureLimits() ([]series, error) {
	b := book{mode: "limit"}
	for i := range l.runtimes {
		r := &l.runtimes[i]
		const page, most = 4, 65536 // KiB
		lo, hi := 1, most/page
		for lo < hi {
			n := (lo + hi) / 2
			ok, err := l.worksWith(r, n*page)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", r.name, err)
			}
			if ok {
				hi = n
			} else {
				lo = n + 1
			}
		}
		for ; ; lo++ {
			ok, err := l.worksWith(r, lo*page)
			if err != nil || lo > most/page {
				return nil, fmt.Errorf("%s: %w", r.name, errors.Join(err, errNothingWorks))
			}
			if ok {
				break
			}
		}
		b.of("run", r.name).kib = []int{lo * page}
	}
	return b.series(), nil
}

func (l *lab) worksWith(r *runtimeUnderTest, kib int) (bool, error) {
	dir := filepath.Join(l.work, r.name, "limit")
	if err := l.bundle(r, dir, "true", int64(kib)*1024); err != nil {
		return false, err
	}
	for range l.limits {
		_, err := l.command(nil, r.path, "--root", r.stateRoot, "run", "--bundle", dir, r.id)
		if _, e := orphans(0); e != nil {
			return false, e
		}
		var f *failure
		if errors.As(err, &f) {
			l.forget(r)
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	return true, nil
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
