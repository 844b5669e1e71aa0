package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// series is what one runtime's command cost, round by round.
type series struct {
	mode, op, runtime string
	costs             []cost
	kib               []int // memory, where that was measured
}

// book collects costs by command and runtime, in the order of first use.
type book struct {
	mode string
	all  []*series
}

func (b *book) of(op, runtime string) *series {
	for _, s := range b.all {
		if s.op == op && s.runtime == runtime {
			return s
		}
	}
	s := &series{mode: b.mode, op: op, runtime: runtime}
	b.all = append(b.all, s)
	return s
}

func (b *book) series() (out []series) {
	for _, s := range b.all {
		out = append(out, *s)
	}
	return out
}

// rounds calls f for every runtime, n times after two for warmth, in an order that is drawn anew
// (but the same in every run of the benchmark): what a runtime leaves to the kernel to clean up
// would else always be at the cost of the same next one.
func (l *lab) rounds(n int, f func(r *runtimeUnderTest, warm bool) error) error {
	const warming = 2
	draw := rand.New(rand.NewPCG(1, 2))
	for i := range n + warming {
		for _, k := range draw.Perm(len(l.runtimes)) {
			r := &l.runtimes[k]
			if err := f(r, i < warming); err != nil {
				return fmt.Errorf("%s: %w", r.name, err)
			}
		}
	}
	return nil
}

func (l *lab) measureRun(mode string, n int, pause time.Duration) ([]series, error) {
	b := book{mode: mode}
	for _, r := range l.runtimes {
		b.of("run", r.name)
	}
	err := l.rounds(n, func(r *runtimeUnderTest, warm bool) error {
		time.Sleep(pause)
		c, err := l.command(nil, r.path, "--root", r.stateRoot, "run", "--bundle", r.runBundle, r.id)
		if err != nil {
			return err
		}
		late, err := orphans(0)
		c.cpu += late
		if !warm {
			s := b.of("run", r.name)
			s.costs = append(s.costs, c)
		}
		return err
	})
	return b.series(), err
}

func (l *lab) measureCycle() ([]series, error) {
	b := book{mode: "cycle"}
	for _, op := range []string{"create", "state", "start", "start until the program runs", "exec", "kill", "delete"} {
		for _, r := range l.runtimes {
			if !r.onlyRun {
				b.of(op, r.name)
			}
		}
	}
	err := l.rounds(l.cycles, func(r *runtimeUnderTest, warm bool) error {
		if r.onlyRun {
			return nil
		}
		return l.cycle(r, func(op string, c cost) {
			if s := b.of(op, r.name); !warm {
				s.costs = append(s.costs, c)
			}
		}, nil)
	})
	return b.series(), err
}

// cycle leads one container through its life.  With through, which may be nil, every command's
// peak memory is measured.
func (l *lab) cycle(r *runtimeUnderTest, note func(string, cost), through *measured) error {
	out, in, err := os.Pipe()
	if err != nil {
		return err
	}
	defer out.Close()
	defer in.Close()
	pidFile := filepath.Join(r.waitBundle, "pid")
	do := func(op string, stdout *os.File, args ...string) (cost, error) {
		argv := append([]string{r.path, "--root", r.stateRoot}, args...)
		if through != nil {
			return l.measuredCommand(through, op, stdout, argv)
		}
		return l.command(stdout, argv...)
	}

	c, err := do("create", in, "create", "--bundle", r.waitBundle, "--pid-file", pidFile, r.id)
	in.Close()
	if err != nil {
		return err
	}
	pid, err := readPID(pidFile)
	if err != nil {
		return err
	}
	defer end(pid)
	extra, err := orphans(pid)
	if err != nil {
		return err
	}
	used, err := cpuClock(pid)
	if err != nil {
		return err
	}
	note("create", cost{c.wall, c.cpu + extra + used})
	if through != nil {
		if through.peak["init, created"], err = peakOf(pid); err != nil {
			return err
		}
	}
	if c, err = do("state", nil, "state", r.id); err != nil {
		return err
	}
	note("state", c)

	began := time.Now()
	if c, err = do("start", nil, "start", r.id); err != nil {
		return err
	}
	if err := speaks(out); err != nil {
		return err
	}
	running := time.Since(began)
	now, err := cpuClock(pid)
	if err != nil {
		return err
	}
	c.cpu += now - used
	note("start", c)
	note("start until the program runs", cost{running, c.cpu})

	for _, op := range [][]string{{"exec", r.id, "/bin/true"}, {"kill", r.id, "KILL"}} {
		if c, err = do(op[0], nil, op...); err != nil {
			return err
		}
		if op[0] == "exec" {
			if extra, err = orphans(pid); err != nil {
				return err
			}
			c.cpu += extra
		}
		note(op[0], c)
	}
	if _, _, err := wait(pid); err != nil {
		return err
	}
	if c, err = do("delete", nil, "delete", r.id); err != nil {
		return err
	}
	note("delete", c)
	return nil
}

func readPID(path string) (int, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(b)))
}

// end kills and reaps the container's process if a cycle broke off before it did.
func end(pid int) {
	if left, err := children(); err == nil {
		for _, c := range left {
			if c == pid {
				unix.Kill(pid, unix.SIGKILL)
				wait(pid)
			}
		}
	}
}

// speaks waits for the byte that the container's program writes first.
func speaks(out *os.File) error {
	if err := out.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		return err
	}
	_, err := out.Read(make([]byte, 1))
	return err
}
