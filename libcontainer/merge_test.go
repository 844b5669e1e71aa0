package libcontainer

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/internal/spec"
)

func resources(t *testing.T, text string) *specs.LinuxResources {
	t.Helper()
	r, err := spec.ParseResources([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// mergeCases: what holds, what comes, what holds then, and what the kernel is told ("" for what comes).
var mergeCases = []struct{ name, old, change, merged, told string }{
	{"nothing to nothing", `{}`, `{}`, `{}`, ""},
	{"absent stays", `{"pids":{"limit":9},"cpu":{"quota":3,"period":7}}`, `{"cpu":{"quota":4}}`, `{"cpu":{"quota":4,"period":7},"pids":{"limit":9}}`, ""},
	{"0 stays", `{"memory":{"limit":8,"swap":9},"cpu":{"shares":5,"quota":6}}`, `{"memory":{"limit":0,"swap":0,"reservation":3},"cpu":{"shares":0,"quota":0}}`,
		`{"memory":{"limit":8,"reservation":3,"swap":9},"cpu":{"shares":5,"quota":6}}`, ""},
	{"0 counts for pids, burst, idle", `{"pids":{"limit":9},"cpu":{"burst":5,"idle":1}}`, `{"pids":{"limit":0},"cpu":{"burst":0,"idle":0}}`,
		`{"cpu":{"burst":0,"idle":0},"pids":{"limit":0}}`, ""},
	{"swap goes with a new limit", `{"memory":{"limit":8,"swap":20}}`, `{"memory":{"limit":12}}`, `{"memory":{"limit":12,"swap":20}}`, `{"memory":{"limit":12,"swap":20}}`},
	{"unlimited swap is not told again", `{"memory":{"limit":8,"swap":-1}}`, `{"memory":{"limit":12}}`, `{"memory":{"limit":12,"swap":-1}}`, ""},
	{"no limit takes the swap limit along", `{"memory":{"limit":8,"swap":20}}`, `{"memory":{"limit":-1}}`, `{"memory":{"limit":-1,"swap":-1}}`, ""},
	{"check is remembered", `{"memory":{"checkBeforeUpdate":true}}`, `{"memory":{"limit":7}}`, `{"memory":{"limit":7,"checkBeforeUpdate":true}}`,
		`{"memory":{"limit":7,"checkBeforeUpdate":true}}`},
	{"shares of an idle container", `{"cpu":{"idle":1,"shares":5}}`, `{"cpu":{"shares":9}}`, `{"cpu":{"shares":9,"idle":1}}`, `{"cpu":{"shares":9,"idle":1}}`},
	{"the end of idle", `{"cpu":{"idle":1,"shares":5}}`, `{"cpu":{"idle":0}}`, `{"cpu":{"shares":5,"idle":0}}`, `{"cpu":{"shares":5,"idle":0}}`},
	{"cpusets", `{"cpu":{"cpus":"0","mems":"0"}}`, `{"cpu":{"cpus":"0-1"}}`, `{"cpu":{"cpus":"0-1","mems":"0"}}`, ""},
	{"devices count as a list", `{"devices":[{"allow":true,"access":"r"},{"allow":false,"access":"w"}]}`, `{"devices":[{"allow":true,"access":"m"}]}`,
		`{"devices":[{"allow":true,"access":"m"}]}`, ""},
	{"no devices, no change", `{"devices":[{"allow":true,"access":"r"}]}`, `{"devices":[],"pids":{"limit":1}}`, `{"devices":[{"allow":true,"access":"r"}],"pids":{"limit":1}}`, ""},
	{"throttles by device", `{"blockIO":{"weight":10,"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1},{"major":8,"minor":1,"rate":2}]}}`,
		`{"blockIO":{"throttleReadBpsDevice":[{"major":8,"minor":1,"rate":3},{"major":9,"minor":1,"rate":4}]}}`,
		`{"blockIO":{"weight":10,"throttleReadBpsDevice":[{"major":8,"minor":0,"rate":1},{"major":8,"minor":1,"rate":3},{"major":9,"minor":1,"rate":4}]}}`, ""},
	{"huge pages by size", `{"hugepageLimits":[{"pageSize":"2MB","limit":1}]}`, `{"hugepageLimits":[{"pageSize":"1GB","limit":2},{"pageSize":"2MB","limit":3}]}`,
		`{"hugepageLimits":[{"pageSize":"2MB","limit":3},{"pageSize":"1GB","limit":2}]}`, ""},
	{"network by name", `{"network":{"classID":5,"priorities":[{"name":"a","priority":1}]}}`, `{"network":{"priorities":[{"name":"a","priority":2}]}}`,
		`{"network":{"classID":5,"priorities":[{"name":"a","priority":2}]}}`, ""},
	{"maps by key", `{"unified":{"a.b":"1","a.c":"2"},"rdma":{"x":{"hcaHandles":1}}}`, `{"unified":{"a.c":"3"},"rdma":{"y":{"hcaObjects":2}}}`,
		`{"rdma":{"x":{"hcaHandles":1},"y":{"hcaObjects":2}},"unified":{"a.b":"1","a.c":"3"}}`, ""},
}

func TestMerge(t *testing.T) {
	t.Parallel()
	for _, tt := range mergeCases {
		old, change := resources(t, tt.old), resources(t, tt.change)
		u := &updating{change: change, merged: merge(old, change)}
		if got, want := asJSON(t, u.merged), asJSON(t, resources(t, tt.merged)); got != want {
			t.Errorf("%s: holds %s, want %s", tt.name, got, want)
		}
		told := tt.told
		if told == "" {
			told = tt.change
		}
		if got, want := asJSON(t, u.effective()), asJSON(t, resources(t, told)); got != want {
			t.Errorf("%s: the kernel is told %s, want %s", tt.name, got, want)
		}
		if asJSON(t, old) != asJSON(t, resources(t, tt.old)) || asJSON(t, change) != asJSON(t, resources(t, tt.change)) {
			t.Errorf("%s: an argument has changed", tt.name)
		}
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPatch(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		document string
		path     []string
		want     string
	}{
		{`{"b":1,"a":{"y":[1, 2],"x":0}}`, []string{"a", "x"}, `{"a":{"x":"<v>","y":[1,2]},"b":1}`},
		{`{"b":1}`, []string{"a", "x"}, `{"a":{"x":"<v>"},"b":1}`},
		{`{"a":null}`, []string{"a", "x"}, `{"a":{"x":"<v>"}}`},
		{"{\"p\":\"\xff<\",\"n\":12345678901234567890}", []string{"a"}, "{\"a\":\"<v>\",\"n\":12345678901234567890,\"p\":\"\xff<\"}"},
	} {
		got, err := patch([]byte(tt.document), "<v>", tt.path...)
		if err != nil || !bytes.Equal(got, []byte(tt.want)) {
			t.Errorf("%q: %q, %v; want %q", tt.document, got, err, tt.want)
		}
	}
	for _, document := range []string{`[]`, `{"a":1}`, `{`} {
		if got, err := patch([]byte(document), 1, "a", "x"); err == nil {
			t.Errorf("%q: %q and no error", document, got)
		}
	}
}
