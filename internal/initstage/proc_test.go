package initstage_test

import (
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"tare/internal/step"
)

// CVE-2025-52881: what the container has mounted over its /proc must not catch our writes.
func TestSysctlGoesToTheTrueProcfs(t *testing.T) {
	needRoot(t)
	t.Parallel()
	_, head := bundle(t)
	trap := t.TempDir()
	os.MkdirAll(trap+"/net/ipv4", 0o755)
	os.WriteFile(trap+"/net/ipv4/ip_forward", []byte("trap"), 0o644)
	guard := bindStep(trap, "/proc/sys", 0)
	guard.Opts = step.MountProcGuard
	j := &job{t: t, clone: testClone, steps: join(head, []step.Step{guard,
		&step.PivotRoot{}, // from here on /proc is the container's
		&step.Sysctl{Place: step.At("linux.sysctl"), Key: "net/ipv4/ip_forward", Value: "1"},
		&step.Sysctl{Key: "kernel/domainname", Value: "two"}}, ending("read=/proc/sys/net/ipv4/ip_forward"))}
	j.start()
	s, _ := j.finish()
	if got := s.Read["/proc/sys/net/ipv4/ip_forward"]; got != "trap" {
		t.Errorf("the trap caught %q", got)
	}
	for key, want := range map[string]string{"net/ipv4/no_such": "no such file", "../../etc/passwd": "", "/proc/self/exe": "", "kernel/ostype": "denied"} {
		_, head := bundle(t)
		j := &job{t: t, clone: testClone, steps: join(head, []step.Step{&step.Sysctl{Place: step.At("linux.sysctl"), Key: key, Value: "1"}}, ending())}
		j.start()
		if r := j.failure(); r.At != "linux.sysctl" || !strings.Contains(text(r), want) {
			t.Errorf("%s: %s", key, text(r))
		}
	}
}

// Without an LSM the label cannot be written, and the error has the file in backquotes.
func TestLabelError(t *testing.T) {
	needRoot(t)
	t.Parallel()
	if b, _ := os.ReadFile("/sys/kernel/security/lsm"); strings.Contains(string(b), "apparmor") || strings.Contains(string(b), "selinux") {
		t.Skip("an LSM with labels is active")
	}
	for lsm, at := range map[string]string{"apparmor": "process.apparmorProfile", "selinux": "process.selinuxLabel"} {
		j := &job{t: t, clone: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, steps: append([]step.Step{&step.ExecLabel{Place: step.At(at), LSM: lsm, Label: "no-such-label"}}, plain()...)}
		j.start()
		if got := text(j.failure()); !strings.HasPrefix(got, at+": write \"no-such-label\" to `/proc/thread-self/attr/") {
			t.Errorf("got %s", got)
		}
	}
}

func TestUserNamespace(t *testing.T) {
	needRoot(t)
	t.Parallel()
	rootfs, head := bundle(t)
	os.Chown(rootfs, 0, 0)
	dev := func(path string, minor uint32) step.Step {
		return &step.Device{Path: path, Type: syscall.S_IFCHR, Major: 1, Minor: minor, Mode: 0o666, Bind: true, Source: path}
	}
	sysfs := &step.Mount{Type: step.MountFS, FSType: "sysfs", Source: "sysfs", Target: "/sys", Opts: step.MountNoSymlinks,
		Set: syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC | syscall.MS_RDONLY}
	sysbind := *sysfs
	sysbind.Type, sysbind.FSType, sysbind.Source = step.MountBind, "", "/sys"
	sysbind.Opts |= step.MountRecursive
	noDev := &step.Device{Path: "/dev/full", Type: syscall.S_IFCHR, Major: 1, Minor: 7, Mode: 0o666, Source: "/dev/full"} // mknod is EPERM
	j := &job{t: t, clone: testClone, maps: true, steps: join(head, []step.Step{tmpfs("/dev"), devpts5(), dev("/dev/null", 3), noDev,
		&step.Fallback{First: []step.Step{sysfs}, On: []uint32{uint32(syscall.EPERM)}, Else: []step.Step{&sysbind}},
		&step.PivotRoot{}, &step.MaskPath{Path: "/proc/keys"}, &step.ReadonlyPath{Path: "/proc/sys"}, &step.ReadonlyRoot{},
		&step.User{UID: 5, GID: 6, Groups: []uint32{7}, SetGroups: true, ChownStdio: true}},
		ending("stat=/dev/null", "stat=/dev/full", "read=/proc/keys", "write=/x"))}
	j.start()
	s, _ := j.finish()
	if s.UID != 5 || s.GID != 6 || s.Stat["/dev/null"].Rdev != 0x103 || s.Stat["/dev/full"].Rdev != 0x107 || s.Read["/proc/keys"] != "" || !strings.Contains(s.Wrote["/x"], "read-only") {
		t.Errorf("got %d:%d %+v %q %v", s.UID, s.GID, s.Stat, s.Read, s.Wrote)
	}
}

func devpts5() *step.Mount {
	m := devpts()
	m.Data = []string{"newinstance", "ptmxmode=0666", "mode=0620"}
	return m
}

// The flags of a mount that came from outside a user namespace are locked: they are kept, unless the
// container asks to clear one.
func TestLockedFlags(t *testing.T) {
	needRoot(t)
	t.Parallel()
	src := t.TempDir()
	openDirs(src)
	err := inNewMountNS(func() error {
		if err := unix.Mount("tmpfs", src, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOATIME, ""); err != nil {
			return err
		}
		for _, c := range []struct {
			set, clear uint64
			want       string // options, or part of an error
		}{
			{syscall.MS_RDONLY, 0, "ro,nosuid,nodev,noatime"},
			{syscall.MS_NOEXEC, syscall.MS_RDONLY, "rw,nosuid,nodev,noexec,noatime"},
			{0, 0, "rw,nosuid,nodev,noatime"},
			{0, syscall.MS_NODEV | syscall.MS_NOSUID, "cannot clear locked flags nosuid nodev"},
			{syscall.MS_RELATIME, 0, "cannot clear locked flags: access time flags must match"},
		} {
			_, head := bundle(t)
			m := bindStep(src, "/vol", c.set)
			m.Clear = c.clear
			j := &job{t: t, clone: testClone, maps: true, steps: join(head, []step.Step{m, &step.PivotRoot{}}, ending())}
			j.start()
			if strings.HasPrefix(c.want, "cannot") {
				if r := j.failure(); !strings.Contains(text(r), c.want) || r.At != "mounts[1]" {
					t.Errorf("%#x -%#x: got %s, want %s", c.set, c.clear, text(r), c.want)
				}
				continue
			}
			s, _ := j.finish()
			if m, _ := s.mount("/vol"); m.Opts != c.want {
				t.Errorf("%#x -%#x: got %s, want %s", c.set, c.clear, m.Opts, c.want)
			}
		}
		// Without a user namespace nothing is locked, and a bind has just the flags that it names.
		for set, want := range map[uint64]string{syscall.MS_RDONLY: "ro,noatime", syscall.MS_NOSUID | syscall.MS_RELATIME: "rw,nosuid,relatime",
			0: "rw,nosuid,nodev,noatime"} {
			_, head := bundle(t)
			j := &job{t: t, clone: testClone, steps: join(head, []step.Step{bindStep(src, "/vol", set), &step.PivotRoot{}}, ending())}
			j.start()
			s, _ := j.finish()
			if m, _ := s.mount("/vol"); m.Opts != want {
				t.Errorf("%#x: got %s, want %s", set, m.Opts, want)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// CVE-2021-30465: a target is swapped for a link while it is mounted on. The container may fail to
// start; it may never get a mount of the host, nor the host one of the container.
func TestRaceForTheTarget(t *testing.T) {
	needRoot(t)
	t.Parallel()
	rootfs, head := bundle(t)
	host := t.TempDir()
	os.WriteFile(host+"/secret", nil, 0o600)
	os.MkdirAll(rootfs+"/vol/real/proc", 0o755)
	os.MkdirAll(rootfs+"/vol/evil", 0o755)
	os.Symlink(strings.Repeat("../", 12)+strings.TrimPrefix(host, "/"), rootfs+"/vol/evil/proc")
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			unix.Renameat2(unix.AT_FDCWD, rootfs+"/vol/real/proc", unix.AT_FDCWD, rootfs+"/vol/evil/proc", unix.RENAME_EXCHANGE)
		}
	}()
	defer func() { stop.Store(true); <-done }()
	won, lost := 0, 0
	for range 25 {
		m := procMount()
		m.Target = "/vol/real/proc"
		j := &job{t: t, clone: testClone, steps: join(head, []step.Step{m, tmpfs("/vol/real/proc/../x"), &step.PivotRoot{}}, ending("stat=/vol/real/proc/self"))}
		j.start()
		for {
			msg, ok := j.recv()
			if !ok {
				won++
				break
			}
			if msg.kind == step.MsgFailure {
				lost++
				break
			}
		}
		j.cmd.Wait()
	}
	t.Logf("%d started, %d refused", won, lost)
	if lost == 0 || won == 0 {
		t.Log("the race was never met")
	}
	names, _ := os.ReadDir(host)
	if len(names) != 1 {
		t.Errorf("the host's directory has %v", names)
	}
	info, _ := os.ReadFile("/proc/self/mountinfo")
	if strings.Contains(string(info), host) || strings.Contains(string(info), rootfs) {
		t.Errorf("a mount on the host:\n%s", info)
	}
}
