package ctl

import (
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestStatNamesAreInOrder(t *testing.T) {
	t.Parallel()
	for i := 1; i < len(statNames); i++ {
		a, b := strings.TrimPrefix(statNames[i-1], "total_"), strings.TrimPrefix(statNames[i], "total_")
		if a >= b {
			t.Errorf("%q before %q", a, b)
		}
	}
	for _, name := range []string{"cache", "total_cache", "zswpwb", "active_anon", "some_new_counter", "total_some_new", "total_"} {
		if got := statName([]byte(name)); got != name {
			t.Errorf("%q became %q", name, got)
		}
	}
}

func TestReader(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"number": "42\n", "most": "max\n", "words": "a b\n", "neg": "-7\n"} {
		if err := os.WriteFile(dir+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("number", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	r := NewReader()
	defer r.Close()
	if r.In(dir + "/none"); r.Err != nil || r.Read("number") != nil {
		t.Errorf("a directory that is absent: %v", r.Err)
	}
	if !r.In(dir) {
		t.Fatal(r.Err)
	}
	for name, want := range map[string]uint64{"number": 42, "most": math.MaxUint64, "neg": 0} {
		if v, ok := r.Uint(name); !ok || v != want {
			t.Errorf("%s: %d, %v, %v", name, v, ok, r.Err)
		}
	}
	if v, ok := r.Uint("none"); ok || v != 0 || r.Err != nil {
		t.Errorf("a file that is absent: %d, %v", v, r.Err)
	}
	if _, ok := r.Uint("words"); ok || r.Err == nil {
		t.Error("words are no number")
	}
	if r.Read("number") != nil {
		t.Error("reads on after an error")
	}
	two := NewReader()
	defer two.Close()
	two.In(dir)
	if two.Read("link"); two.Err == nil {
		t.Error("follows a link")
	}
}

func TestReaderAllocatesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/number", []byte("42\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := NewReader()
	defer r.Close()
	if n := testing.AllocsPerRun(20, func() {
		r.In(dir)
		r.Uint("number")
		r.Uint("absent")
		r.Close()
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestALongNameIsOpenedToo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + strings.Repeat("/"+strings.Repeat("d", 200), 3)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	fd, errno := openAt(unix.AT_FDCWD, dir, unix.O_PATH)
	if errno != 0 {
		t.Fatal(errno)
	}
	unix.Close(fd)
}

func FuzzParseBytes(f *testing.F) {
	for _, s := range []string{"0", "max", "18446744073709551616", "-5", "07", "", "+3", "99999999999999999999"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		v, ok := parseBytes(b)
		want, err := ParseUint(string(b))
		if ok != (err == nil) || ok && v != want {
			t.Fatalf("%q: %d, %v; ParseUint %d, %v", b, v, ok, want, err)
		}
	})
}

func FuzzParseStatKeys(f *testing.F) {
	f.Add([]byte("cache 5\ntotal_cache 6\nodd\nworkingset_refault_anon 7\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, plain := map[string]uint64{}, map[string]uint64{}
		StatKeys(m, b)
		EachPair(b, func(k []byte, v uint64) { plain[string(k)] = v })
		if len(m) != len(plain) {
			t.Fatalf("%q: %v, %v", b, m, plain)
		}
		for k, v := range plain {
			if m[k] != v {
				t.Fatalf("%q: %s is %d, not %d", b, k, m[k], v)
			}
		}
	})
}

func FuzzParseNames(f *testing.F) {
	f.Add([]byte("0123456789012345\x18\x00\x04abc\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		eachName(b, func(name []byte) {
			if slices.Contains(name, 0) {
				t.Fatalf("%q: name %q", b, name)
			}
		})
		appendDirs(nil, "/d", b)
	})
}

func FuzzParseNextUint(f *testing.F) {
	f.Add([]byte("1 22 333\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, rest, ok := NextUint(b)
		if ok && v < math.MaxUint64 && !strings.Contains(string(b), strconv.FormatUint(v, 10)) && !strings.ContainsAny(string(b), "-+0_") {
			t.Fatalf("%q: %d", b, v)
		}
		if len(rest) > len(b) || len(b) > 0 && len(rest) == len(b) && ok {
			t.Fatalf("%q: no progress", b)
		}
	})
}

func FuzzParseDevice(f *testing.F) {
	f.Add("8:0")
	f.Fuzz(func(t *testing.T, s string) {
		major, minor, ok := ParseDevice([]string{s})
		if ok && (major > math.MaxUint32 || minor > math.MaxUint32) {
			t.Fatalf("%q: %d:%d", s, major, minor)
		}
	})
}

func FuzzParseRdma(f *testing.F) {
	f.Add("mlx5_0 hca_handle=3 hca_object=max")
	f.Fuzz(func(t *testing.T, s string) {
		if dev, _, _ := parseRdma(s); strings.ContainsAny(dev, " \n") {
			t.Fatalf("%q: device %q", s, dev)
		}
	})
}
