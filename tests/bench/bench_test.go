package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		v       []int
		percent int
		want    int
	}{
		{nil, 50, 0},
		{[]int{7}, 90, 7},
		{[]int{3, 1, 2}, 50, 2},
		{[]int{5, 4, 3, 2, 1}, 10, 1},
		{[]int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 90, 10},
		{[]int{1, 2}, 100, 2},
	} {
		if got := quantile(c.v, c.percent); got != c.want {
			t.Errorf("quantile(%v, %d) = %d, want %d", c.v, c.percent, got, c.want)
		}
	}
}

func TestRatioPairsRounds(t *testing.T) {
	t.Parallel()
	cost := func(ms ...int) (out []cost) {
		for _, m := range ms {
			out = append(out, cost{wall: time.Duration(m) * time.Millisecond})
		}
		return out
	}
	// The load doubles everything in the last two rounds: medians alone would say otherwise.
	if got := ratio(cost(2, 2, 4, 4, 4), cost(4, 4, 8, 8, 8), wallOf); got != 0.5 {
		t.Errorf("ratio = %v, want 0.5", got)
	}
	if got := ratio(cost(1), nil, wallOf); got != 0 {
		t.Errorf("ratio without rounds = %v, want 0", got)
	}
}

func TestConfigure(t *testing.T) {
	t.Parallel()
	spec := []byte(`{"process":{"terminal":true,"args":["sh"],"cwd":"/"},"linux":{"resources":{"devices":[]}},"mounts":[]}`)
	b, err := configure(spec, "true", "/g", 4096)
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Process struct {
			Terminal bool
			Args     []string
			Cwd      string
		}
		Linux struct {
			CgroupsPath string
			Resources   struct {
				Devices []any
				Memory  struct{ Limit int64 }
			}
		}
		Mounts []any
	}
	if err := json.Unmarshal(b, &c); err != nil {
		t.Fatal(err)
	}
	p, l := c.Process, c.Linux
	if p.Terminal || len(p.Args) != 1 || p.Args[0] != "true" || p.Cwd != "/" || l.CgroupsPath != "/g" ||
		l.Resources.Memory.Limit != 4096 || l.Resources.Devices == nil || c.Mounts == nil {
		t.Errorf("configure gave %s", b)
	}
	for _, bad := range []string{`[`, `{}`, `{"process":{},"linux":{}}`} {
		if _, err := configure([]byte(bad), "true", "/g", 1); err == nil {
			t.Errorf("configure(%s) gave no error", bad)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	s, err := parse([]string{"--tare", "/t", "--floor", "/f", "--runs", "7"})
	if err != nil {
		t.Fatal(err)
	}
	if s.runs != 7 || len(s.runtimes) != 2 || s.runtimes[0].name != "tare" || s.runtimes[0].onlyRun || !s.runtimes[1].onlyRun {
		t.Errorf("parse gave %+v", s)
	}
	for _, args := range [][]string{{}, {"--tare", "/t", "--pause", "10ms"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("parse(%v) gave no error", args)
		}
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	ms := time.Millisecond
	all := []series{
		{op: "run", runtime: "tare", costs: []cost{{4 * ms, 2 * ms}}, kib: []int{5}},
		{op: "run", runtime: "crun", costs: []cost{{8 * ms, 4 * ms}}, kib: []int{6}},
		{op: "kill", runtime: "crun"},
	}
	var b strings.Builder
	timeTable(&b, "T", all)
	if want := "| run | tare | 1 | 4.00 | 4.00 | 4.00 | 2.00 | 2.00 | 0.50 | 0.50 | - | - |\n"; !strings.Contains(b.String(), want) {
		t.Errorf("no row %q in\n%s", want, b.String())
	}
	b.Reset()
	memoryTable(&b, "T", all)
	if want := "| command | tare | crun |\n| --- | --- | --- |\n| run | 5 | 6 |\n| kill | - | - |\n"; !strings.Contains(b.String(), want) {
		t.Errorf("no rows %q in\n%s", want, b.String())
	}
}
