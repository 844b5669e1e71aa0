package cgroups

import (
	"encoding/json"
	"testing"
)

func TestOOMCause(t *testing.T) {
	t.Parallel()
	level := func(cgroup string, memory, swap oomCounter) oomCount { return oomCount{cgroup, memory, swap} }
	none, hit := oomCounter{}, oomCounter{limit: 4096, events: 1}
	full := oomCounter{limit: 8192, full: true}
	before := OOMReading{levels: []oomCount{level("/p/c", none, none), level("/p", oomCounter{events: 7, limit: 100}, none), level("/x", full, none)}}
	was := before.levels
	for _, tt := range []struct {
		name          string
		levels, below []oomCount
		want          OOMCause
		says          string
	}{
		{"its own", []oomCount{level("/p/c", hit, none), level("/p", hit, none)}, nil,
			OOMCause{Level: OOMOwn, Cgroup: "/p/c", Limit: 4096}, "limit of its own cgroup, 4096 bytes"},
		{"its own swap", []oomCount{level("/p/c", none, full)}, nil,
			OOMCause{Level: OOMOwn, Cgroup: "/p/c", Limit: 8192, Swap: true}, "memory and swap limit of its own cgroup, 8192 bytes"},
		{"the parent's", []oomCount{was[0], level("/p", oomCounter{events: 8, limit: 100}, none), level("/x", hit, none)}, nil,
			OOMCause{Level: OOMAncestor, Cgroup: "/p", Limit: 100}, `limit of cgroup "/p" above it, 100 bytes`},
		{"the parent's events are old", was[:2], nil,
			OOMCause{Level: OOMOutside}, "no limit of its cgroup or of those above it: the machine ran out of memory"},
		{"only a full one comes into question", was, nil,
			OOMCause{Level: OOMAncestor, Cgroup: "/x", Limit: 8192}, ""},
		{"one that became full rather than one that was", []oomCount{was[0], level("/p", full, none), was[2]}, nil,
			OOMCause{Level: OOMAncestor, Cgroup: "/p", Limit: 8192}, ""},
		{"a hit rather than a full one", []oomCount{level("/p/c", full, none), level("/p", oomCounter{events: 9, limit: 50}, none)}, nil,
			OOMCause{Level: OOMAncestor, Cgroup: "/p", Limit: 50}, ""},
		{"a child's", was, []oomCount{level("/p/c/d", hit, none)},
			OOMCause{Level: OOMBelow, Cgroup: "/p/c/d", Limit: 4096}, `limit of cgroup "/p/c/d" below its own, 4096 bytes`},
		{"some child's", was, []oomCount{level("", oomCounter{events: 1}, none)},
			OOMCause{Level: OOMBelow}, "limit of a cgroup below its own"},
		{"the limit is gone", []oomCount{level("/p/c", oomCounter{events: 1}, none)}, nil,
			OOMCause{Level: OOMOwn, Cgroup: "/p/c"}, "limit of its own cgroup"},
		{"nothing counted", nil, nil, OOMCause{Level: OOMOutside}, ""},
	} {
		got := OOMReading{levels: tt.levels, below: tt.below}.Cause(before)
		if got != tt.want || tt.says != "" && got.String() != tt.says {
			t.Errorf("%s: %+v, %q", tt.name, got, got)
		}
	}
	b, err := json.Marshal(OOMCause{Level: OOMAncestor, Cgroup: "/pod", Limit: 100})
	if err != nil || string(b) != `{"level":"ancestor","cgroup":"/pod","limit":100}` {
		t.Errorf("%s, %v", b, err)
	}
}
