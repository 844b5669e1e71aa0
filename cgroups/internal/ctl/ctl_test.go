package ctl

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func FuzzParseUint(f *testing.F) {
	for _, s := range []string{"0", "max", "18446744073709551616", "-5", " 7\n", "-99999999999999999999", "x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, err := ParseUint(s)
		trimmed := strings.TrimSpace(s)
		if plain, perr := strconv.ParseUint(trimmed, 10, 64); perr == nil && (err != nil || v != plain) {
			t.Fatalf("%q: %d, %v", s, v, err)
		}
		if neg, nerr := strconv.ParseInt(trimmed, 10, 64); nerr == nil && neg < 0 && (err != nil || v != 0) {
			t.Fatalf("%q: %d, %v", s, v, err)
		}
		if trimmed == "max" && v != math.MaxUint64 {
			t.Fatalf("max: %d", v)
		}
	})
}

func FuzzParsePids(f *testing.F) {
	f.Add([]byte("1\n22\n0\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		pids, err := ParsePids(nil, b)
		if err == nil && slices.ContainsFunc(pids, func(p int) bool { return p <= 0 }) {
			t.Fatalf("%q: %v", b, pids)
		}
	})
}

func FuzzParsePairs(f *testing.F) {
	f.Add([]byte("populated 1\nfrozen 0\n"))
	f.Add([]byte("low max\n\n x\nlone\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		EachPair(b, func(key []byte, v uint64) {
			if got, ok := Pair(b, string(key)); !ok || len(key) == 0 {
				t.Fatalf("%q: key %q: %d, %v", b, key, got, ok)
			}
		})
	})
}

func FuzzParseList(f *testing.F) {
	f.Add("0-3,7")
	f.Add("65535")
	f.Add("5-1")
	f.Fuzz(func(t *testing.T, s string) {
		list, err := ParseList(s)
		if err != nil {
			return
		}
		var parts []string
		for _, n := range list {
			parts = append(parts, strconv.Itoa(int(n)))
		}
		if again, err := ParseList(strings.Join(parts, ",")); err != nil || !slices.Equal(again, list) {
			t.Fatalf("%q: %v, then %v, %v", s, list, again, err)
		}
	})
}

func FuzzParsePressure(f *testing.F) {
	f.Add([]byte("some avg10=1.25 avg60=0.50 avg300=0.01 total=123\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n"))
	f.Fuzz(func(t *testing.T, b []byte) { ParsePressure(b) })
}

func TestParsePressure(t *testing.T) {
	t.Parallel()
	some, full, ok := ParsePressure([]byte("some avg10=1.25 avg60=0.50 avg300=0.01 total=123\nfull avg10=2.00 avg60=0.00 avg300=0.00 total=9\n"))
	if !ok || some != (Pressure{1.25, 0.5, 0.01, 123}) || full != (Pressure{2, 0, 0, 9}) {
		t.Errorf("%+v %+v %v", some, full, ok)
	}
	if _, _, ok := ParsePressure(nil); ok {
		t.Error("an empty file is a pressure file")
	}
}

func TestRestoring(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value, old, want string }{
		{"memory.max", "5", "max", "max"},
		{"cpu.max", "1000 2000", "max 100000", "max 100000"},
		{"cpuset.cpus", "0", "", "\n"},
		{"io.max", "8:0 rbps=5", "8:16 rbps=1 wbps=max riops=max wiops=max", "8:0 rbps=max wbps=max riops=max wiops=max"},
		{"io.max", "8:0 rbps=5", "8:0 rbps=1 wbps=max riops=max wiops=max", "8:0 rbps=1 wbps=max riops=max wiops=max"},
		{"io.weight", "300", "default 100\n8:0 50", "default 100"},
		{"io.weight", "8:0 300", "default 100\n8:0 50", "8:0 50"},
		{"io.bfq.weight", "8:0 300", "default 100", "8:0 default"},
		{"blkio.throttle.read_bps_device", "8:0 300", "", "8:0 0"},
		{"blkio.bfq.weight_device", "8:0 300", "default 100", "8:0 default"},
		{"rdma.max", "m0 hca_handle=3", "m0 hca_handle=max hca_object=7", "m0 hca_handle=max hca_object=7"},
		{"rdma.max", "m0 hca_handle=3", "", "m0 hca_handle=max hca_object=max"},
		{"net_prio.ifpriomap", "lo 5", "lo 0\neth0 2", "lo 0"},
	} {
		if got := restoring(c.name, c.value, c.old); got != c.want {
			t.Errorf("%s %q over %q: %q, want %q", c.name, c.value, c.old, got, c.want)
		}
	}
}

// FuzzParseOld: whatever a control file held, what is to bring it back is one
// write of one of its lines, of all, or of a word for nothing.
func FuzzParseOld(f *testing.F) {
	f.Add("io.max", "8:0 rbps=5", "8:16 rbps=1 wbps=max")
	f.Add("io.weight", "300", "default 100\n8:0 50")
	f.Add("cpuset.cpus", "0", "")
	f.Fuzz(func(t *testing.T, name, value, old string) {
		got := restoring(name, value, old)
		key, _, _ := strings.Cut(value, " ")
		if got != old && got != emptyList && !slices.Contains(strings.Split(old, "\n"), got) && !strings.HasPrefix(got, key+" ") {
			t.Fatalf("%q %q over %q: %q", name, value, old, got)
		}
	})
}

func TestParseRdma(t *testing.T) {
	t.Parallel()
	dev, h, o := parseRdma("mlx5_0 hca_handle=3 hca_object=max")
	if dev != "mlx5_0" || h != 3 || o != math.MaxUint64 {
		t.Errorf("%s %d %d", dev, h, o)
	}
}
