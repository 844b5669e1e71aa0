package cgroups

import (
	"slices"
	"strings"
	"testing"
)

func TestParseDelegate(t *testing.T) {
	t.Parallel()
	if got := parseDelegate("cgroup.procs\n../x\ncgroup.threads\n..\n"); !slices.Equal(got, []string{"cgroup.procs", "cgroup.threads"}) {
		t.Errorf("%q", got)
	}
}

func FuzzParseDelegate(f *testing.F) {
	f.Add("cgroup.procs\ncgroup.subtree_control\n")
	f.Fuzz(func(t *testing.T, s string) {
		for _, name := range parseDelegate(s) {
			if name == "" || name == ".." || strings.ContainsAny(name, "/\n\x00") {
				t.Fatalf("%q: %q", s, name)
			}
		}
	})
}
