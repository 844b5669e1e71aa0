package integration

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func TestPipesOfARestoredContainerAreNew(t *testing.T) {
	b := newCheckpointed(t, sh("while read line; do echo got $line; done"))
	b.write()
	b.live = true
	pipes := func(args ...string) (in, out *os.File) {
		theirIn, in, err := os.Pipe()
		check(t, err)
		out, theirOut, err := os.Pipe()
		check(t, err)
		cmd := b.cmd(args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = theirIn, theirOut, theirOut
		if b.do(cmd).code != 0 {
			t.Fatal("it has failed")
		}
		theirIn.Close()
		theirOut.Close()
		t.Cleanup(func() { in.Close(); out.Close() })
		return in, out
	}
	talk := func(in, out *os.File, word string) {
		t.Helper()
		_, err := in.WriteString(word + "\n")
		check(t, err)
		if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "got "+word+"\n" {
			t.Fatalf("%q, %v", line, err)
		}
	}
	in, out := pipes(b.line("run", []string{"-d"})...)
	talk(in, out, "one")
	b.checkpoint().ok(t)
	in, out = pipes(b.line("restore", criuFlags("-d", "--image-path", b.image()))...)
	talk(in, out, "two")
}

func TestTerminalOfARestoredContainerIsSentAgain(t *testing.T) {
	b := newCheckpointed(t, terminal, sh("n=0; while read line; do n=$((n+1)); echo $n $line; done"))
	sock := newConsoleSocket(t, b)
	b.runQuiet("--console-socket", sock.path)
	p := sock.master(t)
	p.write(t, "abc\n")
	p.waitText(t, "1 abc\n")
	b.checkpoint().ok(t)
	b.restore().fails(t, "console socket")
	b.restore("--console-socket", sock.path).ok(t)
	p = sock.master(t)
	p.write(t, "def\n")
	p.waitText(t, "2 def\n")
	if out := b.exec("sh", "-c", "echo hidden >/dev/console").ok(t).out; out != "" {
		t.Errorf("%q", out)
	}
	p.waitText(t, "hidden\n")
}

func TestHooksOfCheckpointAndRestore(t *testing.T) {
	b := newCheckpointed(t)
	b.count()
	for _, name := range []string{"prestart", "createRuntime", "poststop"} {
		b.hook(name)
	}
	b.runQuiet()
	b.waitCount(2)
	b.checkpoint().ok(t)
	if got := tags(b.reports()); got != "prestart createRuntime poststop" {
		t.Fatalf("until the checkpoint: %s", got)
	}
	b.restore().ok(t)
	pid := b.wantStatus(specs.StateRunning).Pid
	all := b.reports()
	if got := tags(all[min(3, len(all)):]); got != "prestart createRuntime" {
		t.Fatalf("of the restore: %s", got)
	}
	for _, r := range all[3:] {
		st := decode[specs.State](t, r.State)
		if st.Pid != pid || st.Status != specs.StateCreating || st.ID != b.id {
			t.Errorf("%s: %s", r.Tag, r.State)
		}
	}
}

func TestTCPConnectionsAreKeptOnlyWhenAsked(t *testing.T) {
	b := newCheckpointed(t, sh("nc -l -p 4711 -e /bin/sh -c 'while read line; do echo $line >>/count/seen; done' & "+
		"i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done | until nc 127.0.0.1 4711; do sleep 0.1; done"))
	check(t, os.Symlink("busybox", b.inRoot("bin/nc")))
	b.edit(addMount(mnt("/count", "bind", b.hostDir("count"), "bind")))
	mkdirs(t, b.inRoot("count"))
	b.runQuiet()
	seen := func() int {
		data, _ := os.ReadFile(filepath.Join(b.dir, "count/seen"))
		return strings.Count(string(data), "\n")
	}
	waitFor(t, "lines over TCP", func() bool { return seen() > 2 })
	b.checkpoint().fails(t, "Error (")
	b.wantStatus(specs.StateRunning)
	b.checkpoint("--tcp-established").ok(t)
	before := seen()
	b.restore("--tcp-established").ok(t)
	waitFor(t, "more lines over the same connection", func() bool { return seen() > before+3 })
	data := readFile(t, filepath.Join(b.dir, "count/seen"))
	for i, line := range strings.Split(strings.TrimSpace(data), "\n") {
		if line != itoa(i+1) {
			t.Fatalf("line %d is %q: a line was lost or came twice", i+1, line)
		}
	}
}

func TestRestoreJoinsNamespacesByPath(t *testing.T) {
	holder := newCheckpointed(t, prog("hold"))
	holder.hold()
	dir := fmt.Sprintf("/proc/%d/ns/", holder.state().Pid)
	other := newSerial(t, joinNS("network", dir+"net"), joinNS("ipc", dir+"ipc")).withCRIU()
	other.count()
	other.runQuiet()
	other.waitCount(2)
	other.checkpoint().ok(t)
	other.restore().ok(t)
	pid := other.wantStatus(specs.StateRunning).Pid
	for _, ns := range []string{"net", "ipc"} {
		want, err := os.Readlink(dir + ns)
		check(t, err)
		if got, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, ns)); got != want {
			t.Errorf("%s: %s, want %s", ns, got, want)
		}
	}
	other.waitCount(other.counted() + 2)
}

func TestRestoreInTheForeground(t *testing.T) {
	b := newCheckpointed(t)
	b.countAfter("trap 'exit 23' TERM; ")
	b.runQuiet()
	b.waitCount(2)
	b.checkpoint().ok(t)
	before := b.counted()
	c := b.begin(b.cmd(b.line("restore", criuFlags("--image-path", b.image()))...))
	b.waitCount(before + 3)
	check(t, c.cmd.Process.Signal(sigTERM))
	if r := c.end(t); r.code != 23 {
		t.Errorf("%v", r)
	}
	b.wantGone()
}

func TestLimitsHoldForARestoredContainer(t *testing.T) {
	needController(t, "memory")
	limit := int64(64 << 20)
	b := newCheckpointed(t, func(s *specs.Spec) { s.Linux.Resources.Memory = &specs.LinuxMemory{Limit: &limit} })
	b.count()
	b.runQuiet()
	b.waitCount(2)
	before := cgroupsNamed(b.id)
	b.checkpoint().ok(t)
	b.restore().ok(t)
	if got := b.cgroupFile("memory", "memory.limit_in_bytes", "memory.max"); got != fmt.Sprint(limit) {
		t.Errorf("limit %s", got)
	}
	st := b.state()
	found := false
	for _, pid := range b.pids() {
		found = found || pid == st.Pid
	}
	if !found {
		t.Errorf("init %d is not in the cgroup: %v", st.Pid, b.pids())
	}
	if after := cgroupsNamed(b.id); !slices.Equal(before, after) {
		t.Errorf("cgroups before: %v, after: %v", before, after)
	}
}

func TestCheckpointOfAUserNamespace(t *testing.T) {
	b := newCheckpointed(t, userNS)
	b.count()
	check(t, os.Chown(b.hostDir("count"), 100000, 100000))
	b.runQuiet()
	b.waitCount(2)
	b.checkpoint().ok(t)
	before := b.counted()
	b.restore().ok(t)
	b.waitCount(before + 3)
	if out := b.exec("cat", "/proc/self/uid_map").ok(t).out; strings.Join(strings.Fields(out), " ") != "0 100000 65536" {
		t.Errorf("%q", out)
	}
}

func TestCheckpointOfACgroupNamespace(t *testing.T) {
	b := newCheckpointed(t, addNS("cgroup"), addMount(mnt("/sys/fs/cgroup", "cgroup", "cgroup", "rw", "nosuid", "noexec", "nodev")))
	b.count()
	b.runQuiet()
	b.waitCount(2)
	look := func() string { return b.exec("sh", "-c", "cat /proc/1/cgroup; cd /sys/fs/cgroup; ls; ls -d */").out }
	before := look()
	b.checkpoint().ok(t)
	b.restore().ok(t)
	if after := look(); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

func TestCheckpointOfABindWithMountsInside(t *testing.T) {
	b := newCheckpointed(t)
	tree := b.hostDir("tree")
	mkdirs(t, filepath.Join(tree, "sub"))
	check(t, unix.Mount("tmpfs", filepath.Join(tree, "sub"), "tmpfs", 0, "size=64k"))
	t.Cleanup(func() { unix.Unmount(filepath.Join(tree, "sub"), unix.MNT_DETACH) })
	writeFile(t, filepath.Join(tree, "sub/file"), "inside\n")
	mkdirs(t, b.inRoot("real"), b.inRoot("tree"))
	check(t, os.Symlink("/real", b.inRoot("link")))
	b.edit(addMount(mnt("/tree", "bind", tree, "rbind"), mnt("/link/deep", "bind", b.hostFile("one", "one\n"), "bind"),
		mnt("/tree/more", "bind", b.hostFile("two", "two\n"), "bind", "ro")))
	b.mayLeave("real/deep")
	b.count()
	b.runQuiet()
	b.waitCount(2)
	read := func() string { return b.exec("cat", "/tree/sub/file", "/link/deep", "/tree/more").ok(t).out }
	if got := read(); got != "inside\none\ntwo\n" {
		t.Fatalf("%q", got)
	}
	b.checkpoint().ok(t)
	check(t, os.Remove(filepath.Join(tree, "more"))) // the mount point is made again
	b.restore().ok(t)
	if got := read(); got != "inside\none\ntwo\n" {
		t.Errorf("%q", got)
	}
}
