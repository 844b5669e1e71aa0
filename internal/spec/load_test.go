package spec

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoad(t *testing.T) {
	path := write(t, "config.json", ` {"ociVersion":"1.2.0","unknown":{"a":[1]},"root":{"path":"r"}}`)
	for _, file := range []string{"", "config.json", path} {
		s, raw, err := Load(filepath.Dir(path), file)
		if err != nil || s.Version != "1.2.0" || s.Root.Path != "r" || !strings.HasPrefix(string(raw), ` {"ociV`) {
			t.Errorf("%q: %+v, %q, %v", file, s, raw, err)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	_, _, err := Load(t.TempDir(), "")
	if !errors.Is(err, fs.ErrNotExist) || err.Error() != "JSON specification file config.json not found" {
		t.Errorf("missing file: %v", err)
	}
	_, _, err = Load(t.TempDir(), "other.json")
	if err == nil || !strings.Contains(err.Error(), "JSON specification file other.json not found") {
		t.Errorf("missing other file: %v", err)
	}
	if _, _, err = Load("/", "."); err == nil {
		t.Error("a directory was read")
	}
	path := write(t, "config.json", "{\n\"mounts\":[{\"options\":\"ro\"}]}")
	_, _, err = Load("/", path)
	if want := path + ":2:22: mounts[0].options: a string where a list is wanted"; err == nil || err.Error() != want {
		t.Errorf("got %v\nwant %s", err, want)
	}
	if err := os.Truncate(path, maxDocument+1); err != nil {
		t.Fatal(err)
	}
	if _, _, err = Load("/", path); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("too large: %v", err)
	}
	if _, err = LoadProcess(path + "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing process: %v", err)
	}
}

func TestLoadOthers(t *testing.T) {
	p, err := LoadProcess(write(t, "p", `{"cwd":"/","args":["a"]}`))
	if err != nil || p.Args[0] != "a" {
		t.Errorf("process: %+v, %v", p, err)
	}
	r, err := LoadResources(iotest.OneByteReader(strings.NewReader(`{"pids":{"limit":5}}`)))
	if err != nil || *r.Pids.Limit != 5 || r.Memory != nil {
		t.Errorf("resources: %+v, %v", r, err)
	}
	m, err := LoadMounts(strings.NewReader(`[{"destination":"/a"}]`))
	if err != nil || len(m) != 1 {
		t.Errorf("mounts: %+v, %v", m, err)
	}
	if _, err = LoadMounts(iotest.ErrReader(fs.ErrPermission)); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("reader's error: %v", err)
	}
	if _, err = LoadResources(strings.NewReader(`{"pids":5}`)); err == nil || err.Error() != "resources:1:9: pids: a number where an object is wanted" {
		t.Errorf("wrong type: %v", err)
	}
}
