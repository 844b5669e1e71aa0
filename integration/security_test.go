package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"tare/integration/report"
)

// outside makes a directory of the host that no case may touch, and checks at the end that it is unchanged.
func (b *bundle) outside() string {
	b.t.Helper()
	dir := b.hostDir("outside")
	writeFile(b.t, dir+"/file", "untouched")
	before := treeOf(dir)
	b.t.Cleanup(func() {
		after := treeOf(dir)
		if fmt.Sprint(after) != fmt.Sprint(before) || readFile(b.t, dir+"/file") != "untouched" {
			b.t.Errorf("host directory was %v, is %v", before, after)
		}
	})
	return dir
}

// relink replaces a path of the rootfs by a symlink.
func (b *bundle) relink(path, target string) {
	b.t.Helper()
	check(b.t, os.RemoveAll(b.inRoot(path)))
	check(b.t, os.Symlink(target, b.inRoot(path)))
}

// climb is a relative link text that leaves the rootfs for an absolute host path.
func climb(path string) string { return strings.Repeat("../", 20) + strings.TrimPrefix(path, "/") }

func TestImageSymlinkAsMountTargetStaysInTheRoot(t *testing.T) {
	for name, text := range map[string]func(string) string{"absolute": func(p string) string { return p }, "relative": climb} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, args("/bin/true"), addMount(mnt("/mnt/new", "tmpfs", "t")))
			out := b.outside()
			b.relink("mnt", text(out))
			b.mayLeave("tmp")
			b.run()
			os.RemoveAll(b.inRoot(filepath.Dir(out))) // made inside, which is right
			b.before = nil
		})
	}
}

// What the link names exists on the host, so that following it there would need nothing to be made.
func TestImageSymlinkToAHostDirectoryAsMountTargetStaysInTheRoot(t *testing.T) {
	for name, text := range map[string]func(string) string{"absolute": func(p string) string { return p }, "relative": climb} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, addMount(mnt("/data/l", "tmpfs", "onlink")), readonly("/data/r"), masked("/data/m"))
			out := b.outside()
			for _, l := range []string{"data/l", "data/r", "data/m"} {
				check(t, os.Symlink(text(out), b.inRoot(l)))
			}
			there := 0 // the tmpfs, its read-only self, the mask
			mounts := b.facts().Mounts
			for _, m := range mounts {
				if m.Target == out {
					there++
				}
			}
			if there != 3 {
				t.Errorf("%d of 3 are at %s of the root: %+v", there, out, mounts)
			}
			b.before = nil
		})
	}
}

func TestImageSymlinkInAMountTargetsParentStaysInTheRoot(t *testing.T) {
	b := newBundle(t, args("/bin/true"), addMount(mnt("/data/link/deep/new", "tmpfs", "t")))
	out := b.outside()
	check(t, os.Symlink(climb(out), b.inRoot("data/link")))
	b.run()
	b.before = nil
}

func TestImageSymlinkForDevShmStaysInTheRoot(t *testing.T) {
	b := newBundle(t, args("/bin/true"), dropMount("/dev"), dropMount("/dev/pts"), dropMount("/dev/mqueue"))
	out := b.outside()
	check(t, os.Symlink(climb(out), b.inRoot("dev/shm")))
	b.run()
	b.before = nil
}

func TestImageSymlinkForDevStaysInTheRoot(t *testing.T) {
	not(t, "runc", "1.1 has CVE-2026-41579")
	for name, text := range map[string]func(string) string{"absolute": func(p string) string { return p }, "relative": climb} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, args("/bin/true"), dropMount("/dev"), dropMount("/dev/pts"), dropMount("/dev/shm"), dropMount("/dev/mqueue"))
			b.relink("dev", text(b.outside()))
			b.run()
			b.before = nil
		})
	}
}

func TestProcOrSysAsASymlinkIsRefused(t *testing.T) {
	for name, row := range map[string]struct{ path, to string }{
		"proc":          {"proc", "/data"},
		"proc relative": {"proc", "data"},
		"sys":           {"sys", "/data"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, args("/bin/true"))
			b.relink(row.path, row.to)
			b.run().fails(t)
			b.wantGone()
		})
	}
}

func TestProcAsASymlinkInAVolumeIsRefused(t *testing.T) {
	b := newBundle(t, args("/bin/true"))
	vol := b.hostDir("vol")
	mkdirs(t, vol+"/real")
	check(t, os.Symlink("real", vol+"/link"))
	b.edit(dropMount("/proc"), addMount(mnt("/mnt", "bind", vol, "bind"), mnt("/mnt/link", "proc", "proc")))
	not(t, "runc", "1.1 follows it")
	b.run().fails(t)
	b.wantGone()
}

func TestMountOnProcOfAnotherTypeIsRefused(t *testing.T) {
	for name, m := range map[string]func(*bundle) specs.Mount{
		"tmpfs on /proc":        func(*bundle) specs.Mount { return mnt("/proc", "tmpfs", "t") },
		"bind on /proc":         func(b *bundle) specs.Mount { return mnt("/proc", "bind", b.hostDir("src"), "bind") },
		"bind below /proc/self": func(b *bundle) specs.Mount { return mnt("/proc/self/attr/exec", "bind", b.hostFile("f", ""), "bind") },
		"tmpfs on /proc/sys":    func(*bundle) specs.Mount { return mnt("/proc/sys", "tmpfs", "t") },
		"dots that lead there":  func(*bundle) specs.Mount { return mnt("/mnt/../proc/sys", "tmpfs", "t") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, args("/bin/true"))
			if strings.HasPrefix(name, "tmpfs on /proc/sys") || strings.HasPrefix(name, "dots") {
				not(t, "runc", "1.1 allows it")
			}
			b.edit(addMount(m(b)))
			b.run().fails(t, "proc")
			b.wantGone()
		})
	}
}

// What config.json says of such a destination shows nothing of the procfs that the image's link leads to.
func TestImageSymlinkIntoProcAsAMountTargetIsRefused(t *testing.T) {
	not(t, "runc", "1.1 allows it")
	for name, row := range map[string]struct{ link, target string }{
		"the target itself": {"/proc/self/attr", "/data/p"},
		"a parent":          {"/proc", "/data/p/sys"},
		"a relative one":    {"../proc/self", "/data/p/attr"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, args("/bin/true"))
			check(t, os.Symlink(row.link, b.inRoot("data/p")))
			b.before = treeOf(b.rootfs)
			b.edit(addMount(mnt(row.target, "tmpfs", "t")))
			b.run().fails(t, "mounts[6]", "procfs")
			b.wantGone()
		})
	}
}

func TestLxcfsLikeFilesBelowProcMayBeMounted(t *testing.T) {
	b := newBundle(t, args("/bin/cat", "/proc/uptime", "/proc/meminfo"))
	b.edit(addMount(mnt("/proc/uptime", "bind", b.hostFile("up", "1.0 2.0\n"), "bind"), mnt("/proc/meminfo", "bind", b.hostFile("mem", "MemTotal\n"), "bind")))
	if out := b.run().ok(t).out; out != "1.0 2.0\nMemTotal\n" {
		t.Errorf("%q", out)
	}
}

func TestProcBoundFromProcIsAllowed(t *testing.T) {
	b := newBundle(t, dropNS("pid"), dropMount("/proc"), addMount(mnt("/proc", "bind", "/proc", "rbind")))
	b.facts()
}

func TestWorkingDirectoryByALeakedDescriptorIsRefused(t *testing.T) {
	b := newBundle(t, args("/bin/pwd"))
	for n := range 20 {
		b.edit(func(s *specs.Spec) { s.Process.Cwd = fmt.Sprintf("/proc/self/fd/%d", n) })
		b.write()
		cmd := b.cmd(b.line("run", nil)...)
		for range 12 { // what a careless caller leaves open
			dir, err := os.Open("/")
			check(t, err)
			defer dir.Close()
			cmd.ExtraFiles = append(cmd.ExtraFiles, dir)
		}
		if r := b.do(cmd); r.code == 0 && !strings.HasPrefix(r.out, "/proc") && r.out != "/\n" {
			t.Errorf("fd %d: %v", n, r)
		}
		b.wantGone()
	}
}

func TestExecWorkingDirectoryByALeakedDescriptorIsRefused(t *testing.T) {
	b := newBundle(t)
	b.hold()
	for n := range 20 {
		r := b.execWith([]string{"--cwd", fmt.Sprintf("/proc/self/fd/%d", n)}, "/bin/sh", "-c", "pwd; ls ../../../../etc/hostname ../../../../boot 2>/dev/null")
		if r.code == 0 {
			t.Errorf("fd %d: %v", n, r)
		}
	}
}

func TestProgramByALeakedDescriptorIsRefused(t *testing.T) {
	b := newBundle(t)
	b.hold()
	for n := 3; n < 20; n++ {
		if r := b.exec(fmt.Sprintf("/proc/self/fd/%d", n)); r.code == 0 || strings.Contains(r.out, "version") {
			t.Errorf("fd %d: %v", n, r)
		}
		if r := b.exec(fmt.Sprintf("/proc/self/fd/%d/../../../../../../bin/true", n)); r.code == 0 {
			t.Errorf("fd %d as a directory: %v", n, r)
		}
	}
}

// withOwnRuntime runs the case with a copy of the runtime and checks at the end that it is unchanged.
func (b *bundle) withOwnRuntime() {
	b.t.Helper()
	b.bin = filepath.Join(b.hostDir("own"), suite.subject)
	data, err := os.ReadFile(suite.bin)
	check(b.t, err)
	check(b.t, os.WriteFile(b.bin, data, 0o755))
	sum, err := sumFile(b.bin)
	check(b.t, err)
	b.t.Cleanup(func() {
		if now, err := sumFile(b.bin); err != nil || now != sum {
			b.t.Errorf("the runtime was overwritten (%v)", err)
			b.bin = suite.bin
		}
	})
}

func TestExecOfTheRuntimesOwnProgramCannotOverwriteIt(t *testing.T) {
	b := newBundle(t, prog("exewatch"))
	b.withOwnRuntime()
	check(t, os.WriteFile(b.inRoot("etc/evil"), []byte("#!/proc/self/exe\n"), 0o755))
	r := b.detach()
	r.waitOut(t, "ready\n")
	for range 10 {
		b.exec("/etc/evil")
		b.exec("/proc/self/exe", "--version")
	}
	b.tare("kill", b.id, "TERM").ok(t)
	b.waitStopped()
	t.Logf("the attacker says: %s", r.output(t))
	if strings.Contains(r.output(t), "WROTE") {
		t.Error("overwritten")
	}
}

func TestEntrypointProcSelfExeCannotOverwriteTheRuntime(t *testing.T) {
	b := newBundle(t, sh("exec 3< /proc/self/exe; echo fine"))
	b.withOwnRuntime()
	check(t, os.WriteFile(b.inRoot("etc/evil"), []byte("#!/proc/self/exe\n"), 0o755))
	for _, a := range []string{"/etc/evil", "/proc/self/exe"} {
		b.edit(args(a, "--version"))
		b.run()
	}
}

func TestContainerCannotPtraceAnExecOnItsWayIn(t *testing.T) {
	b := newBundle(t, userNS, addCaps("CAP_SYS_PTRACE"), prog("ptracer"))
	r := b.detach()
	r.waitOut(t, "ready\n")
	for range 8 {
		b.exec("/bin/true")
	}
	b.tare("kill", b.id, "TERM").ok(t)
	b.waitStopped()
	if strings.Contains(r.output(t), "FOUND") {
		t.Errorf("saw descriptors of the runtime: %s", r.output(t))
	}
}

func TestDevNullAsASymlinkInABoundDevIsRefusedForMasking(t *testing.T) {
	b := newBundle(t, dropMount("/dev"), dropMount("/dev/pts"), dropMount("/dev/shm"), dropMount("/dev/mqueue"), masked("/etc/group"))
	dev := b.hostDir("dev")
	check(t, os.Symlink("/proc/sys/kernel/core_pattern", dev+"/null"))
	b.edit(addMount(mnt("/dev", "bind", dev, "bind")), prog("stat", "/etc/group"))
	r := b.run()
	if r.code != 0 {
		return // refused
	}
	if st := decode[map[string]report.Stat](t, r.out)["/etc/group"]; st.Type != "char" || st.Major != 1 || st.Minor != 3 {
		not(t, "runc", "1.1 has CVE-2025-31133")
		t.Errorf("masked by %+v", st)
	}
}

func TestDevConsoleAsASymlinkStaysInTheRoot(t *testing.T) {
	b := newBundle(t, terminal, dropMount("/dev"), dropMount("/dev/pts"), dropMount("/dev/shm"), dropMount("/dev/mqueue"), args("/bin/true"))
	out := b.outside()
	check(t, os.Symlink(climb(out)+"/made", b.inRoot("dev/console")))
	host := newPTY(t, 24, 80)
	b.write()
	b.begin(host.onPTY(b.cmd(b.line("run", nil)...))).end(t)
	if exists(out + "/made") {
		t.Error("made a file on the host")
	}
	b.before = nil
}

func TestStdioOnAFakeDevNullIsNotChowned(t *testing.T) {
	for name, link := range map[string]func(string) string{"of the host": climb, "of a volume": func(string) string { return "/mnt/victim" }} {
		t.Run(name, func(t *testing.T) {
			b := newBundle(t, user(1000, 1000), prog("fds"), dropMount("/dev"), dropMount("/dev/pts"), dropMount("/dev/shm"), dropMount("/dev/mqueue"))
			dev := b.hostDir("dev")
			victim := b.hostFile("victim", "x")
			check(t, os.Symlink(link(victim), dev+"/null"))
			b.edit(addMount(mnt("/dev", "bind", dev, "bind"), mnt("/mnt", "bind", filepath.Dir(victim), "bind")))
			before := treeOf(filepath.Dir(victim))
			r := b.run() // its stdin is the host's null device
			if after := treeOf(filepath.Dir(victim)); after["victim"] != before["victim"] {
				t.Error("a host file was chowned")
			}
			if suite.subject == "tare" && decode[map[int]string](t, r.ok(t).out)[0] != "/dev/null" {
				t.Errorf("stdin is what the link leads to: %s", r.out)
			}
		})
	}
}

func TestSymlinkRaceOnAMountTargetNeverLeavesTheRoot(t *testing.T) {
	not(t, "runc", "1.1 has CVE-2024-45310")
	b := newBundle(t, args("/bin/true"))
	out := b.outside()
	vol := b.hostDir("vol")
	mkdirs(t, vol+"/dir/target")
	check(t, os.Symlink(climb(out), vol+"/link"))
	attack := exec.Command(filepath.Join(suite.base, "testprog"), "raceswap", vol+"/dir", vol+"/link")
	check(t, attack.Start())
	t.Cleanup(func() { attack.Process.Kill(); attack.Wait() })
	b.edit(addMount(mnt("/mnt", "bind", vol, "bind"), mnt("/mnt/dir/target", "tmpfs", "raced"), mnt("/mnt/dir/made/deep", "tmpfs", "raced")))
	for range 30 {
		b.run()
		for _, line := range mountLines() {
			if strings.Contains(line, "raced") {
				t.Fatalf("mount on the host: %s", line)
			}
		}
	}
	b.before = nil
}

func TestLongMountStringsDoNotOverflowTheBootstrap(t *testing.T) {
	for _, n := range []int{4095, 65535, 65536 + 20} {
		t.Run(itoa(n), func(t *testing.T) {
			b := newBundle(t, args("/bin/cat", "/proc/self/uid_map"), userNS, addMount(mnt("/mnt/"+strings.Repeat("x", n), "tmpfs", "t")))
			r := b.run()
			if r.code == 0 && !strings.Contains(r.out, "100000") {
				t.Errorf("%v", r)
			}
			if strings.Contains(r.err, "goroutine") {
				t.Errorf("%v", r)
			}
			b.before = nil
		})
	}
}

func TestExecCapDoesNotAddInheritable(t *testing.T) {
	b := newBundle(t)
	b.hold()
	wantCaps(t, b.execFacts("--cap", "CAP_NET_ADMIN"), "inheritable")
}

func TestHostDirectoriesAreNotReachableThroughDescriptors(t *testing.T) {
	b := newBundle(t, sh("for n in 0 1 2 3 4 5 6 7 8 9 10 11 12; do ls /proc/self/fd/$n/ 2>/dev/null; ls /proc/1/fd/$n/ 2>/dev/null; done; true"))
	if r := b.run().ok(t); strings.Contains(r.out, "cgroup") || strings.Contains(r.out, "config.json") {
		t.Errorf("%v", r)
	}
}

func TestKernelFilesystemsOfTheHostAreNotWritable(t *testing.T) {
	b := newBundle(t, readonly("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus"))
	r := b.try("openw:/proc/sysrq-trigger", "openw:/proc/sys/kernel/core_pattern", "openw:/sys/kernel/uevent_helper", "mkdir:/sys/fs/cgroup/x")
	for op, errno := range r {
		if errno == "" {
			t.Errorf("%s works", op)
		}
	}
}

// Where /sys is the host's (CVE-2023-25809), what is mounted below it is no more writable than it is itself.
func TestSysOfTheHostIsReadonlyToItsLastMount(t *testing.T) {
	not(t, "runc", "1.1 fails with EPERM")
	b := newBundle(t, userNS, dropNS("network"))
	below := 0
	for _, m := range b.facts().Mounts {
		if m.Target != "/sys" && !strings.HasPrefix(m.Target, "/sys/") {
			continue
		}
		below++
		if !slices.Contains(m.Options, "ro") {
			t.Errorf("%s: %v", m.Target, m.Options)
		}
	}
	if below < 2 {
		t.Errorf("%d mounts: the host has its cgroups there", below)
	}
}

func TestRuntimeProcessesInsideAreNotDumpableOnTheWay(t *testing.T) {
	b := newBundle(t, prog("procwatch"))
	r := b.detach()
	r.waitOut(t, "ready\n")
	for range 15 {
		b.exec("/bin/true").ok(t)
	}
	b.tare("kill", b.id, "TERM").ok(t)
	b.waitStopped()
	if strings.Contains(r.output(t), "FOUND") {
		t.Errorf("%s", r.output(t))
	}
}
