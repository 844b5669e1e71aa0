package host

import (
	"slices"
	"testing"

	"tare/internal/step"
)

func TestOwnMap(t *testing.T) {
	t.Parallel()
	many := make([]SubID, 400)
	for i := range many {
		many[i] = SubID{uint32(100000 + 10*i), 5}
	}
	for name, row := range map[string]struct {
		ranges []SubID
		want   []step.IDMap
	}{
		"none":                         {nil, []step.IDMap{{Container: 0, Host: 1000, Size: 1}}},
		"one":                          {[]SubID{{100000, 65536}}, []step.IDMap{{Container: 0, Host: 1000, Size: 1}, {Container: 1, Host: 100000, Size: 65536}}},
		"two, one after the other":     {[]SubID{{100000, 10}, {7, 3}}, []step.IDMap{{Container: 0, Host: 1000, Size: 1}, {Container: 1, Host: 100000, Size: 10}, {Container: 11, Host: 7, Size: 3}}},
		"one that has the own id":      {[]SubID{{999, 2}, {5, 1}}, []step.IDMap{{Container: 0, Host: 1000, Size: 1}, {Container: 1, Host: 5, Size: 1}}},
		"one that was there":           {[]SubID{{5, 10}, {14, 1}}, []step.IDMap{{Container: 0, Host: 1000, Size: 1}, {Container: 1, Host: 5, Size: 10}}},
		"one that has the own id, too": {[]SubID{{2000, 1<<32 - 2001}, {3, 1990}}, []step.IDMap{{Container: 0, Host: 1000, Size: 1}, {Container: 1, Host: 2000, Size: 1<<32 - 2001}}},
	} {
		if got := ownMap(1000, row.ranges); !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
	if got := ownMap(1000, many); len(got) != mostMapLines {
		t.Errorf("%d lines", len(got))
	}
}
