package host

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"tare/internal/step"

	"golang.org/x/sys/unix"
)

func TestParseSubIDs(t *testing.T) {
	t.Parallel()
	text := "# comment\nann:100000:65536\nbob:1:2\n1000:300000:1\nann:x:1\nann:1\nann:5:0\nann:4294967295:2\nann:4294967295:1"
	got := parseSubIDs([]byte(text), "ann", 1000)
	if want := []SubID{{100000, 65536}, {300000, 1}, {4294967295, 1}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v; want %v", got, want)
	}
	if got := parseSubIDs([]byte(":7:8\n"), "", 5); got != nil {
		t.Errorf("nobody's range: %v", got)
	}
}

func FuzzParseSubIDs(f *testing.F) {
	f.Add("ann:100000:65536\n1000:1:1")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range parseSubIDs([]byte(text), "ann", 1000) {
			if r.Count == 0 || uint64(r.Start)+uint64(r.Count) > 1<<32 {
				t.Errorf("impossible range %+v", r)
			}
			covered(step.IDMap{Host: r.Start, Size: r.Count}, []SubID{r})
		}
	})
}

func TestMissing(t *testing.T) {
	t.Parallel()
	ids := []SubID{{200, 100}, {100, 100}}
	for _, tt := range []struct {
		maps []step.IDMap
		want string
	}{
		{[]step.IDMap{{Container: 0, Host: 1000, Size: 1}, {Container: 1, Host: 100, Size: 200}}, ""},
		{[]step.IDMap{{Host: 1000, Size: 2}}, "host ids 1000-1001 are not in T"},
		{[]step.IDMap{{Host: 150, Size: 100}, {Host: 299, Size: 2}}, "host ids 299-300 are not in T"},
		{[]step.IDMap{{Host: 1<<32 - 1, Size: 1}}, "host ids 4294967295-4294967295 are not in T"},
	} {
		if got := missing(tt.maps, 1000, ids, "T"); got != tt.want {
			t.Errorf("%v: %q; want %q", tt.maps, got, tt.want)
		}
	}
}

func TestMapHelperErrors(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	maps := []step.IDMap{{Container: 0, Host: 4242, Size: 3}}
	err := RunMapHelpers(t.Context(), 7, maps, maps)
	if err == nil || !strings.HasPrefix(err.Error(), "newuidmap: not found in $PATH") {
		t.Error(err)
	}
	script := "#!/bin/sh\necho \"$0 $*\" >>" + dir + "/calls\n"
	for name, end := range map[string]string{"newuidmap": "", "newgidmap": "echo no range >&2\nexit 1\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script+end), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	err = RunMapHelpers(t.Context(), 7, maps, maps)
	want := "newgidmap 7 0 4242 3: exit status 1: no range (host ids 4242-4244 are not in /etc/subgid)"
	if err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
	calls, _ := os.ReadFile(filepath.Join(dir, "calls"))
	if got := strings.ReplaceAll(string(calls), dir+"/", ""); got != "newuidmap 7 0 4242 3\nnewgidmap 7 0 4242 3\n" {
		t.Errorf("calls %q", calls)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := RunMapHelpers(ctx, 7, maps, maps); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestRlimitAndOOMScore(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("cat")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	pid := cmd.Process.Pid
	if err := Rlimit(pid, &step.Rlimit{Name: "RLIMIT_CORE", Resource: unix.RLIMIT_CORE, Soft: 5, Hard: 77}); err != nil {
		t.Fatal(err)
	}
	var l unix.Rlimit
	if err := unix.Prlimit(pid, unix.RLIMIT_CORE, nil, &l); err != nil || l.Cur != 5 || l.Max != 77 {
		t.Errorf("%+v, %v", l, err)
	}
	err = Rlimit(pid, &step.Rlimit{Name: "RLIMIT_CORE", Resource: unix.RLIMIT_CORE, Soft: 9, Hard: 8})
	if !errors.Is(err, unix.EINVAL) || err.Error() != "prlimit RLIMIT_CORE soft 9 hard 8: invalid argument" {
		t.Error(err)
	}
	if err := OOMScore(pid, &step.OOMScore{Value: 789}); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/oom_score_adj"); string(b) != "789\n" {
		t.Errorf("%q, %v", b, err)
	}
	err = OOMScore(pid, &step.OOMScore{Value: 1001})
	if !errors.Is(err, unix.EINVAL) || !strings.Contains(err.Error(), `oom_score_adj "1001": invalid argument`) {
		t.Error(err)
	}
}
