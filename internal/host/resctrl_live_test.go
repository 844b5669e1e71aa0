package host

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRdtUpdate(t *testing.T) {
	t.Parallel()
	root := fakeRoot(t, map[string]string{"c1": "    L3:0=00f;1=0ff\n    MB:0=020\n"})
	dir := filepath.Join(root, "c1")
	back, err := (&Rdt{Root: root, L3: "L3:0=3"}).Update(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, dir, "schemata"); !strings.HasPrefix(got, "L3:0=3\n") { // over the old text, in a plain file
		t.Errorf("schemata %q", got)
	}
	if err := back(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, dir, "schemata"); !strings.HasPrefix(got, "L3:0=00f;1=0ff\n") {
		t.Errorf("put back: schemata %q", got)
	}
	back, err = (&Rdt{Root: root, L3: "L3:0=3"}).Update(filepath.Join(root, "gone"))
	if err == nil || back == nil || back() != nil {
		t.Errorf("a group that is gone: %v", err)
	}
}

func TestRdtStat(t *testing.T) {
	t.Parallel()
	root := fakeRoot(t, map[string]string{".": "L3:0=fff\nMB:0=100\n", "c1": "    L3:0=00f\n    MB:0=020\n"})
	for path, text := range map[string]string{
		"info/L3/cbm_mask": "fff\n", "info/L3/min_cbm_bits": "2\n", "info/L3/num_closids": "16\n",
		"info/MB/bandwidth_gran": "10\n", "info/MB/delay_linear": "1\n", "info/MB/min_bandwidth": "10\n", "info/MB/num_closids": "8\n",
		"c1/mon_groups/c1/mon_data/mon_L3_00/llc_occupancy": "77\n", "c1/mon_groups/c1/mon_data/mon_L3_00/mbm_total_bytes": "5\n",
		"c1/mon_groups/c1/mon_data/mon_L3_00/mbm_local_bytes": "Unavailable\n", "c1/mon_groups/c1/mon_data/mon_PERF/core_energy": "1\n",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		group RdtGroup
		mon   string
	}{
		{RdtGroup{Dir: root + "/c1", Mon: root + "/c1/mon_groups/c1"}, `,"mbm_stats":[{"mbm_total_bytes":5,"mbm_local_bytes":0}],"cmt_stats":[{"llc_occupancy":77}]`},
		{RdtGroup{Dir: root + "/c1"}, ""},
	} {
		s, err := tt.group.Stat(root)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := json.Marshal(s)
		want := `{"l3_cache_info":{"cbm_mask":"fff","min_cbm_bits":2,"num_closids":16},"l3_cache_schema_root":"L3:0=fff","l3_cache_schema":"L3:0=00f",` +
			`"mem_bw_info":{"bandwidth_gran":10,"delay_linear":1,"min_bandwidth":10,"num_closids":8},"mem_bw_schema_root":"MB:0=100","mem_bw_schema":"MB:0=020",` +
			`"schemata":["L3:0=00f","MB:0=020"]` + tt.mon + `}`
		if string(got) != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestParseNetDev(t *testing.T) {
	t.Parallel()
	const heading = "Inter-|   Receive  |  Transmit\n face |bytes packets|bytes packets\n"
	got, err := parseNetDev(heading + "    lo: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n" +
		"eth0:1 2 3 4 50 60 70 80 5 6 7 8 90 100 110 120\nbr0:1: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n")
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if got[0] != (NetStats{"eth0", 1, 2, 3, 4, 5, 6, 7, 8}) || got[1].Name != "br0:1" || got[1].TxBytes != 9 {
		t.Errorf("%+v", got)
	}
	for _, bad := range []string{"eth0 1 2\n", "eth0: 1 2 3\n", "eth0: 1 2 3 x 5 6 7 8 9 10 11 12 13 14 15 16\n"} {
		if got, err := parseNetDev(bad); err == nil {
			t.Errorf("%q: %+v and no error", bad, got)
		}
	}
}
