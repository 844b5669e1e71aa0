package v1

import (
	"slices"
	"testing"

	"tare/cgroups"
)

func TestParseBlkio(t *testing.T) {
	t.Parallel()
	got := parseBlkio([]byte("8:0 Read 100\n8:0 Write 5\n253:1 7\nTotal 105\n8:0 Odd many words 3\n"))
	want := []cgroups.BlkioEntry{{Major: 8, Op: "Read", Value: 100}, {Major: 8, Op: "Write", Value: 5}, {Major: 253, Minor: 1, Value: 7}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
}

func FuzzParseBlkio(f *testing.F) {
	f.Add([]byte("8:0 Read 100\nTotal 100\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, e := range parseBlkio(b) {
			if e.Major > 1<<32 || e.Minor > 1<<32 {
				t.Fatalf("%q: %+v", b, e)
			}
		}
	})
}

func TestParseUsageAll(t *testing.T) {
	t.Parallel()
	user, kernel := parseUsageAll([]byte("cpu user system\n0 10 20\n1 30 40\n"))
	if !slices.Equal(user, []uint64{10, 30}) || !slices.Equal(kernel, []uint64{20, 40}) {
		t.Errorf("%v %v", user, kernel)
	}
}

func FuzzParseUsage(f *testing.F) {
	f.Add([]byte("cpu user system\n0 10 20\n1 30 40\n"))
	f.Add([]byte("1 2 3 \n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if user, kernel := parseUsageAll(b); len(user) != len(kernel) {
			t.Fatalf("%q: %v, %v", b, user, kernel)
		}
		parseUints(b)
	})
}

func TestParseUints(t *testing.T) {
	t.Parallel()
	if got := parseUints([]byte("1 22 333 \n")); !slices.Equal(got, []uint64{1, 22, 333}) {
		t.Errorf("%v", got)
	}
	if got := parseUints([]byte("1 x 3\n")); got != nil {
		t.Errorf("%v", got)
	}
}
