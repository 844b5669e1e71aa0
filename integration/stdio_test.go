package integration

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"tare/integration/report"
)

func TestStdinReachesTheProgram(t *testing.T) {
	b := newBundle(t, args("/bin/cat"))
	b.write()
	cmd := b.cmd(b.line("run", nil)...)
	cmd.Stdin = strings.NewReader("a line\nand more")
	if out := b.do(cmd).ok(t).out; out != "a line\nand more" {
		t.Errorf("%q", out)
	}
}

func TestStdoutAndStderrStayApart(t *testing.T) {
	b := newBundle(t, sh("echo out; echo err >&2"))
	if r := b.run().ok(t); r.out != "out\n" || r.err != "err\n" {
		t.Errorf("%v", r)
	}
}

func TestLargeOutputArrivesWhole(t *testing.T) {
	b := newBundle(t, sh("dd if=/dev/zero bs=65536 count=64 2>/dev/null"))
	if r := b.run().ok(t); len(r.out) != 4<<20 {
		t.Errorf("%d bytes", len(r.out))
	}
}

func TestLargeInputArrivesWhole(t *testing.T) {
	b := newBundle(t, sh("cat | wc -c"))
	check(t, os.Symlink("busybox", b.inRoot("bin/wc")))
	b.write()
	cmd := b.cmd(b.line("run", nil)...)
	cmd.Stdin = io.LimitReader(zeros{}, 3<<20)
	if out := b.do(cmd).ok(t).out; strings.TrimSpace(out) != "3145728" {
		t.Errorf("%q", out)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestRunEndsThoughItsStdinStaysOpen(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	b.write()
	r, w, err := os.Pipe()
	check(t, err)
	defer w.Close()
	defer r.Close()
	cmd := b.cmd(b.line("run", nil)...)
	cmd.Stdin = r
	b.do(cmd).ok(t)
}

func TestReaderThatGoesAwayBreaksThePipe(t *testing.T) {
	b := newBundle(t, args("/bin/yes"))
	b.write()
	r, w, err := os.Pipe()
	check(t, err)
	cmd := b.cmd(b.line("run", nil)...)
	cmd.Stdout = w
	c := b.begin(cmd)
	w.Close()
	buf := make([]byte, 10)
	_, err = io.ReadFull(r, buf)
	check(t, err)
	r.Close()
	if res := c.end(t); res.code == 0 {
		t.Errorf("%v", res)
	}
	b.wantGone()
}

func TestDetachedContainerHasTheCallersDescriptorsAsStdio(t *testing.T) {
	b := newBundle(t, prog("fds"))
	b.write()
	b.live = true
	r := b.tare(b.line("run", []string{"-d"})...).ok(t)
	r.waitOut(t, "}")
	fds := decode[map[int]string](t, r.output(t))
	if fds[0] != "/dev/null" || fds[1] != r.outPath || len(fds) != 3 {
		t.Errorf("%v", fds)
	}
}

func TestStdioBelongsToTheProcessUser(t *testing.T) {
	b := newBundle(t, user(1000, 1000), sh("echo hello > /proc/self/fd/1 && echo fine > /dev/stderr"))
	r := b.detach()
	r.waitOut(t, "hello")
	info, err := os.Stat(r.outPath)
	check(t, err)
	if st := info.Sys().(*syscall.Stat_t); st.Uid != onHost(suite.maps.uid, 1000) || st.Gid != onHost(suite.maps.gid, 0) {
		t.Errorf("owner %d:%d", st.Uid, st.Gid)
	}
}

func TestStdioOnDevNullLeavesItsOwner(t *testing.T) {
	const odd = 54321 // no other case or program would choose it
	b := newBundle(t, user(odd, odd), args("/bin/true"))
	b.write()
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	check(t, err)
	defer null.Close()
	cmd := b.cmd(b.line("run", []string{"-d"})...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = null, null, null
	b.live = true
	b.do(cmd).ok(t)
	info, err := os.Stat("/dev/null")
	check(t, err)
	if st := info.Sys().(*syscall.Stat_t); st.Uid == odd || st.Gid == odd {
		os.Chown("/dev/null", 0, 0)
		t.Errorf("/dev/null belonged to %d:%d", st.Uid, st.Gid)
	}
}

func TestOnlyStdioIsOpenInside(t *testing.T) {
	b := newBundle(t)
	if f := b.facts(); len(f.FDs) != 3 {
		t.Errorf("%v", f.FDs)
	}
}

func TestStrayDescriptorsOfTheCallerDoNotLeak(t *testing.T) {
	b := newBundle(t, prog("fds"))
	b.write()
	cmd := b.cmd(b.line("run", nil)...)
	for range 12 {
		r, w, err := os.Pipe()
		check(t, err)
		defer r.Close()
		defer w.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, r, w)
	}
	if fds := decode[map[int]string](t, b.do(cmd).ok(t).out); len(fds) != 3 {
		t.Errorf("%v", fds)
	}
}

// withClosed runs the prepared call with some of fds 0-2 closed.
func withClosed(cmd *exec.Cmd, redirect string) *exec.Cmd {
	cmd.Args = append([]string{"/bin/sh", "-c", `exec "$@" ` + redirect, "sh"}, cmd.Args...)
	cmd.Path = "/bin/sh"
	return cmd
}

func TestClosedStdioOfTheCallerDoesNoHarm(t *testing.T) {
	for name, redirect := range map[string]string{"stdin": "<&-", "stdout": ">&-", "stderr": "2>&-", "all": "<&- >&- 2>&-"} {
		t.Run(name, func(t *testing.T) {
			not(t, "runc", "fails in odd ways")
			b := newBundle(t, prog("hook", "/data/facts", "nostdin"))
			b.mayLeave("data/facts")
			b.write()
			b.do(withClosed(b.cmd(b.line("run", nil)...), redirect)).ok(t)
			h := decode[report.Hook](t, readFile(t, b.inRoot("data/facts")))
			for fd := range h.FDs {
				if fd > 2 {
					t.Errorf("fd %d is %s", fd, h.FDs[fd])
				}
			}
			b.wantGone()
		})
	}
}

func TestExecPassesStdio(t *testing.T) {
	notCovered(t)
	b := newBundle(t)
	b.hold()
	cmd := b.cmd("exec", b.id, "/bin/sh", "-c", "cat; echo err >&2")
	cmd.Stdin = strings.NewReader("through")
	if r := b.do(cmd).ok(t); r.out != "through" || r.err != "err\n" {
		t.Errorf("%v", r)
	}
}

func TestExecLeaksNoDescriptor(t *testing.T) {
	b := newBundle(t)
	b.hold()
	if f := b.execFacts(); len(f.FDs) != 3 {
		t.Errorf("%v", f.FDs)
	}
}

func TestPreserveFDsPassesThatManyFromThree(t *testing.T) {
	b := newBundle(t, prog("fds"))
	b.write()
	cmd := b.cmd(b.line("run", []string{"--preserve-fds", "2"})...)
	for _, name := range []string{"three", "four", "five"} {
		file, err := os.Create(filepath.Join(b.dir, name))
		check(t, err)
		defer file.Close()
		cmd.ExtraFiles = append(cmd.ExtraFiles, file)
	}
	fds := decode[map[int]string](t, b.do(cmd).ok(t).out)
	if !strings.HasSuffix(fds[3], "/three") || !strings.HasSuffix(fds[4], "/four") || len(fds) != 5 {
		t.Errorf("%v", fds)
	}
}

func TestPreserveFDsMissingOneFails(t *testing.T) {
	not(t, "runc", "takes one of its own descriptors for it")
	b := newBundle(t, args("/bin/true"))
	b.write()
	cmd := b.cmd(b.line("create", []string{"--preserve-fds", "2"})...)
	file, err := os.Open("/dev/null")
	check(t, err)
	defer file.Close()
	cmd.ExtraFiles = []*os.File{file}
	b.do(cmd).fails(t)
	b.wantGone()
}

func TestExecPreserveFDs(t *testing.T) {
	b := newBundle(t)
	b.hold()
	cmd := b.cmd("exec", "--preserve-fds", "1", b.id, "/testprog", "fds")
	file, err := os.Create(filepath.Join(b.dir, "kept"))
	check(t, err)
	defer file.Close()
	cmd.ExtraFiles = []*os.File{file}
	fds := decode[map[int]string](t, b.do(cmd).ok(t).out)
	if !strings.HasSuffix(fds[3], "/kept") || len(fds) != 4 {
		t.Errorf("%v", fds)
	}
}

// A descriptor on a mount of the host could not be checkpointed.
func TestNullDeviceOfTheStdioIsTheContainersOwn(t *testing.T) {
	onlyTare(t, "1.1 keeps the host's for exec")
	for name, edit := range map[string]func(*specs.Spec){"root": prog("hold"), "user namespace": userNS, "user 1000": user(1000, 1000)} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, prog("hold"), edit)
			b.runQuiet()
			pid := b.state().Pid
			mounts := readFile(t, fmt.Sprintf("/proc/%d/mountinfo", pid))
			for fd := range 3 {
				info := readFile(t, fmt.Sprintf("/proc/%d/fdinfo/%d", pid, fd))
				_, rest, _ := strings.Cut(info, "mnt_id:")
				id, _, _ := strings.Cut(strings.TrimSpace(rest), "\n")
				if id == "" || !strings.Contains("\n"+mounts, "\n"+id+" ") {
					t.Errorf("descriptor %d is on mount %q, which is none of the container's:\n%s", fd, id, mounts)
				}
			}
		})
	}
}
