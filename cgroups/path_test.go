package cgroups

import (
	"strings"
	"testing"
)

func TestResolve(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		r          Request
		path, unit string // unit as slice/name
		err        string
	}{
		{r: Request{CgroupsPath: "/a/b", ID: "i"}, path: "/a/b"},
		{r: Request{CgroupsPath: "/a/../../b//c/.", ID: "i"}, path: "/b/c"},
		{r: Request{ID: "i", Mode: V1, Own: "/own/x"}, path: "/i"},
		{r: Request{ID: "i", Mode: V2, Own: "/user.slice/s.scope"}, path: "/user.slice/i"},
		{r: Request{ID: "i", Mode: V2, Own: "/"}, path: "/i"},
		{r: Request{ID: "i", Mode: V2}, path: "/i"},
		{r: Request{CgroupsPath: "../../x", Mode: V2, Own: "/a/b/c"}, path: "/a/b/x"},
		{r: Request{CgroupsPath: "x/y", Mode: Hybrid, Own: "/a/b/c"}, path: "/x/y"},
		{r: Request{CgroupsPath: "/a", Mode: V2, Own: "/o/w"}, path: "/a"},
		{r: Request{CgroupsPath: "/", ID: "i"}, err: "the root cgroup"},
		{r: Request{CgroupsPath: "..", ID: "i", Mode: V2, Own: "/a/b"}, err: "the root cgroup"},
		{r: Request{CgroupsPath: "/a\x00b"}, err: "NUL"},
		{r: Request{CgroupsPath: "a:b:c", Mode: V2}, path: "/a:b:c"},

		{r: Request{Systemd: true, ID: "i", Prefix: "tare"}, path: "/system.slice/tare-i.scope", unit: "system.slice/tare-i.scope"},
		{r: Request{Systemd: true, User: true, ID: "i", Prefix: "tare"}, path: "/user.slice/tare-i.scope", unit: "user.slice/tare-i.scope"},
		{r: Request{Systemd: true, CgroupsPath: "a-b.slice:p:n"}, path: "/a.slice/a-b.slice/p-n.scope", unit: "a-b.slice/p-n.scope"},
		{r: Request{Systemd: true, CgroupsPath: ":p:n"}, path: "/system.slice/p-n.scope", unit: "system.slice/p-n.scope"},
		{r: Request{Systemd: true, CgroupsPath: "-.slice::n"}, path: "/n.scope", unit: "-.slice/n.scope"},
		{r: Request{Systemd: true, CgroupsPath: "a.slice::a-n.slice"}, path: "/a.slice/a-n.slice", unit: "a.slice/a-n.slice"},
		{r: Request{Systemd: true, CgroupsPath: "-.slice::n.slice"}, path: "/n.slice", unit: "-.slice/n.slice"},
		{r: Request{Systemd: true, CgroupsPath: "b.slice::a-n.slice"}, err: "does not lie in slice"},
		{r: Request{Systemd: true, CgroupsPath: "a.slice::-.slice"}, err: "root cgroup"},
		{r: Request{Systemd: true, CgroupsPath: "/a/b"}, err: "not slice:prefix:name"},
		{r: Request{Systemd: true, CgroupsPath: "a:b:c:d"}, err: "not slice:prefix:name"},
		{r: Request{Systemd: true, CgroupsPath: "a.slice:p:"}, err: "not a unit name"},
		{r: Request{Systemd: true, CgroupsPath: "a.slice:p:x/y"}, err: "not a unit name"},
		{r: Request{Systemd: true, CgroupsPath: "a/b.slice:p:n"}, err: "not a slice unit name"},
	} {
		p, err := Resolve(c.r)
		unit := ""
		if p.Unit != nil {
			unit = p.Unit.Slice + "/" + p.Unit.Name
		}
		switch {
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)):
			t.Errorf("%+v: error %v, want %s", c.r, err, c.err)
		case c.err == "" && (err != nil || p.Path != c.path || unit != c.unit):
			t.Errorf("%+v: %q %q, %v; want %q %q", c.r, p.Path, unit, err, c.path, c.unit)
		}
	}
}

// FuzzResolve: whatever the input, the place passes Check and lies below its
// mount.
func FuzzResolve(f *testing.F) {
	f.Add("a-b.slice:p:n", "id", "/own", true)
	f.Add("../x//y", "id", "/../own", false)
	f.Fuzz(func(t *testing.T, path, id, own string, systemd bool) {
		p, err := Resolve(Request{CgroupsPath: path, ID: id, Own: own, Mode: V2, Systemd: systemd})
		if err != nil {
			return
		}
		l := Layout{Mode: V2, Hierarchies: []Hierarchy{{Mount: "/m", Version: 2}}}
		c := l.Config(p)
		if err := c.Check(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestExpandSlice(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a.slice": "/a.slice", "a-b-c.slice": "/a.slice/a-b.slice/a-b-c.slice", "-.slice": "",
		"": "error", "a": "error", ".slice": "error", "a/b.slice": "error", "-a.slice": "error", "a-.slice": "error", "a--b.slice": "error", "--.slice": "error",
	} {
		got, err := ExpandSlice(in)
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
}

func TestConfigCheck(t *testing.T) {
	t.Parallel()
	good := Config{Kind: Files, Path: "/a", Dirs: []Dir{{Hierarchy{Mount: "/m", Version: 2}, "/m/a"}}}
	if err := good.Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Config){
		"kind":           func(c *Config) { c.Kind = "x" },
		"root":           func(c *Config) { c.Path = "/" },
		"relative":       func(c *Config) { c.Path = "a" },
		"unclean":        func(c *Config) { c.Path = "/a/.." },
		"no dirs":        func(c *Config) { c.Dirs = nil },
		"mount itself":   func(c *Config) { c.Dirs[0].Path = "/m" },
		"outside":        func(c *Config) { c.Dirs[0].Path = "/mm/a" },
		"climbing":       func(c *Config) { c.Dirs[0].Path = "/m/../etc" },
		"version":        func(c *Config) { c.Dirs[0].Version = 3 },
		"no controllers": func(c *Config) { c.Dirs[0].Version = 1 },
		"no unit":        func(c *Config) { c.Kind = Systemd },
	} {
		c := good.Clone()
		spoil(&c)
		if c.Check() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestSubRefusesEscapes(t *testing.T) {
	t.Parallel()
	c := Config{Kind: Files, Path: "/a", Dirs: []Dir{
		{Hierarchy{Mount: "/proc", Version: 1, Controllers: []string{"cpu"}}, "/proc/self"},
		{Hierarchy{Mount: "/sys", Version: 1, Controllers: []string{"name=x"}}, "/sys/kernel"},
	}}
	for arg, want := range map[string]string{
		"../x": "not a sub-cgroup", "a/../b": "not a sub-cgroup", "cpu:..": "not a sub-cgroup", "no:x": "no such cgroup hierarchy",
		"absent": "no such file", "cpu:absent": "no such file",
	} {
		if _, err := c.Sub([]string{arg}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", arg, err, want)
		}
	}
	got, err := c.Sub([]string{"cpu:/ns", "x:mm"})
	if err != nil || got.Dirs[0].Path != "/proc/self/ns" || got.Dirs[1].Path != "/sys/kernel/mm" || c.Dirs[0].Path != "/proc/self" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := c.Sub([]string{"cpu:ns", "cpu:fd"}); err == nil || !strings.Contains(err.Error(), "a second time") {
		t.Errorf("twice: %v", err)
	}
}
