package integration

import (
	"os"
	"slices"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/integration/report"
)

func mountLinesBelow(dir string) []string {
	var out []string
	for _, line := range mountLines() {
		if strings.Contains(line, dir+"/") {
			out = append(out, line)
		}
	}
	return out
}

// mountOf runs with one more mount and returns what the container sees at its target.
func (b *bundle) mountOf(m specs.Mount) report.Mount {
	b.t.Helper()
	b.edit(addMount(m))
	return findMount(b.facts().Mounts, m.Destination)
}

func TestMountOptionSetsItsFlag(t *testing.T) {
	for _, opt := range []string{"ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime"} {
		t.Run(opt, func(t *testing.T) {
			b := newBundle(t)
			if m := b.mountOf(mnt("/mnt", "tmpfs", "t", opt)); !hasOption(m.Options, opt) {
				t.Errorf("%+v", m)
			}
		})
	}
}

func TestMountOptionClearsAnEarlierFlag(t *testing.T) {
	b := newBundle(t)
	m := b.mountOf(mnt("/mnt", "tmpfs", "t", "ro", "nosuid", "nodev", "noexec", "noatime", "rw", "suid", "dev", "exec", "atime"))
	for _, no := range []string{"ro", "nosuid", "nodev", "noexec", "noatime"} {
		if hasOption(m.Options, no) {
			t.Errorf("still %s: %v", no, m.Options)
		}
	}
}

func TestMountOptionNosymfollow(t *testing.T) {
	onlyTare(t, "nosymfollow is a flag")
	b := newBundle(t)
	if m := b.mountOf(mnt("/mnt", "tmpfs", "t", "nosymfollow")); !hasOption(m.Options, "nosymfollow") {
		t.Errorf("%+v", m)
	}
}

func TestMountOptionSyncGoesToTheSuperblock(t *testing.T) {
	b := newBundle(t)
	if m := b.mountOf(mnt("/mnt", "tmpfs", "t", "sync", "dirsync")); !hasOption(m.Super, "sync") || !hasOption(m.Super, "dirsync") {
		t.Errorf("%+v", m)
	}
}

func TestMountOptionLazytime(t *testing.T) {
	onlyTare(t, "runc 1.1 passes it on as data")
	b := newBundle(t)
	if m := b.mountOf(mnt("/mnt", "tmpfs", "t", "lazytime")); !hasOption(m.Super, "lazytime") {
		t.Errorf("%+v", m)
	}
}

func TestMountDataReachesTheFilesystem(t *testing.T) {
	b := newBundle(t)
	m := b.mountOf(mnt("/mnt", "tmpfs", "t", "size=4096k", "mode=0710", "nr_inodes=50"))
	for _, want := range []string{"size=4096k", "mode=710", "nr_inodes=50"} {
		if !hasOption(m.Super, want) && !strings.Contains(strings.Join(m.Super, ","), want) {
			t.Errorf("lacks %s: %v", want, m.Super)
		}
	}
}

func TestUnknownMountDataFails(t *testing.T) {
	b := newBundle(t, addMount(mnt("/mnt", "tmpfs", "t", "no_such_option=1")))
	b.run().fails(t, "invalid argument")
	b.wantGone()
}

func TestUnknownFilesystemFails(t *testing.T) {
	b := newBundle(t, addMount(mnt("/mnt", "nosuchfs", "t")))
	b.run().fails(t, "no such device")
	b.wantGone()
}

func TestMountsAreMadeInOrder(t *testing.T) {
	b := newBundle(t, addMount(mnt("/mnt", "tmpfs", "one"), mnt("/mnt/in", "tmpfs", "two"), mnt("/mnt/in/deep", "tmpfs", "three")))
	var got []string
	for _, m := range b.facts().Mounts {
		if strings.HasPrefix(m.Target, "/mnt") {
			got = append(got, m.Source)
		}
	}
	if strings.Join(got, " ") != "one two three" {
		t.Errorf("%v", got)
	}
}

func TestLaterMountHidesAnEarlierOne(t *testing.T) {
	b := newBundle(t, addMount(mnt("/mnt", "tmpfs", "one"), mnt("/mnt", "tmpfs", "two")))
	if m := findMount(b.facts().Mounts, "/mnt"); m.Source != "two" {
		t.Errorf("%+v", m)
	}
}

func TestMissingMountPointIsMadeWithMode755(t *testing.T) {
	b := newBundle(t, addMount(mnt("/new/dir", "tmpfs", "t")))
	b.mayLeave("new")
	b.facts()
	for _, p := range []string{"new", "new/dir"} {
		info, err := os.Stat(b.inRoot(p))
		check(t, err)
		if !info.IsDir() || info.Mode().Perm() != 0o755 {
			t.Errorf("%s is %v", p, info.Mode())
		}
	}
}

func TestMountPointModeIgnoresTheCallersUmask(t *testing.T) {
	not(t, "runc", "1.1 applies the umask")
	b := newSerial(t, args("/bin/true"), addMount(mnt("/new/dir", "tmpfs", "t")), func(s *specs.Spec) { s.Process.Cwd = "/made" })
	b.mayLeave("new", "made")
	b.write()
	old := unix.Umask(0o077)
	r := b.tare(b.line("run", nil)...)
	unix.Umask(old)
	r.ok(t)
	for _, p := range []string{"new", "new/dir", "made"} {
		if info, err := os.Stat(b.inRoot(p)); err != nil || info.Mode().Perm() != 0o755 {
			t.Errorf("%s: %v %v", p, info.Mode(), err)
		}
	}
}

func TestRelativeMountDestinationIsTakenFromTheRoot(t *testing.T) {
	b := newBundle(t, addMount(mnt("mnt", "tmpfs", "rel")))
	if m := findMount(b.facts().Mounts, "/mnt"); m.Source != "rel" {
		t.Errorf("%+v", m)
	}
}

func TestEmptyMountDestinationFails(t *testing.T) {
	onlyTare(t, "a finding of the config check")
	b := newBundle(t, addMount(mnt("", "tmpfs", "t")))
	b.run().fails(t, "mounts[6]")
	b.wantGone()
}

func TestMountOnRootFails(t *testing.T) {
	b := newBundle(t, addMount(mnt("/", "tmpfs", "t")))
	b.run().fails(t)
	b.wantGone()
}

func TestTmpfsKeepsTheModeOfItsTarget(t *testing.T) {
	b := newBundle(t, addMount(mnt("/tmp", "tmpfs", "t")))
	if st := b.stat("/tmp")["/tmp"]; st.Mode != 0o1777 {
		t.Errorf("mode %o", st.Mode)
	}
}

func TestTmpfsModeOptionWins(t *testing.T) {
	not(t, "runc", "1.1 keeps the mode of the target")
	b := newBundle(t, addMount(mnt("/tmp", "tmpfs", "t", "mode=0700")))
	if st := b.stat("/tmp")["/tmp"]; st.Mode != 0o700 {
		t.Errorf("mode %o", st.Mode)
	}
}

func TestTmpfsReadonlyKeepsItsRecursiveAttributes(t *testing.T) {
	onlyTare(t, "runc has none on a tmpfs")
	b := newBundle(t, addMount(mnt("/mnt", "tmpfs", "t", "ro", "rnosuid", "rnoexec"), mnt("/mnt/sub", "tmpfs", "t", "ro", "rrw")))
	mounts := b.facts().Mounts
	m, sub := findMount(mounts, "/mnt"), findMount(mounts, "/mnt/sub")
	for _, o := range []string{"ro", "nosuid", "noexec"} {
		if !hasOption(m.Options, o) {
			t.Errorf("no %s: %+v", o, m)
		}
	}
	if !hasOption(sub.Options, "rw") || hasOption(sub.Options, "nosuid") {
		t.Errorf("%+v", sub)
	}
}

// Of several access time options the kernel's own rule decides, on a bind as on a new file system.
func TestMountAccessTimeOptionsTogether(t *testing.T) {
	b := newBundle(t)
	kinds := []specs.Mount{mnt("/mnt", "tmpfs", "t")}
	if !suite.plain { // in a user namespace a bind's are locked
		kinds = append(kinds, mnt("/mnt", "bind", b.hostDir("src"), "bind"))
	}
	for _, row := range []struct{ options, want string }{
		{"noatime strictatime", ""}, {"strictatime noatime", ""}, {"noatime relatime", "noatime"}, {"norelatime", "relatime"},
	} {
		for _, m := range kinds {
			m.Options = append(slices.Clone(m.Options), strings.Fields(row.options)...)
			b.edit(dropMount("/mnt"), addMount(m))
			got := findMount(b.facts().Mounts, "/mnt")
			for _, o := range []string{"noatime", "relatime"} {
				if hasOption(got.Options, o) != (o == row.want) {
					t.Errorf("%v: %+v", m.Options, got)
				}
			}
		}
	}
}

func TestTmpfsReadonlyStillGetsMountPointsInside(t *testing.T) {
	b := newBundle(t, addMount(mnt("/mnt", "tmpfs", "outer", "ro"), mnt("/mnt/sub", "tmpfs", "inner")))
	f := b.facts()
	if m := findMount(f.Mounts, "/mnt"); !hasOption(m.Options, "ro") {
		t.Errorf("%+v", m)
	}
	if m := findMount(f.Mounts, "/mnt/sub"); m.Source != "inner" || hasOption(m.Options, "ro") {
		t.Errorf("%+v", m)
	}
}

func TestTmpcopyupCopiesWhatItHides(t *testing.T) {
	b := newBundle(t, sh("cat /data/a/f && test -L /data/a/l && /testprog stat /data /data/a/f"), addMount(mnt("/data", "tmpfs", "t", "tmpcopyup")))
	mkdirs(t, b.inRoot("data/a"))
	writeFile(t, b.inRoot("data/a/f"), "below\n")
	check(t, os.Chmod(b.inRoot("data/a/f"), 0o640))
	check(t, os.Chown(b.inRoot("data/a/f"), 12, 34))
	check(t, os.Symlink("f", b.inRoot("data/a/l")))
	out := b.run().ok(t).out
	text, facts, _ := strings.Cut(out, "\n")
	st := decode[map[string]report.Stat](t, facts)
	if f := st["/data/a/f"]; text != "below" || f.Mode != 0o640 || f.UID != 12 || f.GID != 34 {
		t.Errorf("%q %+v", text, f)
	}
	if st["/data"].FSType != unix.TMPFS_MAGIC {
		t.Errorf("%+v", st["/data"])
	}
}

func TestProcIsOfTheContainersPidNamespace(t *testing.T) {
	b := newBundle(t, args("/bin/sh", "-c", "cat /proc/1/comm"))
	if out := b.run().ok(t).out; out != "sh\n" && out != "cat\n" {
		t.Errorf("%q", out)
	}
}

func TestDevptsWithOwnInstance(t *testing.T) {
	b := newBundle(t)
	st := b.stat("/dev/pts/ptmx", "/dev/ptmx")
	if p := st["/dev/pts/ptmx"]; p.Type != "char" || p.Mode != 0o666 {
		t.Errorf("%+v", p)
	}
	if l := st["/dev/ptmx"]; l.Type != "link" || l.Link != "pts/ptmx" {
		t.Errorf("%+v", l)
	}
}

func TestDevptsWithAnUnmappedGidFails(t *testing.T) {
	b := newBundle(t, userNS, func(s *specs.Spec) { s.Linux.GIDMappings[0].Size = 3 })
	b.run().fails(t, "invalid argument")
	b.wantGone()
}

func TestCgroupMountShowsTheContainersCgroup(t *testing.T) {
	b := newBundle(t, addMount(mnt("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro")))
	if layout == cgroup2 {
		b.edit(sh("cat /sys/fs/cgroup/cgroup.procs"))
	} else {
		b.edit(sh("cat /sys/fs/cgroup/memory/cgroup.procs && cat /sys/fs/cgroup/devices/devices.list >/dev/null"))
	}
	if out := b.run().ok(t).out; !strings.HasPrefix(out, "1\n") {
		t.Errorf("processes %q", out)
	}
}

func TestCgroupMountIsReadonlyWhenAsked(t *testing.T) {
	not(t, "runc", "1.1 leaves the tmpfs writable")
	b := newBundle(t, addMount(mnt("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro")))
	where := "/sys/fs/cgroup/memory/x"
	if layout == cgroup2 {
		where = "/sys/fs/cgroup/x"
	}
	r := b.try("mkdir:"+where, "mkdir:/sys/fs/cgroup/y")
	for op, errno := range r {
		if errno != "EROFS" {
			t.Errorf("%s: %q", op, errno)
		}
	}
}

func TestCgroupMountWithCgroupNamespace(t *testing.T) {
	b := newBundle(t, addNS("cgroup"), addMount(mnt("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "ro")))
	f := b.facts()
	found := 0
	for _, m := range f.Mounts {
		if strings.HasPrefix(m.FSType, "cgroup") {
			found++
			if m.Root != "/" {
				t.Errorf("%s shows %s", m.Target, m.Root)
			}
		}
	}
	if found == 0 {
		t.Error("no cgroup mount")
	}
}

// On v2 it is the same as a mount of type cgroup.
func TestMountOfTypeCgroup2OnAV1Host(t *testing.T) {
	needV1(t)
	b := newBundle(t, addNS("cgroup"), addMount(mnt("/sys/fs/cgroup", "cgroup2", "own", "nosuid", "nsdelegate")))
	mounts := b.facts().Mounts
	m := findMount(mounts, "/sys/fs/cgroup")
	if m.FSType != "cgroup2" || m.Root != "/" || m.Source != "own" || !hasOption(m.Options, "nosuid") {
		t.Errorf("%+v", m)
	}
	if m := findMount(mounts, "/sys/fs/cgroup/memory"); m.Target != "" {
		t.Errorf("%+v", m)
	}
}
