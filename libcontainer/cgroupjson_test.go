package libcontainer

import (
	"encoding/json"
	"reflect"
	"testing"

	"tare/cgroups"
)

func TestEncodeCgroupIsWhatJSONWouldBe(t *testing.T) {
	dir := func(mount, root, path string, version int, noPrefix bool, controllers ...string) cgroups.Dir {
		return cgroups.Dir{Hierarchy: cgroups.Hierarchy{Mount: mount, Root: root, Version: version, Controllers: controllers, NoPrefix: noPrefix}, Path: path}
	}
	for _, c := range []cgroups.Config{
		{},
		{Kind: cgroups.Disabled},
		{Kind: cgroups.Files, Path: "/a", Dirs: []cgroups.Dir{dir("/sys/fs/cgroup", "/", "/sys/fs/cgroup/a", 2, false)}, Rootless: true},
		{Kind: cgroups.Files, Path: "/a", Dirs: []cgroups.Dir{
			dir("/sys/fs/cgroup/cpu", "/x", "/sys/fs/cgroup/cpu/a", 1, false, "cpu", "cpuacct"), dir("/c", "", "/c/a", 1, true, "cpuset")}},
		{Kind: cgroups.Files, Path: "/a\"\\ü\x01<", Dirs: []cgroups.Dir{dir("/c", "/", "/c/ä", 2, false)}},
		{Kind: cgroups.Systemd, Path: "/s", Unit: &cgroups.Unit{Name: "n.scope", Slice: "s.slice"}},
	} {
		b, err := encodeCgroup(&c)
		if err != nil {
			t.Fatal(err)
		}
		want, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var got, back any
		if json.Unmarshal(b, &got) != nil || json.Unmarshal(want, &back) != nil || !reflect.DeepEqual(got, back) {
			t.Errorf("%s\nwant %s", b, want)
		}
	}
}
