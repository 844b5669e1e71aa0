package seccomp

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// cachedProfile is small, and different for each name.
func cachedProfile(name string) *specs.LinuxSeccomp {
	return &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, ListenerPath: "/s", Syscalls: []specs.LinuxSyscall{
		{Names: []string{name, "no_such_call"}, Action: specs.ActAllow}, {Names: []string{"mount"}, Action: specs.ActNotify}}}
}

// onlyEntry returns the path of the one file in the cache.
func onlyEntry(t *testing.T, dir string) string {
	t.Helper()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("%d files in the cache (%v), want 1", len(files), err)
	}
	return filepath.Join(dir, files[0].Name())
}

func mustCompile(t *testing.T, s *specs.LinuxSeccomp, dir string) *Program {
	t.Helper()
	p, err := Compile(s, Options{CacheDir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestCacheGivesTheSame(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache", "seccomp")
	s := cachedProfile("read")
	fresh := mustCompile(t, s, "")
	first := mustCompile(t, s, dir)
	path := onlyEntry(t, dir)
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("entry has mode %v (%v)", info.Mode(), err)
	}
	s.Flags = []specs.LinuxSeccompFlag{"SECCOMP_FILTER_FLAG_LOG"} // not in the filter
	second := mustCompile(t, s, dir)
	onlyEntry(t, dir)
	if second.Flags != 2 {
		t.Errorf("flags %#x come from the cache", second.Flags)
	}
	second.Flags = first.Flags
	if !reflect.DeepEqual(fresh, first) || !reflect.DeepEqual(fresh, second) || len(fresh.Warnings) != 1 || !fresh.Notify {
		t.Errorf("fresh  %+v\nstored %+v\nloaded %+v", fresh, first, second)
	}
}

// TestCacheIsRead proves that the second time nothing is compiled: a changed
// entry with a right checksum is what comes back.
func TestCacheIsRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	os.Chmod(dir, 0o700)
	s := cachedProfile("read")
	mustCompile(t, s, dir)
	path := onlyEntry(t, dir)
	other := mustCompile(t, cachedProfile("write"), "")
	if err := os.WriteFile(path, encodeEntry(cacheKey(s, false), other), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := mustCompile(t, s, dir); !bytes.Equal(got.Filter, other.Filter) {
		t.Error("the entry was not read")
	}
}

// TestCacheIsNotTrusted damages the entry in every way; what comes back must be
// compiled afresh, and the entry be right again where it can be replaced.
func TestCacheIsNotTrusted(t *testing.T) {
	t.Parallel()
	s := cachedProfile("read")
	fresh := mustCompile(t, s, "")
	good := encodeEntry(cacheKey(s, false), fresh)
	foreign := mustCompile(t, cachedProfile("write"), "")
	planted := encodeEntry(cacheKey(s, false), foreign)
	broken := *foreign
	broken.Filter = encode([]instruction{{code: opLoad}})
	for name, plant := range map[string]func(path string) error{
		"empty":     func(path string) error { return os.WriteFile(path, nil, 0o600) },
		"truncated": func(path string) error { return os.WriteFile(path, good[:len(good)-9], 0o600) },
		"longer":    func(path string) error { return os.WriteFile(path, append(slices.Clone(good), 0), 0o600) },
		"bit flipped": func(path string) error {
			bad := slices.Clone(planted)
			bad[len(bad)-20] ^= 1
			return os.WriteFile(path, bad, 0o600)
		},
		"of another profile": func(path string) error {
			return os.WriteFile(path, encodeEntry(cacheKey(cachedProfile("write"), false), foreign), 0o600)
		},
		"no valid program": func(path string) error {
			return os.WriteFile(path, encodeEntry(cacheKey(s, false), &broken), 0o600)
		},
		"readable by others": func(path string) error {
			return joinErrors(os.WriteFile(path, planted, 0o600), os.Chmod(path, 0o640))
		},
		"symbolic link": func(path string) error {
			target := filepath.Join(t.TempDir(), "target")
			return joinErrors(os.WriteFile(target, planted, 0o600), os.Remove(path), os.Symlink(target, path))
		},
		"directory": func(path string) error { return joinErrors(os.Remove(path), os.Mkdir(path, 0o700)) },
		"of another user": func(path string) error {
			if os.Geteuid() != 0 {
				return nil
			}
			return joinErrors(os.WriteFile(path, planted, 0o600), os.Chown(path, 12345, 12345))
		},
	} {
		dir := filepath.Join(t.TempDir(), "cache")
		mustCompile(t, s, dir)
		path := onlyEntry(t, dir)
		if err := plant(path); err != nil {
			t.Fatal(err)
		}
		p := mustCompile(t, s, dir)
		if !bytes.Equal(p.Filter, fresh.Filter) {
			t.Errorf("%s: the entry was trusted", name)
		}
		if data, err := os.ReadFile(path); name != "directory" && (err != nil || !bytes.Equal(data, good)) {
			t.Errorf("%s: the entry was not replaced (%v)", name, err)
		} else if name == "directory" && len(p.Warnings) != 2 {
			t.Errorf("%s: warnings %q", name, p.Warnings)
		}
	}
}

func joinErrors(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestCacheDirIsNotTrusted(t *testing.T) {
	t.Parallel()
	s := cachedProfile("read")
	fresh := mustCompile(t, s, "")
	open := t.TempDir()
	os.Chmod(open, 0o777)
	foreign := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	os.Symlink(t.TempDir(), link)
	file := filepath.Join(t.TempDir(), "file")
	os.WriteFile(file, nil, 0o600)
	dirs := []string{open, link, file, "/proc/none"}
	if os.Geteuid() == 0 {
		os.Chown(foreign, 12345, 12345)
		dirs = append(dirs, foreign)
	}
	for _, dir := range dirs {
		p := mustCompile(t, s, dir)
		if !bytes.Equal(p.Filter, fresh.Filter) {
			t.Errorf("%s: other filter", dir)
		}
		if len(p.Warnings) != 2 || !strings.Contains(p.Warnings[1], dir) {
			t.Errorf("%s: warnings %q", dir, p.Warnings)
		}
		if files, _ := os.ReadDir(dir); len(files) > 0 && dir != "/proc/none" {
			t.Errorf("%s: %d files were written", dir, len(files))
		}
	}
}

func TestCacheIsBoundedAndShared(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "cache")
	store, err := openCache(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer store.close()
	p := mustCompile(t, cachedProfile("read"), "")
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			own, err := openCache(dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer own.close()
			for i := range 60 {
				key := []byte{byte(worker % 2), byte(i)}
				if err := own.store(key, p); err != nil {
					t.Error(err)
				}
				if got := own.load(key); got != nil && !bytes.Equal(got.Filter, p.Filter) {
					t.Error("another filter came back")
				}
			}
		})
	}
	wg.Wait()
	for i := range 200 {
		one, err := openCache(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := one.store([]byte{9, byte(i)}, p); err != nil {
			t.Fatal(err)
		}
		one.close()
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) > maxEntries {
		t.Errorf("%d files (%v), at most %d are kept", len(files), err, maxEntries)
	}
	if store.load([]byte{9, 199}) == nil {
		t.Error("the newest entry was removed")
	}
}

// TestKeysDiffer: no two profiles that compile differently share a key.
func TestKeysDiffer(t *testing.T) {
	t.Parallel()
	base := func() *specs.LinuxSeccomp {
		return &specs.LinuxSeccomp{DefaultAction: specs.ActErrno, Architectures: []specs.Arch{"ab", "c"}, Syscalls: []specs.LinuxSyscall{
			{Names: []string{"a", "b"}, Action: specs.ActErrno, Args: []specs.LinuxSeccompArg{{Index: 1, Value: 2, ValueTwo: 3, Op: specs.OpEqualTo}}}}}
	}
	seen := map[string]int{string(cacheKey(base(), true)): -1}
	for i, change := range []func(*specs.LinuxSeccomp){
		func(s *specs.LinuxSeccomp) {},
		func(s *specs.LinuxSeccomp) { s.DefaultAction = specs.ActKill },
		func(s *specs.LinuxSeccomp) { s.DefaultErrnoRet = ptr(0) },
		func(s *specs.LinuxSeccomp) { s.DefaultErrnoRet = ptr(1) },
		func(s *specs.LinuxSeccomp) { s.Architectures = []specs.Arch{"a", "bc"} },
		func(s *specs.LinuxSeccomp) { s.Architectures = []specs.Arch{"ab"} },
		func(s *specs.LinuxSeccomp) { s.Syscalls[0].Names = []string{"ab"} },
		func(s *specs.LinuxSeccomp) { s.Syscalls[0].Names = []string{"b", "a"} },
		func(s *specs.LinuxSeccomp) { s.Syscalls[0].Action = specs.ActAllow },
		func(s *specs.LinuxSeccomp) { s.Syscalls[0].ErrnoRet = ptr(2) },
		func(s *specs.LinuxSeccomp) { s.Syscalls[0].Args = nil },
		func(s *specs.LinuxSeccomp) { s.Syscalls[0].Args[0].Index = 2 },
		func(s *specs.LinuxSeccomp) { s.Syscalls[0].Args[0].Value = 3 },
		func(s *specs.LinuxSeccomp) { s.Syscalls[0].Args[0].ValueTwo = 2 },
		func(s *specs.LinuxSeccomp) { s.Syscalls[0].Args[0].Op = specs.OpNotEqual },
	} {
		s := base()
		change(s)
		key := string(cacheKey(s, false))
		if j, ok := seen[key]; ok {
			t.Errorf("changes %d and %d have the same key", i, j)
		}
		seen[key] = i
	}
}

// FuzzDecodeEntry: whatever a cache file holds, reading it does not panic.
func FuzzDecodeEntry(f *testing.F) {
	key := []byte("key")
	f.Add(encodeEntry(key, &Program{Filter: encode([]instruction{{code: opReturn}}), Warnings: []string{"w"}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p := decodeEntry(data, key); p != nil && len(p.Filter) == 0 {
			t.Error("an empty filter was taken")
		}
	})
}

func BenchmarkCompile(b *testing.B) {
	s := wideProfile(b)
	dir := filepath.Join(b.TempDir(), "cache")
	for name, opts := range map[string]Options{"compile": {}, "cached": {CacheDir: dir}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				p, err := Compile(s, opts)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(len(p.Filter)/instructionSize), "instructions")
			}
		})
	}
}
