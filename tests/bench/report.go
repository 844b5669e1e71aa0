package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"time"
)

func wallOf(c cost) time.Duration  { return c.wall }
func cpuTime(c cost) time.Duration { return c.cpu }

// quantile of v in percent, 0 of nothing.
func quantile[T cmp.Ordered](v []T, percent int) (zero T) {
	if len(v) == 0 {
		return zero
	}
	sorted := slices.Sorted(slices.Values(v))
	return sorted[min(len(sorted)-1, len(sorted)*percent/100)]
}

func column(costs []cost, f func(cost) time.Duration) []time.Duration {
	v := make([]time.Duration, len(costs))
	for i, c := range costs {
		v[i] = f(c)
	}
	return v
}

// ratio is the median over the rounds of a's cost against b's in the same round, 0 without rounds.
func ratio(a, b []cost, f func(cost) time.Duration) float64 {
	var v []float64
	for i := range min(len(a), len(b)) {
		if d := f(b[i]); d > 0 {
			v = append(v, float64(f(a[i]))/float64(d))
		}
	}
	return quantile(v, 50)
}

// against finds the series of the same command of another runtime.
func against(all []series, s series, runtime string) []cost {
	for _, o := range all {
		if o.op == s.op && o.runtime == runtime {
			return o.costs
		}
	}
	return nil
}

func times(r float64) string {
	if r == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", r)
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }

func timeTable(w io.Writer, title string, all []series) {
	fmt.Fprintf(w, "### %s\n\nms; ratios are medians of the ratios of each round\n\n", title)
	fmt.Fprintln(w, "| command | runtime | rounds | wall median | p10 | p90 | CPU median | p10 | wall : crun | CPU : crun | wall : runc | CPU : runc |")
	fmt.Fprintln(w, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, s := range all {
		wall, cpu := column(s.costs, wallOf), column(s.costs, cpuTime)
		crun, runc := against(all, s, "crun"), against(all, s, "runc")
		fmt.Fprintf(w, "| %s | %s | %d | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", s.op, s.runtime, len(s.costs),
			ms(quantile(wall, 50)), ms(quantile(wall, 10)), ms(quantile(wall, 90)), ms(quantile(cpu, 50)), ms(quantile(cpu, 10)),
			times(ratio(s.costs, crun, wallOf)), times(ratio(s.costs, crun, cpuTime)),
			times(ratio(s.costs, runc, wallOf)), times(ratio(s.costs, runc, cpuTime)))
	}
	fmt.Fprintln(w)
}

// memoryTable has a row for each command and a column for each runtime.
func memoryTable(w io.Writer, title string, all []series) {
	var ops, runtimes []string
	for _, s := range all {
		if !slices.Contains(ops, s.op) {
			ops = append(ops, s.op)
		}
		if !slices.Contains(runtimes, s.runtime) {
			runtimes = append(runtimes, s.runtime)
		}
	}
	fmt.Fprintf(w, "### %s\n\n| command |", title)
	for _, r := range runtimes {
		fmt.Fprintf(w, " %s |", r)
	}
	fmt.Fprint(w, "\n| --- |")
	for range runtimes {
		fmt.Fprint(w, " --- |")
	}
	fmt.Fprintln(w)
	for _, op := range ops {
		fmt.Fprintf(w, "| %s |", op)
		for _, r := range runtimes {
			i := slices.IndexFunc(all, func(s series) bool { return s.op == op && s.runtime == r })
			if i < 0 || len(all[i].kib) == 0 {
				fmt.Fprint(w, " - |")
				continue
			}
			fmt.Fprintf(w, " %d |", quantile(all[i].kib, 50))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintln(w)
}

// record is one series in the JSON report.
type record struct {
	Mode    string  `json:"mode"`
	Command string  `json:"command"`
	Runtime string  `json:"runtime"`
	Rounds  int     `json:"rounds"`
	WallMs  *spread `json:"wallMs,omitempty"`
	CPUMs   *spread `json:"cpuMs,omitempty"`
	KiB     *int    `json:"kib,omitempty"`
}

type spread struct {
	P10 float64 `json:"p10"`
	P50 float64 `json:"p50"`
	P90 float64 `json:"p90"`
}

func spreadOf(v []time.Duration) *spread {
	at := func(p int) float64 { return float64(quantile(v, p)) / float64(time.Millisecond) }
	return &spread{at(10), at(50), at(90)}
}

func writeJSON(path string, l *lab, all []series) error {
	out := struct {
		Kernel  string   `json:"kernel"`
		Load    string   `json:"load"`
		Cgroups string   `json:"cgroups"`
		Figures []record `json:"figures"`
	}{kernel(), load(), cgroups(), nil}
	for _, s := range all {
		r := record{Mode: s.mode, Command: s.op, Runtime: s.runtime, Rounds: max(len(s.costs), len(s.kib))}
		if len(s.costs) > 0 {
			r.WallMs, r.CPUMs = spreadOf(column(s.costs, wallOf)), spreadOf(column(s.costs, cpuTime))
		}
		if len(s.kib) > 0 {
			kib := quantile(s.kib, 50)
			r.KiB = &kib
		}
		out.Figures = append(out.Figures, r)
	}
	b, err := json.MarshalIndent(out, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
