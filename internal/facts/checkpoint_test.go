package facts

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"tare/internal/plan"
)

func TestParseMounts(t *testing.T) {
	t.Parallel()
	got := parseMounts("67 44 254:0 /b/rootfs / rw - ext4 /dev/vda rw\n85 67 0:40 / /with\\040blank\\134 ro master:1 - proc proc rw\nbroken\n")
	want := []plan.Mounted{{Point: "/", Device: "254:0"}, {Point: `/with blank\`, Device: "0:40"}}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// Links of the root lead nowhere else, whatever they say.
func TestPlacesStayBeneathTheRoot(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, d := range []string{"run", "a/b"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "run/file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"var": "/run", "up": "../../../../run", "loop": "loop", "a/dead": "/none", "p": "/proc/self"} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	paths := []string{"/var/file", "/up", "/a/../a/b", "/a/dead", "/none", "/run/file/x", "/p/root"}
	got, err := placesIn(root, paths)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]plan.Place{"/var/file": {Path: "/run/file"}, "/up": {Path: "/run", Dir: true}, "/a/../a/b": {Path: "/a/b", Dir: true}}
	if len(got) != len(want) {
		t.Errorf("%v", got)
	}
	for p, w := range want {
		if got[p] != w {
			t.Errorf("%s: %v, want %v", p, got[p], w)
		}
	}
	if _, err := placesIn(root, []string{"/loop"}); err == nil {
		t.Error("a loop of links is a place")
	}
	if got, err := placesIn("/", []string{"/proc"}); err != nil || got["/proc"] != (plan.Place{Path: "/proc", Dir: true}) {
		t.Errorf("of the host: %v, %v", got, err)
	}
}

func TestForeignNamespaces(t *testing.T) {
	t.Parallel()
	if n, err := foreign("/proc/self/ns/", "net"); n != 0 || err != nil {
		t.Errorf("our own: %d, %v", n, err)
	}
	if _, err := foreign("/proc/0/ns/", "net"); err == nil {
		t.Error("of no process")
	}
}
