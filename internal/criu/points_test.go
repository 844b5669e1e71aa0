package criu

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"tare/internal/plan"
)

func TestMakePoints(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root, outside := filepath.Join(dir, "root"), filepath.Join(dir, "outside")
	for _, d := range []string{root, outside} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "kept"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := MakePoints([]plan.MountPoint{
		{At: "mounts[0]", Base: root, Path: "/a/b", Dir: true}, {At: "mounts[1]", Base: root, Path: "/a/f"},
		{At: "mounts[2]", Base: root, Path: "/kept"}, {At: "mounts[3]", Base: root, Path: "/link/x", Dir: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, isDir := range map[string]bool{"a/b": true, "a/f": false, "kept": false} {
		if st, err := os.Lstat(filepath.Join(root, path)); err != nil || st.IsDir() != isDir {
			t.Errorf("%s: %v, %v", path, st, err)
		}
	}
	if b, _ := os.ReadFile(filepath.Join(root, "kept")); string(b) != "text" {
		t.Errorf("the file that was there holds %q", b)
	}
	if _, err := os.Lstat(filepath.Join(outside, "x")); err == nil {
		t.Error("a link has led out of the root")
	}
	err = MakePoints([]plan.MountPoint{{At: "mounts[7]", Base: root, Path: "/kept/x", Dir: true}})
	if !errors.Is(err, syscall.ENOTDIR) || !strings.HasPrefix(err.Error(), "mounts[7].destination: ") {
		t.Error(err)
	}
}
