package initstage_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"tare/internal/step"
	"tare/internal/sys"
)

func TestExecErrors(t *testing.T) {
	needRoot(t)
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return p
	}
	noexec := write("noexec", "#!/bin/sh\n", 0o644)
	write("prog", "#!/bin/sh\n", 0o755)
	badfmt := write("badfmt", "no program", 0o755)
	interp := write("interp", "#!/no/such/shell\n", 0o755)
	sub := filepath.Join(dir, "sub")
	os.Mkdir(sub, 0o755)
	for _, c := range []struct {
		name, path, want string
		errno            syscall.Errno
	}{
		{"/no/such", "", "exec /no/such: no such file or directory", syscall.ENOENT},
		{noexec, "", "exec " + noexec + ": permission denied", syscall.EACCES},
		{sub, "", `exec: "` + sub + `": is a directory: permission denied`, syscall.EACCES},
		{noexec + "/x", "", "exec " + noexec + "/x: not a directory", syscall.ENOTDIR},
		{"nosuch", "/bin:/usr/bin", `exec: "nosuch": executable file not found in $PATH`, syscall.ENOENT},
		{"noexec", dir, `exec: "noexec": executable file not found in $PATH`, syscall.ENOENT},
		{"sub", dir, `exec: "sub": executable file not found in $PATH`, syscall.ENOENT},
		{"prog", "", `exec: "prog": executable file not found in $PATH`, syscall.ENOENT},
		{"", dir, `exec: "": executable file not found in $PATH`, syscall.ENOENT},
		{badfmt, "", "exec " + badfmt + ": exec format error (built for", syscall.ENOEXEC},
		{interp, "", "exec " + interp + ": no such file or directory (the file is there", syscall.ENOENT},
		{"/dev/null", "", "exec /dev/null: permission denied", syscall.EACCES},
	} {
		t.Run(strings.ReplaceAll(c.want, "/", "_"), func(t *testing.T) {
			t.Parallel()
			j := &job{t: t, steps: []step.Step{
				&step.FindExec{Place: step.At("process.args[0]"), Name: c.name, Path: c.path},
				&step.Exec{Place: step.At("process.args[0]"), Args: []string{c.name}},
			}}
			j.start()
			r := j.failure()
			if got := text(r); !strings.HasPrefix(got, "process.args[0]: "+c.want) || r.Errno != uint32(c.errno) {
				t.Errorf("got %s, errno %d; want %s, %d", got, r.Errno, c.want, c.errno)
			}
		})
	}
}

func TestPathSearch(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	exe, _ := os.Executable()
	for _, name := range []string{"a/probe", "b/probe"} {
		p := filepath.Join(dir, name)
		os.Mkdir(filepath.Dir(p), 0o755)
		if name == "a/probe" {
			if err := os.WriteFile(p, nil, 0o644); err != nil { // found first, but not executable
				t.Fatal(err)
			}
			continue
		}
		if err := os.Symlink(exe, p); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{dir + "/a:" + dir + "/b", "::/no/such:" + dir + "/b:", dir + "/b"} {
		j := &job{t: t, steps: []step.Step{
			&step.FindExec{Name: "probe", Path: path},
			&step.Exec{Args: []string{"probe", "second"}, Env: []string{"A=1"}},
		}}
		j.start()
		if s, _ := j.finish(); len(s.Args) != 2 || s.Args[0] != "probe" || len(s.Env) != 1 {
			t.Errorf("%s: args %q env %q", path, s.Args, s.Env)
		}
	}
}

func TestHome(t *testing.T) {
	needRoot(t)
	t.Parallel()
	for _, c := range []struct {
		name   string
		passwd string
		make   func(path string) error
		env    []string
		want   string
	}{
		{"entry", "root:x:0:0:r:/root:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\n", nil, nil, "/home/u"},
		{"empty in env", "u:x:1000:1000::/home/u:/bin/sh", nil, []string{"HOME="}, "/home/u"},
		{"no entry", "root:x:0:0:r:/root:/bin/sh\n", nil, nil, "/"},
		{"uid as name", "1000:x:0:0::/evil:/bin/sh\n", nil, nil, "/"},
		{"malformed", "u:x:1000\nu:x:1000:::::::/x\nv:x:1000:1:g:/v:/bin/sh", nil, nil, "/v"},
		{"relative", "u:x:1000:1000::home:/bin/sh", nil, nil, "/"},
		{"absent", "", func(string) error { return nil }, nil, "/"},
		{"fifo", "", func(p string) error { return syscall.Mkfifo(p, 0o644) }, nil, "/"},
		{"link out", "", func(p string) error { return os.Symlink("/../../../../../etc/passwd", p) }, nil, "/"},
		{"directory", "", func(p string) error { return os.Mkdir(p, 0o755) }, nil, "/"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rootfs, head := bundle(t)
			os.Mkdir(rootfs+"/etc", 0o755)
			if c.make == nil {
				os.WriteFile(rootfs+"/etc/passwd", []byte(c.passwd), 0o644)
			} else if err := c.make(rootfs + "/etc/passwd"); err != nil {
				t.Fatal(err)
			}
			j := &job{t: t, clone: testClone, steps: join(head, []step.Step{&step.PivotRoot{}, &step.Chdir{Dir: "/"},
				&step.User{UID: 1000, GID: 1000, SetGroups: true, Umask: 0o22},
				&step.FindExec{Name: "/bin/probe"}, &step.Exec{Args: []string{"/bin/probe"}, Env: c.env, Home: true}})}
			j.start()
			s, _ := j.finish()
			if len(s.Env) != 1 || s.Env[0] != "HOME="+c.want {
				t.Errorf("got %q, want HOME=%s", s.Env, c.want)
			}
		})
	}
}

// Twenty descriptors, given in another order than they came in, land on 3 to 22; nothing else is left.
func TestPlaceFDs(t *testing.T) {
	t.Parallel()
	const n = 20
	var fds []int
	var want []step.FD
	args := []string{}
	_, listener := listen(t)
	fds = append(fds, listener)
	for i := range n {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		w.WriteString("pipe " + string(rune('a'+i)))
		w.Close()
		fds = append(fds, int(r.Fd()))
		want = append(want, step.FD(2+(i*7)%n))
		args = append(args, "readfd="+itoa(3+i))
	}
	exe, _ := os.Executable()
	j := &job{t: t, fds: fds, steps: []step.Step{
		hookStep(script(t, `[ "$(ls /proc/self/fd | tr '\n' ' ')" = "0 1 2 3 " ] || ls -l /proc/self/fd && [ ! -e /proc/self/fd/9 ]`)),
		&step.FindExec{Name: exe}, &step.PlaceFDs{FDs: want},
		&step.Exec{Args: append([]string{"probe"}, args...), Env: []string{}}}}
	j.start()
	s, _ := j.finish()
	for i := range n {
		if got, w := s.Read["readfd="+itoa(3+i)], "pipe "+string(rune('a'+(i*7)%n)); got != w {
			t.Errorf("descriptor %d reads %q, want %q", 3+i, got, w)
		}
	}
	for fd, to := range s.FDs {
		if len(fd) == 2 && fd > "22" && to != "" && !strings.HasPrefix(to, "anon_inode") && !strings.HasPrefix(to, "/sys/fs/cgroup") { // the probe's own Go runtime's
			t.Errorf("descriptor %s is %s", fd, to)
		}
	}
}

func itoa(n int) string { return strconv.Itoa(n) }

func utoa(n uint64) string { return strconv.FormatUint(n, 10) }

func prlimit(pid int, set *syscall.Rlimit) error {
	_, err := sys.Prlimit(pid, syscall.RLIMIT_NOFILE, set)
	return err
}

func TestMissingDescriptorIsAnError(t *testing.T) {
	t.Parallel()
	j := &job{t: t, steps: append([]step.Step{&step.PlaceFDs{FDs: []step.FD{7}}}, plain()...)}
	j.start()
	if got := text(j.failure()); !strings.Contains(got, `"fd 7": no such descriptor`) {
		t.Errorf("got %s", got)
	}
}

// The Go runtime of the init raises the soft limit; the program must not inherit that, unless the host
// has set the limit since.
func TestNofileIsRestored(t *testing.T) {
	t.Parallel()
	var lim syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
		t.Fatal(err)
	}
	hard := lim.Max
	soft := func(limits string) string {
		for _, l := range strings.Split(limits, "\n") {
			if strings.HasPrefix(l, "Max open files") {
				return strings.Fields(l)[3]
			}
		}
		return limits
	}
	sh := []step.Step{&step.FindExec{Name: "/bin/cat"}, &step.Exec{Args: []string{"cat", "/proc/self/limits"}}}
	for _, c := range []struct {
		name, env string
		set       uint64
		want      string
	}{
		{"restored", "TEST_NOFILE=512:" + utoa(hard), 0, "512"},
		{"set by the host", "TEST_NOFILE=512:" + utoa(hard), 700, "700"},
		{"unknown", "TEST_NOFILE=0:0", 0, utoa(hard - 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			null, _ := os.Open("/dev/null")
			j := &job{t: t, env: []string{c.env}, steps: append([]step.Step{&step.Barrier{Name: "b"}}, sh...), files: []*os.File{null, w, os.Stderr}}
			j.start()
			w.Close()
			j.recv()
			set := &syscall.Rlimit{Cur: hard - 1, Max: hard} // what Go's start makes of a smaller soft limit
			if c.set != 0 {
				set.Cur = c.set
			}
			if err := prlimit(j.cmd.Pid, set); err != nil {
				t.Fatal(err)
			}
			j.send(step.MsgGo, []byte("b"), nil)
			b := make([]byte, 4096)
			n, _ := r.Read(b)
			if got := soft(string(b[:n])); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
