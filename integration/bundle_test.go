package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// bundle is one case: a bundle with its own state root, id and cgroup. All its files lie below dir.
type bundle struct {
	t      *testing.T
	dir    string // of the case; mode 0755 all the way
	path   string // of the bundle
	rootfs string
	root   string // --root
	id     string
	bin    string // the runtime, suite.bin but for cases that need their own copy
	spec   *specs.Spec
	global []string // further global options
	env    []string // environment of the runtime, nil for the default
	before map[string]string
	allow  []string // paths below rootfs that the case may leave
	beside []string // containers of other cases in the same state root
	live   bool     // something was created that cleanup deletes
	runs   atomic.Int32
}

var caseNumber atomic.Int32

// newBundle makes the parallel case of t.
func newBundle(t *testing.T, edits ...func(*specs.Spec)) *bundle {
	t.Helper()
	t.Parallel()
	return newSerial(t, edits...)
}

// newSerial makes the case of t, which runs alone.
func newSerial(t *testing.T, edits ...func(*specs.Spec)) *bundle {
	t.Helper()
	needPrivilege(t)
	tally.add(t)
	b := &bundle{t: t, bin: suite.bin, id: fmt.Sprintf("it%d-%d", os.Getpid(), caseNumber.Add(1))}
	b.dir = filepath.Join(suite.base, b.id)
	b.root, b.path = filepath.Join(b.dir, "state"), filepath.Join(b.dir, "bundle")
	b.rootfs = filepath.Join(b.path, "rootfs")
	mkdirs(t, b.path, b.root)
	makeRootfs(t, b.rootfs)
	b.spec = defaultSpec(b.id)
	b.edit(edits...)
	t.Cleanup(func() { b.end() })
	return b
}

// edit changes the spec that the next write saves.
func (b *bundle) edit(edits ...func(*specs.Spec)) {
	for _, e := range edits {
		e(b.spec)
	}
}

// write saves config.json and remembers what is in the rootfs.
func (b *bundle) write() {
	b.t.Helper()
	needPlain(b.t, b.spec)
	writeJSON(b.t, filepath.Join(b.path, "config.json"), b.spec)
	b.before = treeOf(b.rootfs)
}

// writeRaw saves text as config.json.
func (b *bundle) writeRaw(text string) {
	b.t.Helper()
	writeFile(b.t, filepath.Join(b.path, "config.json"), text)
	b.before = treeOf(b.rootfs)
}

// editRaw saves the spec after edit has changed it as a JSON tree (for what the Go types cannot say).
func (b *bundle) editRaw(edit func(map[string]any)) {
	b.t.Helper()
	data, err := json.Marshal(b.spec)
	check(b.t, err)
	var tree map[string]any
	check(b.t, json.Unmarshal(data, &tree))
	edit(tree)
	data, err = json.Marshal(tree)
	check(b.t, err)
	b.writeRaw(string(data))
}

// mayLeave allows the case to leave paths (relative to the rootfs) that were not there before.
func (b *bundle) mayLeave(paths ...string) { b.allow = append(b.allow, paths...) }

// hostFile writes a file below the case's directory and returns its path.
func (b *bundle) hostFile(name, text string) string {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	mkdirs(b.t, filepath.Dir(path))
	writeFile(b.t, path, text)
	return path
}

// hostDir makes a directory below the case's directory and returns its path.
func (b *bundle) hostDir(name string) string {
	b.t.Helper()
	path := filepath.Join(b.dir, name)
	mkdirs(b.t, path)
	return path
}

// inRoot is the host path of a path of the container.
func (b *bundle) inRoot(path string) string { return filepath.Join(b.rootfs, path) }

// makeRootfs makes a root with busybox, testprog and the usual directories.
func makeRootfs(t *testing.T, dir string) {
	t.Helper()
	for _, d := range []string{"bin", "dev", "etc", "proc", "root", "run", "sys", "tmp", "mnt", "data"} {
		mkdirs(t, filepath.Join(dir, d))
	}
	check(t, os.Chmod(filepath.Join(dir, "tmp"), 0o777|os.ModeSticky))
	writeFile(t, filepath.Join(dir, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n")
	writeFile(t, filepath.Join(dir, "etc/group"), "root:x:0:\nuser:x:1000:\n")
	for _, master := range suite.masters {
		target := filepath.Join(dir, filepath.Base(master))
		if filepath.Base(master) == "busybox" {
			target = filepath.Join(dir, "bin/busybox")
		}
		check(t, os.Link(master, target))
	}
	for _, applet := range strings.Fields("sh true false cat echo sleep ls id grep kill touch mkdir pwd test env mount head stty yes dd") {
		check(t, os.Symlink("busybox", filepath.Join(dir, "bin", applet)))
	}
}

func mkdirs(t *testing.T, paths ...string) {
	t.Helper()
	for _, p := range paths {
		check(t, os.MkdirAll(p, 0o755))
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	check(t, os.WriteFile(path, []byte(text), 0o644))
}

func writeJSON(t *testing.T, path string, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	check(t, err)
	writeFile(t, path, string(data))
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	check(t, err)
	return string(data)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func check(t *testing.T, err error) {
	t.Helper()
	if suite.plain && errors.Is(err, syscall.EPERM) {
		skip(t, "prepares what only root may: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
}
