package initstage_test

import (
	"os"
	"strings"
	"syscall"
	"testing"

	"tare/internal/step"
)

// CVE-2024-21626: no descriptor of the runtime serves as working directory.
func TestWorkingDirectoryThroughDescriptors(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for n := range 20 {
		_, head := bundle(t)
		fd, err := syscall.Open("/", syscall.O_RDONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		j := &job{t: t, clone: testClone, fds: []int{fd, fd, fd}, steps: join(head, []step.Step{&step.PivotRoot{},
			&step.Chdir{Place: step.At("process.cwd"), Dir: "/proc/self/fd/" + itoa(n)}}, ending())}
		j.start()
		if r := j.failure(); r.At != "process.cwd" {
			t.Errorf("%d: %s", n, text(r))
		}
		syscall.Close(fd)
	}
}

// CVE-2024-21626: nor as the way to the program.
func TestProgramThroughDescriptors(t *testing.T) {
	needRoot(t)
	t.Parallel()
	fd, err := syscall.Open("/", syscall.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(fd)
	for n := range 20 {
		_, head := bundle(t)
		name := "/proc/self/fd/" + itoa(n) + "/bin/cat" // the host has one, the container has not
		j := &job{t: t, clone: testClone, fds: []int{fd, fd}, steps: join(head, []step.Step{&step.PivotRoot{},
			&step.FindExec{Place: step.At("process.args[0]"), Name: name}, &step.Exec{Args: []string{name}}})}
		j.start()
		if r := j.failure(); r.Step != step.KindFindExec {
			t.Errorf("%d: %s", n, text(r))
		}
	}
}

func TestWorkingDirectory(t *testing.T) {
	needRoot(t)
	t.Parallel()
	rootfs, head := bundle(t)
	os.MkdirAll(rootfs+"/home/secret", 0o755)
	os.Chmod(rootfs+"/home/secret", 0o700)
	os.Chown(rootfs+"/home/secret", 1000, 1000)
	os.Symlink("/home", rootfs+"/link")
	prog := []step.Step{&step.FindExec{Name: "/bin/probe"}, &step.Exec{Args: []string{"/bin/probe"}, Env: []string{}}}
	for _, c := range []struct {
		steps []step.Step
		want  string
	}{
		{[]step.Step{&step.Chdir{Dir: "/new/dir", Create: true}}, "/new/dir"},
		{[]step.Step{&step.Chdir{Dir: "/link"}}, "/home"},
		{[]step.Step{&step.Unshare{Flags: 0}, &step.BoundingCaps{}, &step.Caps{Effective: 0xc0, Permitted: 0xc0}, &step.Chdir{Dir: "/home/secret", Retry: true},
			&step.User{UID: 1000, GID: 1000}, &step.Chdir{Dir: "/home/secret"}}, "/home/secret"},
	} {
		j := &job{t: t, clone: testClone, steps: join(head, []step.Step{&step.PivotRoot{}}, c.steps, prog)}
		j.start()
		if s, _ := j.finish(); s.Cwd != c.want {
			t.Errorf("got %s, want %s", s.Cwd, c.want)
		}
	}
	for dir, want := range map[string]string{"/absent": "no such file", "/bin/probe": "not a directory"} {
		j := &job{t: t, clone: testClone, steps: join(head, []step.Step{&step.PivotRoot{}, &step.Chdir{Dir: dir}}, prog)}
		j.start()
		if got := text(j.failure()); !strings.Contains(got, `chdir "`+dir+`": `+want) {
			t.Errorf("got %s", got)
		}
	}
}
