package cli

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseBytes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{"0": 0, "-1": -1, "7": 7, "7b": 7, "2k": 2 << 10, "2K": 2 << 10, "96m": 96 << 20,
		"1g": 1 << 30, "3GiB": 3 << 30, "1kb": 1 << 10, "2T": 2 << 40, "9223372036854775807": math.MaxInt64,
		"1.5g": 3 << 29, "0.5k": 512, ".5m": 1 << 19, "1.": 1, "1.7": 1, "2p": 2 << 50, "1PiB": 1 << 50, "1 k": 1 << 10, "8191.5p": 16383 << 49} {
		if got, err := parseBytes(text); got != want || err != nil {
			t.Errorf("%q: %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "k", "-2", "-1k", "12q", " 1k", "1  k", "1.5.1", ".", ".k", "1,5g", "-1.5g", "NaN", "Inf", "1.5e3", "0x1.8", "8192.0p", "1kk", "1bk", "1i", "0x10", "+1k", "9223372036854775808", "8388608t", "1e3"} {
		if got, err := parseBytes(text); err == nil {
			t.Errorf("%q: %d and no error", text, got)
		}
	}
}

func TestResourcesOfFlags(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		flags     map[string]string
		want, err string
	}{
		{nil, `{}`, ""},
		{map[string]string{"memory": "1m", "memory-swap": "-1", "memory-reservation": "4k"}, `{"memory":{"limit":1048576,"reservation":4096,"swap":-1}}`, ""},
		{map[string]string{"pids-limit": "-1"}, `{"pids":{"limit":-1}}`, ""},
		{map[string]string{"cpu-share": "9", "cpu-quota": "-1", "cpu-period": "5", "cpu-burst": "0", "cpu-rt-period": "3", "cpu-rt-runtime": "2", "cpu-idle": "1",
			"cpuset-cpus": "0-1", "cpuset-mems": "0"},
			`{"cpu":{"shares":9,"quota":-1,"burst":0,"period":5,"realtimeRuntime":2,"realtimePeriod":3,"cpus":"0-1","mems":"0","idle":1}}`, ""},
		{map[string]string{"blkio-weight": "300"}, `{"blockIO":{"weight":300}}`, ""},
		{map[string]string{"blkio-weight": "65836"}, "", `--blkio-weight "65836"`},
		{map[string]string{"memory": "12q"}, "", `--memory "12q"`},
		{map[string]string{"cpu-share": "-1"}, "", `--cpu-share "-1"`},
		{map[string]string{"cpu-quota": "x"}, "", `--cpu-quota "x"`},
		{map[string]string{"pids-limit": ""}, "", `--pids-limit ""`},
		{map[string]string{"memory": "", "cpu-quota": "", "cpu-share": "", "cpuset-cpus": ""}, `{}`, ""},
	} {
		r, err := resourcesOf(func(name string) (string, bool) { v, ok := tt.flags[name]; return v, ok })
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%v: %v, want %s", tt.flags, err, tt.err)
			}
			continue
		}
		if got, _ := json.Marshal(r); string(got) != tt.want || err != nil {
			t.Errorf("%v: %s, %v; want %s", tt.flags, got, err, tt.want)
		}
	}
}

// Every flag of a limit is looked at: one that updateFlags offers and resourcesOf forgets would be
// parsed and ignored.
func TestEveryUpdateFlagIsRead(t *testing.T) {
	t.Parallel()
	read := map[string]bool{"resources": true, "l3-cache-schema": true, "mem-bw-schema": true, "kernel-memory": true, "kernel-memory-tcp": true}
	if _, err := resourcesOf(func(name string) (string, bool) { read[name] = true; return "", false }); err != nil {
		t.Fatal(err)
	}
	for _, f := range updateFlags() {
		if name := f.Names()[0]; !read[name] {
			t.Errorf("--%s is read by nobody", name)
		} else {
			delete(read, name)
		}
	}
	for name := range read {
		t.Errorf("--%s is read but not offered", name)
	}
}

func TestReadResources(t *testing.T) {
	t.Parallel()
	r, err := readResources("-", strings.NewReader(`{"pids":{"limit":5}}`))
	if err != nil || r.Pids == nil || *r.Pids.Limit != 5 {
		t.Errorf("%+v, %v", r, err)
	}
	file := filepath.Join(t.TempDir(), "r.json")
	if err := os.WriteFile(file, []byte(`{"pids":{"limit":"x"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readResources(file, nil); err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "pids.limit") {
		t.Errorf("%v", err)
	}
	if _, err := readResources(file+".absent", nil); err == nil {
		t.Error("an absent file is no error")
	}
}
