package integration

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"tare/integration/report"
)

// rootlessID is the user that root's rootless cases run as.
const rootlessID = 1000

// newRootless makes a case that an unprivileged user runs: user namespace with that user as root, no cgroup.
func newRootless(t *testing.T, edits ...func(*specs.Spec)) *bundle {
	t.Helper()
	b := newBundle(t)
	if v, err := os.ReadFile("/proc/sys/user/max_user_namespaces"); err == nil && strings.TrimSpace(string(v)) == "0" {
		skip(t, "no user namespaces")
	}
	if v, err := os.ReadFile("/proc/sys/kernel/unprivileged_userns_clone"); err == nil && strings.TrimSpace(string(v)) == "0" {
		skip(t, "no unprivileged user namespaces")
	}
	if exec.Command("unshare", "-U", "true").Run() != nil {
		skip(t, "unshare -U does not work")
	}
	b.edit(addNS("user"), dropMount("/dev/pts"), func(s *specs.Spec) {
		s.Linux.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: suite.user, Size: 1}}
		s.Linux.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: suite.user, Size: 1}}
		s.Linux.Resources, s.Linux.CgroupsPath = nil, ""
		s.Process.User.AdditionalGids = nil
	}, addMount(mnt("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620")))
	b.edit(edits...)
	return b
}

// asUser hands the case's files to the user and runs the call as that user.
func (b *bundle) asUser(cmd *exec.Cmd) *exec.Cmd {
	b.t.Helper()
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "XDG_RUNTIME_DIR=" + b.dir + "/xdg", "HOME=" + b.dir}
	if suite.plain {
		return cmd
	}
	check(b.t, filepath.WalkDir(b.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Base(path) == "testprog" || filepath.Base(path) == "busybox" { // shared by hard links
			return err
		}
		if err := os.Lchown(path, int(suite.user), int(suite.user)); err != nil && !errors.Is(err, syscall.EROFS) {
			return err
		}
		return nil
	}))
	b.before = treeOf(b.rootfs)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: suite.user, Gid: suite.user}}
	return cmd
}

// rootless writes the bundle and runs a command line as the user.
func (b *bundle) rootless(line ...string) result {
	b.t.Helper()
	return b.do(b.asUser(b.cmd(line...)))
}

func (b *bundle) rootlessRun() result {
	b.t.Helper()
	b.write()
	mkdirs(b.t, b.dir+"/xdg")
	return b.rootless(b.line("run", nil)...)
}

func TestRootlessRunIsRootInside(t *testing.T) {
	b := newRootless(t)
	f := decode[report.Facts](t, b.rootlessRun().ok(t).out)
	if f.UID != [4]int{} || fmt.Sprint(f.UIDMap) != "[[0 1000 1]]" || f.Setgroups != "deny" {
		t.Errorf("%v %v %s", f.UID, f.UIDMap, f.Setgroups)
	}
	if !slices.Contains(f.Caps["effective"], "CAP_CHOWN") {
		t.Errorf("%v", f.Caps)
	}
}

func TestRootlessLifecycle(t *testing.T) {
	b := newRootless(t, prog("hold"))
	b.write()
	mkdirs(t, b.dir+"/xdg")
	b.rootless(b.line("create", nil)...).ok(t)
	t.Cleanup(func() { b.do(b.asUser(b.cmd("delete", "-f", b.id))) })
	r := b.rootless("state", b.id).ok(t)
	if st := decode[specs.State](t, r.out); st.Status != "created" {
		t.Errorf("%+v", st)
	}
	b.rootless("start", b.id).ok(t)
	if out := b.rootless("exec", b.id, "/bin/id", "-u").ok(t).out; out != "0\n" {
		t.Errorf("%q", out)
	}
	b.rootless("kill", b.id, "KILL").ok(t)
	waitFor(t, "the end", func() bool {
		return decode[specs.State](t, b.rootless("state", b.id).ok(t).out).Status == specs.StateStopped
	})
	b.rootless("delete", b.id).ok(t)
	b.rootless("state", b.id).fails(t, "does not exist")
}

func TestRootlessStateRootIsBelowXDGRuntimeDir(t *testing.T) {
	b := newRootless(t, args("/bin/true"))
	b.write()
	mkdirs(t, b.dir+"/xdg")
	cmd := b.asUser(command(b, "run", "--bundle", b.path, b.id))
	b.do(cmd).ok(t)
	info, err := os.Stat(filepath.Join(b.dir, "xdg", suite.subject))
	check(t, err)
	if info.Mode().Perm() != 0o700 || info.Mode()&os.ModeSticky == 0 {
		t.Errorf("mode %v", info.Mode())
	}
}

// noMappings is what a bundle has that was not made for users without privileges.
func noMappings(s *specs.Spec) { s.Linux.UIDMappings, s.Linux.GIDMappings = nil, nil }

func TestRootlessWithoutMappingsIsRootOfOneID(t *testing.T) {
	not(t, "runc", "wants them in config.json")
	for name, edit := range map[string]func(*specs.Spec){
		"no mappings": noMappings, "no user namespace either": and(noMappings, dropNS("user")),
	} {
		t.Run(name, func(t *testing.T) {
			b := newRootless(t, edit)
			b.write()
			mkdirs(t, b.dir+"/xdg")
			f := decode[report.Facts](t, b.withSubIDs("", b.line("run", nil)...).ok(t).out)
			if fmt.Sprint(f.UIDMap) != "[[0 1000 1]]" || fmt.Sprint(f.GIDMap) != "[[0 1000 1]]" || f.Setgroups != "deny" {
				t.Errorf("%v %v %s", f.UIDMap, f.GIDMap, f.Setgroups)
			}
		})
	}
}

// withSubIDs is rootless with the given table in the place of /etc/subuid and /etc/subgid.
func (b *bundle) withSubIDs(table string, line ...string) result {
	b.t.Helper()
	needPrivilege(b.t)
	cmd := b.asUser(b.cmd(line...))
	script := `for f in /etc/subuid /etc/subgid; do [ ! -e $f ] || mount --bind "$TABLE" $f || exit; done
		exec setpriv --reuid 1000 --regid 1000 --clear-groups "$@"`
	wrapped := exec.Command("unshare", append([]string{"-m", "--propagation", "private", "/bin/sh", "-c", script, "sh"}, cmd.Args...)...)
	wrapped.Dir, wrapped.Env = cmd.Dir, append(cmd.Env, "TABLE="+b.hostFile("subids", table))
	return b.do(wrapped)
}

// What /etc/subuid and /etc/subgid give comes behind the own id; exec and a second look find the same.
func TestRootlessWithoutMappingsTakesSubordinateIDs(t *testing.T) {
	not(t, "runc", "wants them in config.json")
	needTool(t, "newuidmap", "newgidmap", "setpriv", "unshare")
	for _, file := range []string{"/etc/subuid", "/etc/subgid"} {
		if !exists(file) {
			skip(t, "no %s to put another in the place of", file)
		}
	}
	b := newRootless(t, noMappings, prog("hold"))
	b.write()
	mkdirs(t, b.dir+"/xdg")
	asUser := func(line ...string) result { return b.withSubIDs("1000:300000:1000\n1000:400000:50\n", line...) }
	r := asUser(b.line("run", []string{"-d"})...)
	t.Cleanup(func() { asUser("delete", "-f", b.id) })
	r.ok(t).waitOut(t, "ready\n")
	for range 2 {
		out := asUser("exec", b.id, "/bin/cat", "/proc/self/uid_map", "/proc/self/gid_map").ok(t).out
		want := "0 1000 1 1 300000 1000 1001 400000 50"
		if got := strings.Join(strings.Fields(out), " "); got != want+" "+want {
			t.Errorf("%q", got)
		}
	}
	if out := asUser("exec", "-u", "500:600", b.id, "/bin/id").ok(t).out; !strings.HasPrefix(out, "uid=500 gid=600") {
		t.Errorf("%q", out)
	}
}

func TestRootlessForeignMappingFails(t *testing.T) {
	b := newRootless(t, func(s *specs.Spec) { s.Linux.UIDMappings[0].HostID = 0 })
	b.rootlessRun().fails(t)
}

func TestRootlessLimitsWithoutPermissionFail(t *testing.T) {
	needV1(t)
	b := newRootless(t, func(s *specs.Spec) {
		s.Linux.CgroupsPath = suite.prefix + "/" + "rootless"
		s.Linux.Resources = &specs.LinuxResources{Memory: &specs.LinuxMemory{Limit: ptr(int64(64 << 20))}}
	})
	b.rootlessRun().fails(t, "ermission")
}

func TestRootlessLockedFlagsAreKeptOnBinds(t *testing.T) {
	not(t, "runc", "1.1 fails with EPERM")
	b := newRootless(t)
	src := b.tmpfs("src")
	check(t, syscall.Mount("", src, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_NOSUID|syscall.MS_NODEV, ""))
	b.edit(addMount(mnt("/mnt", "bind", src, "bind", "ro")))
	m := findMount(decode[report.Facts](t, b.rootlessRun().ok(t).out).Mounts, "/mnt")
	for _, want := range []string{"ro", "nosuid", "nodev"} {
		if !hasOption(m.Options, want) {
			t.Errorf("/mnt lacks %s: %v", want, m.Options)
		}
	}
}

func TestRootlessClearingALockedFlagFails(t *testing.T) {
	b := newRootless(t)
	src := b.tmpfs("src")
	check(t, syscall.Mount("", src, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_NOSUID|syscall.MS_RDONLY, ""))
	b.edit(addMount(mnt("/mnt", "bind", src, "bind", "rw", "nodev")))
	b.rootlessRun().fails(t)
}

func TestRootlessHasDefaultDevices(t *testing.T) {
	b := newRootless(t, prog("try", "write:/dev/null:x", "read:/dev/zero", "read:/dev/urandom"))
	for op, errno := range decode[map[string]string](t, b.rootlessRun().ok(t).out) {
		if errno != "" {
			t.Errorf("%s: %s", op, errno)
		}
	}
}

func TestRootlessCgroupTreeIsNotWritable(t *testing.T) {
	not(t, "runc", "1.1 leaves the tmpfs writable")
	b := newRootless(t, addMount(mnt("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev")),
		prog("try", "mkdir:/sys/fs/cgroup/x", "mkdir:/sys/fs/cgroup/memory/x", "mkdir:/sys/fs/cgroup/unified/x"))
	for op, errno := range decode[map[string]string](t, b.rootlessRun().ok(t).out) {
		if errno == "" {
			t.Errorf("%s succeeded", op)
		}
	}
}

func TestRootlessTerminal(t *testing.T) {
	b := newRootless(t, terminal, sh("test -t 0 && echo is a tty"))
	b.write()
	mkdirs(t, b.dir+"/xdg")
	host := newPTY(t, 24, 80)
	check(t, os.Chown(host.slave.Name(), int(suite.user), int(suite.user)))
	cmd := b.asUser(b.cmd(b.line("run", nil)...))
	as := cmd.SysProcAttr
	host.onPTY(cmd)
	if as != nil {
		cmd.SysProcAttr.Credential = as.Credential
	}
	b.do(cmd).ok(t)
	host.waitText(t, "is a tty\n")
}

func TestRootlessRaisingAHardLimitFails(t *testing.T) {
	b := newRootless(t, rlimit("RLIMIT_NOFILE", 9999999, 9999999))
	b.rootlessRun().fails(t)
}

func TestRootlessLoweringTheOOMScoreFails(t *testing.T) {
	b := newRootless(t, func(s *specs.Spec) { s.Process.OOMScoreAdj = ptr(-900) })
	b.rootlessRun().fails(t, "ermission denied")
}

func TestRootlessHooksRunAsTheUser(t *testing.T) {
	b := newRootless(t, args("/bin/true"))
	b.edit(func(s *specs.Spec) {
		s.Hooks = &specs.Hooks{CreateRuntime: []specs.Hook{{Path: "/bin/sh", Args: []string{"sh", "-c", "id -u > " + b.dir + "/uid"}, Env: []string{"PATH=/bin:/usr/bin"}}}}
	})
	b.rootlessRun().ok(t)
	if got := strings.TrimSpace(readFile(t, b.dir+"/uid")); got != "1000" {
		t.Errorf("%q", got)
	}
}

// Root of a user namespace with one id, as unshare(1) makes it, has setgroups(2) denied, and perhaps a mount
// namespace that is not its own.
func TestRootlessRunByRootOfAUserNamespace(t *testing.T) {
	needTool(t, "unshare")
	nested := func(s *specs.Spec) { s.Linux.UIDMappings[0].HostID, s.Linux.GIDMappings[0].HostID = 0, 0 }
	groups := func(s *specs.Spec) { s.Process.User.AdditionalGids = []uint32{0} }
	for _, flags := range []string{"-Ur", "-Urm"} {
		for name, edit := range map[string]func(*specs.Spec){
			"the caller's": and(noMappings, dropNS("user"), groups), "of its own": and(nested, groups),
		} {
			t.Run(flags+", "+name, func(t *testing.T) {
				b := newRootless(t, edit)
				b.write()
				mkdirs(t, b.dir+"/xdg")
				cmd := b.cmd(b.line("run", nil)...)
				inside := exec.Command("unshare", append([]string{flags}, cmd.Args...)...)
				inside.Dir = cmd.Dir
				f := decode[report.Facts](t, b.do(b.asUser(inside)).ok(t).out)
				if f.UID != [4]int{} || len(f.UIDMap) != 1 || f.Setgroups != "deny" {
					t.Errorf("%v %v %s", f.UID, f.UIDMap, f.Setgroups)
				}
			})
		}
	}
}
