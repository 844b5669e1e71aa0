package integration

import (
	"slices"

	"tare/integration/report"
)

// findMount is the last mount on target, a zero value when there is none.
func findMount(mounts []report.Mount, target string) report.Mount {
	for _, m := range slices.Backward(mounts) {
		if m.Target == target {
			return m
		}
	}
	return report.Mount{}
}

// hasOption looks for an option, also one with a value ("size" finds "size=4k").
func hasOption(options []string, name string) bool {
	return slices.ContainsFunc(options, func(o string) bool { return o == name || len(o) > len(name) && o[:len(name)+1] == name+"=" })
}

// execFacts runs `testprog facts` in the running container.
func (b *bundle) execFacts(flags ...string) report.Facts {
	b.t.Helper()
	return decode[report.Facts](b.t, b.execWith(flags, "/testprog", "facts").ok(b.t).out)
}
