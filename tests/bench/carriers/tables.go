package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"time"

	"carriers/door"
)

// timeTable starts every carrier n times, in rounds of an order drawn anew, so that none always has
// the same one's remains cleaned up beside it, and prints medians.
func timeTable(b *bundle, title string, n int, pause time.Duration) error {
	cs := carriers()
	all := make([][]sample, len(cs))
	draw := rand.New(rand.NewPCG(1, 2))
	for i := range n + 10 { // the first ten warm the caches
		for _, k := range draw.Perm(len(cs)) {
			c := cs[k]
			time.Sleep(pause)
			s, err := start(b, c.how, options{})
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if i >= 10 {
				all[k] = append(all[k], s)
			}
		}
	}
	fmt.Printf("%s, no cgroup, medians of %d interleaved starts, ms:\n\n", title, n)
	fmt.Println("| carrier | wall | wall p10 | wall p90 | CPU of the child | CPU of the parent's thread | wall more than c | CPU more than c |")
	fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- |")
	wall := func(s sample) time.Duration { return s.wall }
	cpu := func(s sample) time.Duration { return s.child }
	own := func(s sample) time.Duration { return s.parent }
	both := func(s sample) time.Duration { return s.parent + s.child }
	for k, c := range cs {
		fmt.Printf("| %s | %s | %s | %s | %s | %s | %s | %s |\n", c.name,
			ms(at(all[k], 50, wall)), ms(at(all[k], 10, wall)), ms(at(all[k], 90, wall)),
			ms(at(all[k], 50, cpu)), ms(at(all[k], 50, own)),
			ms(at(all[k], 50, wall)-at(all[2], 50, wall)), ms(at(all[k], 50, both)-at(all[2], 50, both)))
	}
	fmt.Println()
	return nil
}

func at(s []sample, percent int, f func(sample) time.Duration) time.Duration {
	v := make([]time.Duration, len(s))
	for i := range s {
		v[i] = f(s[i])
	}
	slices.Sort(v)
	return v[len(v)*percent/100]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f", float64(d)/float64(time.Millisecond)) }

// residentTable prints what a child that waits just before its execve keeps in memory.
func residentTable(b *bundle) error {
	fmt.Println("While it waits before its execve (the \"created\" state), median of 20:")
	fmt.Println()
	fmt.Println("| carrier | peak RSS KiB | not shared with others KiB | page tables KiB | threads |")
	fmt.Println("| --- | --- | --- | --- | --- |")
	for _, c := range carriers() {
		var rss, anon, pte, threads []int
		for range 20 {
			_, err := start(b, c.how, options{meeting: func(pid int) error {
				st, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
				if err != nil {
					return err
				}
				sm, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
				if err != nil {
					return err
				}
				rss = append(rss, field(st, "VmHWM:"))
				anon = append(anon, field(sm, "Private_Clean:")+field(sm, "Private_Dirty:"))
				pte = append(pte, field(st, "VmPTE:"))
				threads = append(threads, field(st, "Threads:"))
				return nil
			}})
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
		note := ""
		if c.how == door.Vfork {
			note = " (the parent's own)"
		}
		fmt.Printf("| %s | %d%s | %d | %d | %d |\n", c.name, mid(rss), note, mid(anon), mid(pte), mid(threads))
	}
	fmt.Println()
	return nil
}

func mid(v []int) int { slices.Sort(v); return v[len(v)/2] }

// field gives the number after name in a file of "name number" lines.
func field(file []byte, name string) int {
	for line := range bytes.Lines(file) {
		if f := bytes.Fields(line); len(f) > 1 && string(f[0]) == name {
			n, err := strconv.Atoi(string(f[1]))
			if err == nil {
				return n
			}
		}
	}
	return -1
}
