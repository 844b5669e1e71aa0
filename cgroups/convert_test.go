package cgroups

import "testing"

func TestCPUWeight(t *testing.T) {
	t.Parallel()
	for shares, want := range map[uint64]uint64{0: 0, 1: 1, 2: 1, 512: 59, 1024: 100, 2048: 174, 262144: 10000, 1 << 30: 10000} {
		if got := CPUWeight(shares); got != want {
			t.Errorf("%d shares: weight %d, want %d", shares, got, want)
		}
	}
	last := uint64(0)
	for s := uint64(2); s <= 262144; s++ {
		w := CPUWeight(s)
		if w < last || w > 10000 {
			t.Fatalf("%d shares: weight %d after %d", s, w, last)
		}
		last = w
	}
}

func TestIOWeight(t *testing.T) {
	t.Parallel()
	for w, want := range map[uint16]uint64{0: 0, 5: 1, 10: 1, 100: 910, 500: 4950, 1000: 10000} {
		if got := IOWeight(w); got != want {
			t.Errorf("weight %d: %d, want %d", w, got, want)
		}
	}
}

func TestSwapMax(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		limit, swap, want int64
		set, err          bool
	}{
		{0, 0, -1, false, false}, {-1, 0, -1, true, false}, {100, 0, -1, false, false}, {100, -1, -1, true, false},
		{100, 100, 0, true, false}, {100, 300, 200, true, false}, {100, 99, 0, false, true},
		{0, 100, 0, false, true}, {-1, 100, 0, false, true}, {100, -2, 0, false, true},
	} {
		got, set, err := SwapMax(c.limit, c.swap)
		if set != c.set || (err != nil) != c.err || set && got != c.want {
			t.Errorf("limit %d swap %d: %d, %v, %v", c.limit, c.swap, got, set, err)
		}
	}
	if PidsLimit(0) != "1" || PidsLimit(-1) != "max" || PidsLimit(7) != "7" || Limit(-1) != "max" {
		t.Error("limits")
	}
}
