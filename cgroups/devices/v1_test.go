package devices

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"tare/cgroups"
)

func TestV1Holes(t *testing.T) {
	t.Parallel()
	hole := []Rule{{true, Char, Any, Any, Full}, {false, Char, 1, 11, Full}}
	_, err := New(hole).v1()
	if err == nil || !strings.Contains(err.Error(), `rule "c 1:11 rwm" cannot be an exception from the wider rule "c *:* rwm"`) {
		t.Errorf("hole in a wildcard: %v", err)
	}
	// Below a default of allow the same hole is an exception like any other.
	state, err := New([]Rule{{true, All, Any, Any, Full}, hole[1]}).v1()
	if err != nil || !state.allow || len(state.exceptions) != 1 {
		t.Errorf("hole in everything: %+v, %v", state, err)
	}
}

func TestV1Diff(t *testing.T) {
	t.Parallel()
	a, b, c := Rule{true, Char, 1, 3, Full}, Rule{true, Char, 1, 5, Full}, Rule{true, Block, 8, Any, Read}
	wide := Rule{true, Char, 1, 3, Read}
	for _, x := range []struct {
		from, to v1State
		want     []v1Write
	}{
		{v1State{allow: true}, v1State{exceptions: []Rule{a}}, []v1Write{{false, "a"}, {true, "c 1:3 rwm"}}},
		{v1State{exceptions: []Rule{a, b}}, v1State{exceptions: []Rule{a, b}}, nil},
		{v1State{exceptions: []Rule{a, b}}, v1State{exceptions: []Rule{b, c}}, []v1Write{{true, "b 8:* r"}, {false, "c 1:3 rwm"}}},
		{v1State{exceptions: []Rule{a}}, v1State{exceptions: []Rule{wide}}, []v1Write{{false, "c 1:3 wm"}}},
		{v1State{exceptions: []Rule{a}}, v1State{allow: true}, []v1Write{{true, "a"}}},
	} {
		if got := v1Diff(x.from, x.to); !slices.Equal(got, x.want) {
			t.Errorf("%v → %v: %v, want %v", x.from, x.to, got, x.want)
		}
	}
}

func FuzzParseV1(f *testing.F) {
	f.Add("a *:* rwm\n")
	f.Add("c 1:3 rwm\nb *:* m\n")
	f.Add("c 1: rwm\n")
	f.Fuzz(func(t *testing.T, s string) {
		state, err := parseV1(s)
		if err != nil || state.allow {
			return
		}
		var lines []string
		for _, e := range state.exceptions {
			lines = append(lines, e.String())
		}
		again, err := parseV1(strings.Join(lines, "\n"))
		if err != nil || !slices.Equal(again.exceptions, state.exceptions) {
			t.Fatalf("%q: %v, then %v, %v", s, state, again, err)
		}
	})
}

// TestWriteV1 compares the kernel's list with the policy after each change.
func TestWriteV1(t *testing.T) {
	dir := scratch(t, "devices")
	for i, rules := range [][]Rule{
		builtin(),
		append(builtin(), Rule{true, Char, 1, 11, Read | Write}),
		append(builtin(), Rule{true, Char, 1, 11, Read}, Rule{true, Block, 7, Any, Full}),
		{{true, All, Any, Any, Full}},
		builtin(),
	} {
		p := New(rules)
		if err := p.WriteV1(dir); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(dir, "devices.list"))
		if err != nil {
			t.Fatal(err)
		}
		got := strings.Split(strings.TrimSpace(string(b)), "\n")
		want, err := p.v1()
		if err != nil {
			t.Fatal(err)
		}
		lines := []string{"a *:* rwm"}
		if !want.allow {
			lines = lines[:0]
			for _, e := range want.exceptions {
				lines = append(lines, e.String())
			}
		}
		slices.Sort(got)
		slices.Sort(lines)
		if !slices.Equal(got, lines) {
			t.Errorf("step %d: kernel has %q, want %q", i, got, lines)
		}
	}
}

// scratch makes a cgroup in the hierarchy that has controller ("": cgroup2).
func scratch(t *testing.T, controller string) string {
	if os.Geteuid() != 0 {
		t.Skip("needs root to make cgroups")
	}
	l, err := cgroups.Detect()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range l.Hierarchies {
		if controller != "" && !h.Has(controller) || controller == "" && h.Version != 2 {
			continue
		}
		dir := filepath.Join(h.Mount, fmt.Sprintf("tare-devices-%d-%s", os.Getpid(), t.Name()))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.Remove(dir); err != nil {
				t.Error(err)
			}
		})
		return dir
	}
	t.Skipf("controller %q is not mounted here", controller)
	return ""
}

// TestAttachReplaces counts the programs: one, however often it is changed,
// and none once all is allowed.
func TestAttachReplaces(t *testing.T) {
	dir := scratch(t, "")
	f, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for i, c := range []struct {
		rules []Rule
		want  int
	}{{builtin(), 1}, {nil, 1}, {builtin(), 1}, {[]Rule{{true, All, Any, Any, Full}}, 0}, {builtin(), 1}} {
		if err := New(c.rules).Attach(dir); err != nil {
			t.Fatal(err)
		}
		ids, err := attachedIDs(int(f.Fd()))
		if err != nil || len(ids) != c.want {
			t.Errorf("step %d: %d programs, %v; want %d", i, len(ids), err, c.want)
		}
	}
}
