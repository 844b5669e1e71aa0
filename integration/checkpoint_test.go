package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// criuDir is a directory whose criu works on this kernel, or why there is none: the system's, or that of the
// root which tests/engines/root.sh makes.
var criuDir = sync.OnceValues(func() (dir, why string) {
	if path, err := exec.LookPath("criu"); err != nil {
		why = err.Error()
	} else if why = tryCRIU(path); why == "" {
		return filepath.Dir(path), ""
	}
	const root = "/var/lib/tare-engines"
	loaders, _ := filepath.Glob(root + "/usr/lib*/ld-linux-*.so.*")
	libs, _ := filepath.Glob(root + "/usr/lib/*-linux-gnu")
	if len(loaders) != 1 || len(libs) != 1 || !exists(root+"/usr/sbin/criu") {
		return "", why
	}
	dir = filepath.Join(suite.base, "criu")
	script := fmt.Sprintf("#!/bin/sh\nexec %s --library-path %s --argv0 criu %s/usr/sbin/criu \"$@\"\n", loaders[0], libs[0], root)
	if os.Mkdir(dir, 0o755) != nil || os.WriteFile(dir+"/criu", []byte(script), 0o755) != nil {
		return "", why
	}
	if why = tryCRIU(dir + "/criu"); why != "" {
		return "", why
	}
	return dir, ""
})

// tryCRIU tells why this criu does not work here. Its own check may say yes on a kernel that is too new for it (4.1 asks
// for UDP-Lite, which Linux 7.2 no longer has): so a process that has nothing to do with a runtime is dumped, too.
func tryCRIU(path string) (why string) {
	if out, err := exec.Command(path, "check").CombinedOutput(); err != nil {
		return "criu check: " + lastLine(string(out))
	}
	images, err := os.MkdirTemp(suite.base, "criu-try-")
	if err != nil {
		return err.Error()
	}
	defer os.RemoveAll(images)
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: syscall.CLONE_NEWNET}
	if err := cmd.Start(); err != nil {
		return err.Error()
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if out, err := exec.Command(path, "dump", "--tree", strconv.Itoa(cmd.Process.Pid), "--images-dir", images,
		"--network-lock", "nftables").CombinedOutput(); err != nil {
		return "criu dump: " + lastLine(string(out))
	}
	return ""
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// newCheckpointed is newBundle for a case that needs a criu that works.
func newCheckpointed(t *testing.T, edits ...func(*specs.Spec)) *bundle {
	t.Helper()
	needCRIU(t)
	return newBundle(t, edits...).withCRIU()
}

func needCRIU(t *testing.T) {
	t.Helper()
	if dir, why := criuDir(); dir == "" {
		tally.add(t)
		skip(t, "no criu that works here: %s", why)
	}
}

// withCRIU lets the runtime find a criu, which holds packets back by what it brings along itself: iptables
// need not be installed.
func (b *bundle) withCRIU() *bundle {
	dir, _ := criuDir()
	b.env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
	if suite.subject != "tare" { // no flag for it
		b.annotate("org.criu.config", b.hostFile("criu.conf", "network-lock nftables\n"))
	}
	return b
}

// criuFlags are those of checkpoint and restore alike.
func criuFlags(flags ...string) []string {
	if suite.subject == "tare" {
		return append([]string{"--network-lock", "nftables"}, flags...)
	}
	return flags
}

func (b *bundle) annotate(key, value string) {
	if b.spec.Annotations == nil {
		b.spec.Annotations = make(map[string]string)
	}
	b.spec.Annotations[key] = value
}

// count makes the container count in memory, and write down how far it is: in the text of a link, so that the image
// has no open file, which a restored container that runs on for a moment would take from the next restore.
func (b *bundle) count() { b.t.Helper(); b.countAfter("") }

// countAfter is count after a few commands of the shell.
func (b *bundle) countAfter(commands string) {
	b.t.Helper()
	b.edit(sh(commands+"i=0; while :; do i=$((i+1)); ln -sfn $i /count/new; mv /count/new /count/n; sleep 0.02; done"),
		addMount(mnt("/count", "bind", b.hostDir("count"), "bind")))
	mkdirs(b.t, b.inRoot("count"))
}

// counted is how far it is; 0 before it begins.
func (b *bundle) counted() int {
	b.t.Helper()
	text, err := os.Readlink(filepath.Join(b.dir, "count/n"))
	if err != nil {
		return 0
	}
	n, err := strconv.Atoi(text)
	check(b.t, err)
	return n
}

func (b *bundle) waitCount(least int) {
	b.t.Helper()
	waitFor(b.t, "the counter to reach "+itoa(least), func() bool { return b.counted() >= least })
}

// quiet runs a command of the runtime without a standard descriptor that leads to a file of the host: that
// cannot be checkpointed.
func (b *bundle) quiet(args ...string) result {
	b.t.Helper()
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	check(b.t, err)
	defer null.Close()
	cmd := b.cmd(args...)
	cmd.Stdin, cmd.Stdout = null, null
	errs := filepath.Join(b.dir, fmt.Sprint("log.", b.runs.Add(1)))
	cmd.Stderr = null
	cmd.Args = append(cmd.Args[:1:1], append([]string{"--log", errs}, cmd.Args[1:]...)...)
	r := b.do(cmd)
	text, _ := os.ReadFile(errs)
	r.err = string(text)
	return r
}

// runQuiet writes the bundle and runs the container detached.
func (b *bundle) runQuiet(flags ...string) {
	b.t.Helper()
	b.write()
	b.live = true
	b.quiet(b.line("run", append([]string{"-d"}, flags...))...).ok(b.t)
}

func (b *bundle) image() string { return filepath.Join(b.dir, "image") }

func (b *bundle) checkpoint(flags ...string) result {
	b.t.Helper()
	return b.tare(append(append([]string{"checkpoint", "--image-path", b.image()}, criuFlags(flags...)...), b.id)...)
}

func (b *bundle) restore(flags ...string) result {
	b.t.Helper()
	return b.quiet(b.line("restore", append([]string{"--detach", "--image-path", b.image()}, criuFlags(flags...)...))...)
}

func TestRestoredContainerGoesOnWhereItWas(t *testing.T) {
	b := newCheckpointed(t)
	b.count()
	b.runQuiet()
	b.waitCount(5)
	b.checkpoint().ok(t)
	before := b.counted()
	b.wantGone()
	pidFile := filepath.Join(b.dir, "pid")
	b.restore("--pid-file", pidFile).ok(t)
	st := b.wantStatus(specs.StateRunning)
	if got := readFile(t, pidFile); got != strconv.Itoa(st.Pid) || st.Pid == 0 {
		t.Errorf("pid file %q, state's pid %d", got, st.Pid)
	}
	b.waitCount(before + 5)
	if out := b.exec("cat", "/proc/1/cmdline").ok(t).out; !strings.HasPrefix(out, "/bin/sh\x00-c\x00i=0;") {
		t.Errorf("exec sees %q as number 1", out)
	}
	b.tare("kill", b.id, "KILL").ok(t)
	b.waitStopped()
	b.tare("delete", b.id).ok(t)
	b.wantGone()
	b.live = false
}

func TestRestoredContainerLooksAsBefore(t *testing.T) {
	b := newCheckpointed(t, func(s *specs.Spec) {
		s.Linux.MaskedPaths = []string{"/proc/acpi", "/proc/keys", "/proc/timer_list", "/sys/firmware"}
		s.Linux.ReadonlyPaths = []string{"/proc/sys", "/proc/bus"}
		s.Root.Readonly = true
	}, addMount(mnt("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev")))
	file := b.hostFile("etc-hosts", "127.0.0.1 here\n")
	writeFile(t, b.inRoot("etc/hosts"), "")
	b.edit(addMount(mnt("/etc/hosts", "bind", file, "bind", "ro"), mnt("/dev/extra", "bind", file, "bind"),
		mnt("/mnt", "tmpfs", "tmpfs", "size=1m")))
	for _, applet := range []string{"cut", "sed", "sort", "wc"} {
		check(t, os.Symlink("busybox", b.inRoot("bin/"+applet)))
	}
	b.count()
	b.runQuiet()
	b.waitCount(2)
	b.exec("sh", "-c", "echo kept >/mnt/file").ok(t)
	look := func() string {
		return b.exec("sh", "-c", "cut -d' ' -f5,6 /proc/self/mountinfo | sed s/,relatime// | sort; cat /mnt/file /etc/hosts /dev/extra; "+
			"wc -c </proc/keys; ls /proc/acpi /sys/firmware; echo; cat /proc/self/cgroup; ls /sys/fs/cgroup; cat /proc/1/limits; "+
			"grep -e Cap -e Seccomp -e NoNew /proc/1/status; touch /x").out
	}
	before := look()
	b.checkpoint().ok(t)
	b.restore().ok(t)
	if after := look(); after != before || !strings.Contains(before, "kept\n127.0.0.1 here\n127.0.0.1 here\n0\n") {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestCheckpointLeavesRunningWhatIsToRun(t *testing.T) {
	b := newCheckpointed(t)
	b.count()
	b.runQuiet()
	b.waitCount(2)
	pid := b.state().Pid
	b.checkpoint("--leave-running").ok(t)
	if st := b.wantStatus(specs.StateRunning); st.Pid != pid {
		t.Errorf("pid %d, was %d", st.Pid, pid)
	}
	b.waitCount(b.counted() + 3)
	b.restore().fails(t, "already exists")
	if st := b.wantStatus(specs.StateRunning); st.Pid != pid {
		t.Errorf("pid %d, was %d", st.Pid, pid)
	}
}

func TestPausedContainerIsCheckpointedAndStaysPaused(t *testing.T) {
	b := newCheckpointed(t)
	b.count()
	b.runQuiet()
	b.waitCount(2)
	b.tare("pause", b.id).ok(t)
	b.checkpoint("--leave-running").ok(t)
	b.wantStatus("paused")
	before := b.counted()
	b.tare("resume", b.id).ok(t)
	b.waitCount(before + 2)
	b.tare("pause", b.id).ok(t)
	check(t, os.RemoveAll(b.image()))
	b.checkpoint().ok(t)
	b.wantGone()
	before = b.counted()
	b.restore().ok(t)
	b.wantStatus(specs.StateRunning)
	b.waitCount(before + 2)
}

func TestPreDumpIsTheParentOfAnImage(t *testing.T) {
	b := newCheckpointed(t)
	b.count()
	b.runQuiet()
	b.waitCount(2)
	first, second := filepath.Join(b.dir, "image/1"), filepath.Join(b.dir, "image/2")
	to := func(image string, flags ...string) result {
		return b.tare(append(append([]string{"checkpoint", "--image-path", image}, criuFlags(flags...)...), b.id)...)
	}
	if r := to(first, "--pre-dump"); r.code != 0 && strings.Contains(r.err, "cannot track changes of memory") {
		skip(t, "the kernel cannot track changes of memory")
	} else {
		r.ok(t)
	}
	b.wantStatus(specs.StateRunning)
	to(second, "--parent-path", first).fails(t, "must be relative")
	to(second, "--parent-path", "../3").fails(t, "parent path: ", "no such file")
	b.waitCount(b.counted() + 2)
	to(second, "--parent-path", "../1").ok(t)
	if link, err := os.Readlink(filepath.Join(second, "parent")); err != nil || link != "../1" {
		t.Errorf("the image's parent is %q, %v", link, err)
	}
	before := b.counted()
	b.quiet(b.line("restore", criuFlags("-d", "--image-path", second))...).ok(t)
	b.waitCount(before + 2)
}

func TestWorkPathHasTheLogs(t *testing.T) {
	b := newCheckpointed(t)
	b.count()
	b.runQuiet()
	work := filepath.Join(b.dir, "work/deeper")
	b.checkpoint("--work-path", work).ok(t)
	b.restore("--work-path", work).ok(t)
	for _, log := range []string{"dump.log", "restore.log"} {
		if exists(filepath.Join(b.image(), log)) || !exists(filepath.Join(work, log)) {
			t.Errorf("%s is not where it belongs", log)
		}
	}
}
