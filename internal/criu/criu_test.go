package criu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/checkpoint-restore/go-criu/v8/rpc"
	"golang.org/x/sys/unix"
)

// The test program is its own criu: executed as `criu swrk 3` it plays the part that the variable names.
const partVariable = "TARE_TEST_CRIU_PART"

func TestMain(m *testing.M) {
	if part := os.Getenv(partVariable); part != "" && len(os.Args) > 2 && os.Args[1] == "swrk" {
		play(part)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// play answers the first request.
func play(part string) {
	fmt.Fprintln(os.Stderr, "first words\nlast words")
	if part == "mute" {
		return
	}
	req := hear()
	resp := &rpc.CriuResp{Type: req.Type, Success: ptr(true)}
	switch part {
	case "version", "version-git":
		resp.Version = &rpc.CriuVersion{MajorNumber: ptr(int32(4)), MinorNumber: ptr(int32(2)), Sublevel: ptr(int32(1))}
		if part == "version-git" {
			resp.Version.Gitid = ptr("v4.2.1-7-gabcdef")
		}
	case "features":
		resp.Features = &rpc.CriuFeatures{MemTrack: req.GetFeatures().MemTrack, LazyPages: ptr(false)}
	case "fails":
		resp.Success, resp.CrErrno, resp.CrErrmsg = ptr(false), ptr(int32(syscall.EEXIST)), ptr("Error (a.c:1): first\n")
	case "other":
		resp.Type = ptr(rpc.CriuReqType_CHECK)
	case "events":
		playEvents(resp)
	case "root":
		b, _ := os.ReadFile("/proc/self/mountinfo")
		resp.CrErrmsg = ptr(string(b))
	case "file":
		b := make([]byte, 16)
		n, _ := syscall.Read(FirstFile+1, b)
		resp.CrErrmsg = ptr(string(b[:n]))
	case "waits":
		hear()
		return
	}
	say(resp, nil)
}

// playEvents goes through the points of a restore, and fails when it is told so.
func playEvents(last *rpc.CriuResp) {
	for _, e := range []string{"orphan-pts-master", "setup-namespaces", "post-restore"} {
		n := &rpc.CriuResp{Type: ptr(rpc.CriuReqType_NOTIFY), Success: ptr(true),
			Notify: &rpc.CriuNotify{Script: &e, Pid: ptr(int32(77))}}
		var rights []byte
		if e == "orphan-pts-master" {
			r, w, _ := os.Pipe()
			w.WriteString("master")
			w.Close()
			rights = unix.UnixRights(int(r.Fd()))
		}
		say(n, rights)
		if answer := hear(); answer.GetType() != rpc.CriuReqType_NOTIFY || !answer.GetNotifySuccess() {
			last.Success = ptr(false)
			return
		}
	}
	last.Restore = &rpc.CriuRestoreResp{Pid: ptr(int32(77))}
}

func hear() *rpc.CriuReq {
	b := make([]byte, 1<<16)
	n, err := syscall.Read(socketNumber, b)
	req := new(rpc.CriuReq)
	if err != nil || n == 0 || req.UnmarshalVT(b[:n]) != nil {
		os.Exit(1)
	}
	return req
}

func say(resp *rpc.CriuResp, rights []byte) {
	b, err := resp.MarshalVT()
	if err == nil {
		err = unix.Sendmsg(socketNumber, b, rights, nil, 0)
	}
	if err != nil {
		os.Exit(1)
	}
}

// criuThat starts the test program in a part.
func criuThat(t *testing.T, part string, o Options) *Process {
	t.Helper()
	t.Setenv(partVariable, part)
	o.Path = os.Args[0]
	p, err := Start(&o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func restore() *rpc.CriuReq { return &rpc.CriuReq{Type: ptr(rpc.CriuReqType_RESTORE)} }

func TestVersion(t *testing.T) {
	for part, want := range map[string]int{"version": 40201, "version-git": 40300} {
		t.Setenv(partVariable, part)
		if got, err := Version(context.Background(), os.Args[0]); got != want || err != nil {
			t.Errorf("%s: %d, %v; want %d", part, got, err, want)
		}
	}
	t.Setenv(partVariable, "mute")
	if _, err := Version(context.Background(), os.Args[0]); !errors.Is(err, errHungUp) || !strings.HasSuffix(err.Error(), "first words; last words") {
		t.Errorf("a criu that says nothing: %v", err)
	}
	if _, err := Version(context.Background(), "/none"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("no criu: %v", err)
	}
}

func TestFeatures(t *testing.T) {
	t.Setenv(partVariable, "features")
	f, err := Features(context.Background(), os.Args[0])
	if err != nil || !f.GetMemTrack() || f.GetLazyPages() {
		t.Errorf("%v, %v", f, err)
	}
}

func TestEventsComeInOrder(t *testing.T) {
	p := criuThat(t, "events", Options{})
	var seen []string
	resp, err := p.Do(context.Background(), restore(), func(e *Event) error {
		seen = append(seen, fmt.Sprint(e.Name, " ", e.Pid))
		if (e.File != nil) != (e.Name == "orphan-pts-master") {
			t.Errorf("%s: file %v", e.Name, e.File)
		}
		if e.File != nil {
			b := make([]byte, 16)
			n, _ := e.File.Read(b)
			seen = append(seen, string(b[:n]))
			e.File.Close()
		}
		return nil
	})
	if err != nil || resp.GetRestore().GetPid() != 77 {
		t.Errorf("%v, %v", resp, err)
	}
	if want := []string{"orphan-pts-master 77", "master", "setup-namespaces 77", "post-restore 77"}; !slices.Equal(seen, want) {
		t.Errorf("events %q, want %q", seen, want)
	}
}

func TestAHandlersErrorEndsIt(t *testing.T) {
	p := criuThat(t, "events", Options{})
	mine := errors.New("no")
	calls := 0
	_, err := p.Do(context.Background(), restore(), func(e *Event) error {
		closeFile(e.File)
		if calls++; e.Name == "setup-namespaces" {
			return mine
		}
		return nil
	})
	if !errors.Is(err, mine) || calls != 2 {
		t.Errorf("%v after %d calls", err, calls)
	}
}

func TestTheEndOfTheContextHangsUp(t *testing.T) {
	p := criuThat(t, "waits", Options{})
	ctx, cancel := context.WithCancelCause(context.Background())
	mine := errors.New("interrupted")
	go cancel(mine)
	if _, err := p.Do(ctx, restore(), nil); !errors.Is(err, mine) {
		t.Error(err)
	}
	if !p.awaitEnd(giveUpTime) {
		t.Error("criu has not noticed")
	}
}

func TestComplaints(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "dump.log")
	for _, c := range []struct{ part, log, want string }{
		{"fails", "", "criu: file exists: Error (a.c:1): first"},
		{"fails", "(00.1) Warn (x.c:1): w\n", "criu: file exists (log file: " + log + "): Error (a.c:1): first"},
		{"fails", "(00.1) Error (x.c:1): 1\n(00.2) Error (x.c:2): 2\n(0) ok\n(00.3) pie: 7: Error (x.c:3): 3\n(00.4) Error (x.c:4): 4\n",
			"criu: file exists (log file: " + log + "): Error (x.c:2): 2; Error (x.c:3): 3; Error (x.c:4): 4"},
		{"mute", "", "criu ended without an answer: first words; last words"},
		{"other", "", "criu answers CHECK to RESTORE"},
	} {
		os.Remove(log)
		if c.log != "" {
			if err := os.WriteFile(log, []byte(c.log), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		p := criuThat(t, c.part, Options{})
		_, err := p.Do(context.Background(), restore(), nil)
		p.awaitEnd(giveUpTime)
		if err = p.Complain(err, log); err == nil || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.part, err, c.want)
		}
		if c.part == "fails" && !errors.Is(err, syscall.EEXIST) {
			t.Error("the errno cannot be found")
		}
	}
	var p Process
	if err := errors.New("another"); p.Complain(err, log) != err || p.Complain(nil, log) != nil {
		t.Error("an error that is not criu's was changed")
	}
}

func TestRootIsAMountThatTheHostDoesNotSee(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes a mount namespace")
	}
	root := t.TempDir()
	inside := 0
	p := criuThat(t, "root", Options{Root: root, Inside: func() error { inside = syscall.Gettid(); return nil }})
	resp, err := p.Do(context.Background(), restore(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(resp.GetCrErrmsg(), " "+root+" ") {
		t.Errorf("no mount on %s in criu's namespace", root)
	}
	if b, _ := os.ReadFile("/proc/self/mountinfo"); strings.Contains(string(b), " "+root+" ") {
		t.Errorf("a mount on %s in our own namespace", root)
	}
	if inside == 0 {
		t.Error("Inside was not called")
	}
}

func TestFilesHaveTheirNumbers(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	w.WriteString("hello")
	w.Close()
	p := criuThat(t, "file", Options{Files: []*os.File{os.Stdin, r}})
	if resp, err := p.Do(context.Background(), restore(), nil); err != nil || resp.GetCrErrmsg() != "hello" {
		t.Errorf("%v, %v", resp, err)
	}
}

func TestMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := Find(); !errors.Is(err, ErrMissing) {
		t.Error(err)
	}
}
