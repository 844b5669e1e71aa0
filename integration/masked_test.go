package integration

import (
	"os"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

func masked(paths ...string) func(*specs.Spec) {
	return func(s *specs.Spec) { s.Linux.MaskedPaths = paths }
}

func readonly(paths ...string) func(*specs.Spec) {
	return func(s *specs.Spec) { s.Linux.ReadonlyPaths = paths }
}

func TestMaskedFileReadsEmpty(t *testing.T) {
	b := newBundle(t, masked("/etc/passwd"), sh("cat /etc/passwd; echo x > /etc/passwd; cat /etc/passwd"))
	if out := b.run().ok(t).out; out != "" {
		t.Errorf("%q", out)
	}
	if !holds(b.inRoot("etc/passwd"), "root:") {
		t.Error("the file itself was changed")
	}
}

func TestMaskedDirectoryIsEmptyAndReadonly(t *testing.T) {
	b := newBundle(t, masked("/etc"))
	r := b.try("openr:/etc/passwd", "create:/etc/x")
	if r["openr:/etc/passwd"] != "ENOENT" || r["create:/etc/x"] != "EROFS" {
		t.Errorf("%v", r)
	}
}

func TestMaskedProcFiles(t *testing.T) {
	b := newBundle(t, masked("/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc/acpi"))
	for path, st := range b.stat("/proc/kcore", "/proc/keys") {
		if st.Err == "" && (st.Type != "char" || st.Major != 1 || st.Minor != 3) {
			t.Errorf("%s: %+v", path, st)
		}
	}
}

func TestMaskedPathThatIsAbsentIsSkipped(t *testing.T) {
	b := newBundle(t, masked("/no/such/path", "/proc/none"), args("/bin/true"))
	b.run().ok(t)
}

func TestMaskedPathTwiceIsFine(t *testing.T) {
	b := newBundle(t, masked("/etc/passwd", "/etc/passwd", "/etc", "/etc"), args("/bin/true"))
	b.run().ok(t)
}

func TestMaskedPathsWithoutMountNamespaceFail(t *testing.T) {
	b := newBundle(t, masked("/proc/keys"), dropNS("mount"))
	b.run().fails(t)
	b.wantGone()
}

func TestReadonlyPathRefusesWrites(t *testing.T) {
	b := newBundle(t, readonly("/etc", "/proc/sys"))
	r := b.try("create:/etc/x", "openw:/etc/passwd", "openw:/proc/sys/net/ipv4/ip_forward", "openr:/etc/passwd")
	want := map[string]string{"create:/etc/x": "EROFS", "openw:/etc/passwd": "EROFS", "openw:/proc/sys/net/ipv4/ip_forward": "EROFS"}
	for op, errno := range r {
		if errno != want[op] {
			t.Errorf("%s: %q", op, errno)
		}
	}
}

func TestReadonlyPathCanBeTheRoot(t *testing.T) {
	b := newBundle(t, readonly("/"))
	r := b.try("create:/made", "create:/dev/shm/ok")
	if r["create:/made"] != "EROFS" || r["create:/dev/shm/ok"] != "" {
		t.Errorf("%v", r)
	}
}

func TestMaskedPathThatIsTheRootIsRefused(t *testing.T) {
	onlyTare(t, "others take it and do nothing")
	b := newBundle(t, masked("/etc/.."))
	b.run().fails(t, "linux.maskedPaths[0]")
	b.wantGone()
}

func TestReadonlyPathKeepsTheMountsFlags(t *testing.T) {
	b := newBundle(t, readonly("/proc/sys"))
	m := findMount(b.facts().Mounts, "/proc/sys")
	for _, want := range []string{"ro", "nosuid", "nodev", "noexec"} {
		if !hasOption(m.Options, want) {
			t.Errorf("lacks %s: %v", want, m.Options)
		}
	}
}

func TestReadonlyPathThatIsAbsentIsSkipped(t *testing.T) {
	b := newBundle(t, readonly("/no/such/path"), args("/bin/true"))
	b.run().ok(t)
}

func TestReadonlyPathsCannotBeRemountedWithoutTheCapability(t *testing.T) {
	b := newBundle(t, readonly("/proc/sys"))
	if r := b.try("remountrw:/proc/sys", "umount:/proc/sys"); r["remountrw:/proc/sys"] != "EPERM" || r["umount:/proc/sys"] != "EPERM" {
		t.Errorf("%v", r)
	}
}

func TestMaskedAndReadonlyPathsInAUserNamespace(t *testing.T) {
	b := newBundle(t, userNS, masked("/proc/kcore", "/etc/group"), readonly("/proc/sys", "/proc/irq"))
	st := b.stat("/etc/group", "/proc/sys")
	if st["/etc/group"].Type != "char" || st["/proc/sys"].MountFlags&unix.ST_RDONLY == 0 {
		t.Errorf("%+v", st)
	}
}

func TestMaskedDirectoriesShareNoWritableSpace(t *testing.T) {
	b := newBundle(t, addCaps("CAP_SYS_ADMIN"), masked("/etc", "/data"))
	check(t, os.Mkdir(b.inRoot("data/in"), 0o755))
	if r := b.try("create:/data/x", "openr:/data/in"); r["create:/data/x"] != "EROFS" || r["openr:/data/in"] != "ENOENT" {
		t.Errorf("%v", r)
	}
}
