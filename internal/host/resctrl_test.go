package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeRoot is a directory that looks like resctrl; what only the kernel does (files that appear in a
// new group) it does not do.
func fakeRoot(t *testing.T, groups map[string]string) string {
	t.Helper()
	root := t.TempDir()
	put := func(path, text string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("info/last_cmd_status", "ok\n")
	for g, schemata := range groups {
		put(g+"/schemata", schemata)
		put(g+"/tasks", "")
		put(g+"/mon_groups/.keep", "")
	}
	return root
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

func TestRdtCompare(t *testing.T) {
	t.Parallel()
	root := fakeRoot(t, map[string]string{"gold": "    L3:0=00f;1=0ff\n    MB:0=020;1=100\n", ".": "L3:0=fff\n"})
	for _, tt := range []struct {
		name string
		rdt  Rdt
		err  string
	}{
		{"same", Rdt{CLOS: "gold", L3: "L3:0=f;1=ff"}, ""},
		{"other order", Rdt{CLOS: "gold", Schemata: []string{"MB: 1=100; 0=20"}}, ""},
		{"one domain of two", Rdt{CLOS: "gold", L3: "L3:1=FF"}, ""},
		{"other mask", Rdt{CLOS: "gold", L3: "L3:0=1f"}, `closID "gold": ` + root + `/gold/schemata does not have "L3:0=1f"`},
		{"other resource", Rdt{CLOS: "gold", L3: "L2:0=f"}, `does not have "L2:0=f"`},
		{"second line differs", Rdt{CLOS: "gold", L3: "L3:0=f", MemBW: "MB:0=30"}, `does not have "MB:0=30"`},
		{"no schema", Rdt{CLOS: "gold"}, ""},
		{"no schema, no group", Rdt{CLOS: "tin"}, `closID "tin": no such group`},
		{"dots", Rdt{CLOS: ".."}, "not a name"},
		{"slash", Rdt{CLOS: "a/b"}, "not a name"},
		{"reserved id", Rdt{Container: "info"}, "a name of resctrl's own"},
		{"root", Rdt{CLOS: "/"}, ""},
	} {
		tt.rdt.Root = root
		if tt.rdt.Container == "" {
			tt.rdt.Container = "c1"
		}
		g, err := tt.rdt.Create()
		if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v; want %s", tt.name, err, tt.err)
		}
		if err == nil && g.Own {
			t.Errorf("%s: a group of others is taken for one's own", tt.name)
		}
	}
}

func TestRdtOwn(t *testing.T) {
	t.Parallel()
	// The group is there already, since a fake one gets no files; Own is then false.
	root := fakeRoot(t, map[string]string{"c1": "L3:0=f\n"})
	r := Rdt{Root: root, Container: "c1", L3: "L3:0=3", MemBW: "MB:0=10", Schemata: []string{"L2:0=1"}, Monitor: true}
	g, err := r.Create()
	if err != nil {
		t.Fatal(err)
	}
	if got := read(t, root, "c1/schemata"); !strings.HasPrefix(got, "L2:0=1\n") { // the last write, in a plain file
		t.Errorf("schemata %q", got)
	}
	if g.Mon != filepath.Join(root, "c1/mon_groups/c1") || g.Own {
		t.Errorf("%+v", g)
	}
	if err := os.WriteFile(filepath.Join(g.Mon, "tasks"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := g.Join(4711); err != nil {
		t.Fatal(err)
	}
	if a, b := read(t, g.Dir, "tasks"), read(t, g.Mon, "tasks"); a != "4711" || b != "4711" {
		t.Errorf("tasks %q, %q", a, b)
	}
	os.Remove(filepath.Join(g.Mon, "tasks")) // resctrl's own files do not keep rmdir off
	for range 2 {
		if err := g.Remove(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(g.Mon); !os.IsNotExist(err) {
		t.Errorf("the monitoring group is still there: %v", err)
	}
}

func TestRdtFailureLeavesNothing(t *testing.T) {
	t.Parallel()
	root := fakeRoot(t, nil)
	if err := os.WriteFile(filepath.Join(root, "info/last_cmd_status"), []byte("mask 0x5 has non-consecutive bits\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, clos := range []string{"", "new"} {
		r := Rdt{Root: root, Container: "c1", CLOS: clos, L3: "L3:0=5"}
		g, err := r.Create()
		if g != nil || err == nil || !strings.HasSuffix(err.Error(), "(mask 0x5 has non-consecutive bits)") {
			t.Errorf("%+v, %v", g, err)
		}
		if _, err := os.Stat(r.Dir()); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", r.Dir(), err)
		}
	}
}

func TestFindResctrl(t *testing.T) {
	t.Parallel()
	got, err := findResctrl([]byte("proc /proc proc rw 0 0\nresctrl /sys/fs/a\\040b resctrl rw 0 0\n"))
	if err != nil || got != "/sys/fs/a b" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := findResctrl([]byte("proc /proc proc rw\nx\n")); !errors.Is(err, ErrNoResctrl) {
		t.Error(err)
	}
}
