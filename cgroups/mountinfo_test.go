package cgroups

import (
	"slices"
	"strings"
	"testing"
)

const hybridInfo = `23 28 0:21 / /sys rw - sysfs sysfs rw
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset,noprefix
90 80 0:31 / /srv/root/sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset,noprefix
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
`

func TestParseMountinfo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		mode       Mode
		want       []string // mount:version:controllers:noprefix
	}{
		{"nothing", "23 28 0:21 / /sys rw - sysfs sysfs rw\n", NoCgroups, nil},
		{"hybrid", hybridInfo, Hybrid, []string{
			"/sys/fs/cgroup/cpu,cpuacct:1:cpu,cpuacct:", "/sys/fs/cgroup/cpuset:1:cpuset:noprefix",
			"/sys/fs/cgroup/systemd:1:name=systemd:", "/sys/fs/cgroup/unified:2::"}},
		{"foreign mount first", "1 2 0:1 / /srv/cg rw - cgroup2 none rw\n3 2 0:1 / /sys/fs/cgroup rw - cgroup2 none rw\n", V2,
			[]string{"/sys/fs/cgroup:2::"}},
		{"v1 elsewhere is nobody's", "3 2 0:1 / /sys/fs/cgroup rw - cgroup2 none rw\n1 2 0:9 / /srv/net rw - cgroup none rw,net_cls\n", V2,
			[]string{"/sys/fs/cgroup:2::"}},
		{"v1", "3 2 0:1 / /a\\040b rw - cgroup none rw,memory\n", V1, []string{"/a b:1:memory:"}},
		{"hidden by a later one", "3 2 0:1 /x /sys/fs/cgroup rw - cgroup2 none rw\n4 2 0:2 / /sys/fs/cgroup rw - cgroup2 none rw\n", V2,
			[]string{"/sys/fs/cgroup:2::"}},
	} {
		l, err := ParseMountinfo([]byte(c.text))
		var got []string
		for _, h := range l.Hierarchies {
			p := ""
			if h.NoPrefix {
				p = "noprefix"
			}
			got = append(got, h.Mount+":"+string(rune('0'+h.Version))+":"+strings.Join(h.Controllers, ",")+":"+p)
		}
		if err != nil || l.Mode != c.mode || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v %v, %v; want %v %v", c.name, l.Mode, got, err, c.mode, c.want)
		}
	}
	if _, err := ParseMountinfo([]byte("1 2 - cgroup2\n")); err == nil {
		t.Error("a short line is no error")
	}
}

func FuzzParseMountinfo(f *testing.F) {
	f.Add([]byte(hybridInfo))
	f.Add([]byte("1 2 0:1 / \\057\\5 rw - cgroup none memory,cpu"))
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ParseMountinfo(b)
		if err != nil {
			return
		}
		v1, v2 := 0, 0
		for _, h := range l.Hierarchies {
			if h.Version == 2 {
				v2++
			} else if v1++; len(h.Controllers) == 0 || !slices.IsSorted(h.Controllers) {
				t.Fatalf("hierarchy %+v", h)
			}
		}
		if want := map[Mode]bool{NoCgroups: v1+v2 == 0, V1: v1 > 0 && v2 == 0, V2: v1 == 0 && v2 == 1, Hybrid: v1 > 0 && v2 == 1}; !want[l.Mode] {
			t.Fatalf("mode %v with %d v1 and %d v2 hierarchies", l.Mode, v1, v2)
		}
	})
}

func FuzzParseProcCgroup(f *testing.F) {
	f.Add([]byte("9:name=systemd:/a b:c\n4:cpu,cpuacct:/\n0::/x (deleted)\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		list, err := ParseProcCgroup(b)
		if err != nil {
			return
		}
		for _, m := range list {
			if !strings.HasPrefix(m.Path, "/") && m.Path != "" {
				t.Fatalf("%q: path %q", b, m.Path)
			}
		}
	})
}

func TestDirOf(t *testing.T) {
	t.Parallel()
	list, err := ParseProcCgroup([]byte("4:cpuacct,cpu:/docker/x:y\n3:memory:/../out\n0::/user/z (deleted)\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		h    Hierarchy
		want string
	}{
		{Hierarchy{Mount: "/m", Root: "/", Version: 1, Controllers: []string{"cpu", "cpuacct"}}, "/m/docker/x:y"},
		{Hierarchy{Mount: "/m", Root: "/docker", Version: 1, Controllers: []string{"cpu", "cpuacct"}}, "/m/x:y"},
		{Hierarchy{Mount: "/m", Root: "/dock", Version: 1, Controllers: []string{"cpu", "cpuacct"}}, ""},
		{Hierarchy{Mount: "/m", Root: "/", Version: 1, Controllers: []string{"memory"}}, ""},
		{Hierarchy{Mount: "/m", Root: "/", Version: 1, Controllers: []string{"pids"}}, ""},
		{Hierarchy{Mount: "/m", Version: 2}, "/m/user/z"},
	} {
		if got := dirOf(&c.h, list); got != c.want {
			t.Errorf("%+v: %q, want %q", c.h, got, c.want)
		}
	}
}
