package v2

import (
	"slices"
	"testing"

	"tare/cgroups"
)

func TestParseIOStat(t *testing.T) {
	t.Parallel()
	var s cgroups.BlockIOStats
	parseIOStat([]byte("8:0 rbytes=10 wbytes=20 rios=3 wios=4 dbytes=0 dios=0\n7:1\nodd line\n"), &s)
	bytes := []cgroups.BlkioEntry{{Major: 8, Op: "Read", Value: 10}, {Major: 8, Op: "Write", Value: 20}}
	count := []cgroups.BlkioEntry{{Major: 8, Op: "Read", Value: 3}, {Major: 8, Op: "Write", Value: 4}}
	if !slices.Equal(s.ServiceBytes, bytes) || !slices.Equal(s.Serviced, count) {
		t.Errorf("%+v", s)
	}
}

func FuzzParseIOStat(f *testing.F) {
	f.Add([]byte("8:0 rbytes=10 wbytes=max =\n:\n"))
	f.Fuzz(func(_ *testing.T, b []byte) { parseIOStat(b, &cgroups.BlockIOStats{}) })
}

func FuzzParseCPUMax(f *testing.F) {
	for _, s := range []string{"max 100000", "5000 10000", "max", " ", "1 2 3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quota, period, err := parseCPUMax(s)
		if err == nil && (quota+" "+period != s || quota == "" || period == "") {
			t.Fatalf("%q: %q, %q", s, quota, period)
		}
	})
}
