package main

import (
	"fmt"
	"io"
	"sort"
	"strings"
)

// printPackage says how one package ended and names what failed. A package
// without tests is left out.
func printPackage(w io.Writer, p *pkg) {
	n := p.tally()
	if n.total() == 0 {
		return
	}
	fmt.Fprintf(w, "%-4s %-44s %7.1f s  %4d passed", p.action, p.name, p.elapsed, n.passed)
	if n.failed > 0 {
		fmt.Fprintf(w, ", %d failed", n.failed)
	}
	if n.skipped > 0 {
		fmt.Fprintf(w, ", %d skipped", n.skipped)
	}
	fmt.Fprintln(w)
	for _, t := range p.failures() {
		fmt.Fprintf(w, "     FAIL %s\n", t.name)
	}
}

func printFailures(w io.Writer, p *pkg) {
	if p.action != "fail" {
		return
	}
	failed := p.failures()
	var cut []string // nothing to say but that the package died first
	for _, t := range failed {
		if t.reason() == didNotEnd {
			cut = append(cut, t.name)
			continue
		}
		fmt.Fprintf(w, "\nFAIL %s %s\n%s\n", p.name, t.name, indent(t.output))
	}
	if len(cut) > 0 {
		fmt.Fprintf(w, "\nFAIL %s: %s:\n%s\n", p.name, didNotEnd, indent(cut))
	}
	// A panic or a fatal signal is in the package's own output or in that of
	// the test that ran then; a failed build in the compiler's.
	if len(failed) == 0 || died(p) {
		fmt.Fprintf(w, "\nFAIL %s\n%s%s\n", p.name, indent(p.results.built[p.build]), indent(p.output))
	}
}

// died: the package's own output holds more than its closing lines.
func died(p *pkg) bool {
	for _, line := range p.output {
		switch text := strings.TrimSpace(line); {
		case text == "", text == "FAIL", text == "PASS",
			strings.HasPrefix(text, "FAIL\t"), strings.HasPrefix(text, "exit status"),
			strings.HasPrefix(text, "coverage:"):
		default:
			return true
		}
	}
	return false
}

func indent(lines []string) string {
	var b strings.Builder
	for _, line := range lines {
		b.WriteString("    ")
		b.WriteString(strings.TrimRight(line, "\n"))
		b.WriteByte('\n')
	}
	return b.String()
}

// printSummary: failures, skips by reason, packages, total.
func printSummary(w io.Writer, r *results) {
	for _, line := range r.stray {
		fmt.Fprintln(w, line)
	}
	printSkips(w, r)
	printTable(w, r)
	for _, p := range r.pkgs {
		printFailures(w, p)
	}
	printUnsteady(w, r)
	n := r.tally()
	if n.passed+n.failed == 0 {
		fmt.Fprintln(w, "no test ran")
	}
	fmt.Fprintf(w, "%d passed, %d failed, %d skipped\n", n.passed, n.failed, n.skipped)
}

func printTable(w io.Writer, r *results) {
	fmt.Fprintf(w, "%-22s %-40s %7s %7s %7s %8s\n", "lane", "package", "passed", "failed", "skipped", "seconds")
	for _, p := range r.pkgs {
		n := p.tally()
		if n.total() > 0 {
			fmt.Fprintf(w, "%-22s %-40s %7d %7d %7d %8.1f\n", p.lane, p.name, n.passed, n.failed, n.skipped, p.elapsed)
		}
	}
	fmt.Fprintln(w)
}

// printSkips groups what was skipped by its reason.
func printSkips(w io.Writer, r *results) {
	byReason := map[string][]string{}
	for _, p := range r.pkgs {
		for _, t := range p.tests {
			if t.action == "skip" {
				why := t.reason()
				byReason[why] = append(byReason[why], short(p.name)+"."+t.name)
			}
		}
	}
	if len(byReason) == 0 {
		return
	}
	reasons := make([]string, 0, len(byReason))
	for why := range byReason {
		reasons = append(reasons, why)
	}
	sort.Strings(reasons)
	fmt.Fprintln(w, "skipped, and why:")
	for _, why := range reasons {
		fmt.Fprintf(w, "  %s\n", why)
		for _, name := range byReason[why] {
			fmt.Fprintf(w, "      %s\n", name)
		}
	}
	fmt.Fprintln(w)
}

// short is an import path's last element.
func short(importPath string) string {
	return importPath[strings.LastIndexByte(importPath, '/')+1:]
}
