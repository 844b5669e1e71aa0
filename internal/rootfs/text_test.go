package rootfs

import (
	"strings"
	"syscall"
	"testing"

	"tare/internal/step"
	"tare/internal/sys"
)

func symlinkStep(path, target string, replace bool) *step.Symlink {
	return &step.Symlink{Path: path, Target: target, Replace: replace}
}

func TestSplit(t *testing.T) {
	for path, want := range map[string]string{"": "", "/": "", "/a/b": "b a", "a": "a", "//a///b/./": "b a", "../a": "a ..", "...": "..."} {
		if got := strings.Join(split(nil, path), " "); got != want {
			t.Errorf("%q: got %q, want %q", path, got, want)
		}
	}
}

func TestAttributes(t *testing.T) {
	const ro, nosuid, nodev, noexec = sys.MOUNT_ATTR_RDONLY, sys.MOUNT_ATTR_NOSUID, sys.MOUNT_ATTR_NODEV, sys.MOUNT_ATTR_NOEXEC
	for _, c := range []struct {
		name       string
		set, clear uint64
		ask, only  sys.MountAttr
	}{
		{"ro", syscall.MS_RDONLY, 0, sys.MountAttr{Set: ro},
			sys.MountAttr{Set: ro, Clr: nosuid | nodev | noexec | sys.MOUNT_ATTR_NOSYMFOLLOW}},
		{"clearing only", 0, syscall.MS_RDONLY | syscall.MS_NODEV, sys.MountAttr{Clr: ro | nodev},
			sys.MountAttr{Clr: allAttrs}},
		{"noatime", syscall.MS_NOATIME, 0, sys.MountAttr{Set: sys.MOUNT_ATTR_NOATIME, Clr: sys.MOUNT_ATTR__ATIME},
			sys.MountAttr{Set: sys.MOUNT_ATTR_NOATIME, Clr: sys.MOUNT_ATTR__ATIME | allAttrs | sys.MOUNT_ATTR_NODIRATIME}},
		{"noatime and strictatime", syscall.MS_NOATIME | syscall.MS_STRICTATIME, 0, sys.MountAttr{Set: sys.MOUNT_ATTR_STRICTATIME, Clr: sys.MOUNT_ATTR__ATIME},
			sys.MountAttr{Set: sys.MOUNT_ATTR_STRICTATIME, Clr: sys.MOUNT_ATTR__ATIME | allAttrs | sys.MOUNT_ATTR_NODIRATIME}},
		{"norelatime", 0, syscall.MS_RELATIME, sys.MountAttr{Clr: sys.MOUNT_ATTR__ATIME},
			sys.MountAttr{Clr: sys.MOUNT_ATTR__ATIME | allAttrs | sys.MOUNT_ATTR_NODIRATIME}},
		{"relatime", syscall.MS_RELATIME, 0, sys.MountAttr{Clr: sys.MOUNT_ATTR__ATIME},
			sys.MountAttr{Clr: sys.MOUNT_ATTR__ATIME | allAttrs | sys.MOUNT_ATTR_NODIRATIME}},
		{"atime", 0, syscall.MS_NOATIME, sys.MountAttr{Clr: sys.MOUNT_ATTR__ATIME},
			sys.MountAttr{Clr: sys.MOUNT_ATTR__ATIME | allAttrs | sys.MOUNT_ATTR_NODIRATIME}},
		{"nodiratime", syscall.MS_NODIRATIME, 0, sys.MountAttr{Set: sys.MOUNT_ATTR_NODIRATIME},
			sys.MountAttr{Set: sys.MOUNT_ATTR_NODIRATIME, Clr: allAttrs}},
	} {
		if got := AskAttrs(c.set, c.clear); got != c.ask {
			t.Errorf("%s: ask %+v, want %+v", c.name, got, c.ask)
		}
		if got := OnlyAttrs(c.set, c.clear); got != c.only {
			t.Errorf("%s: only %+v, want %+v", c.name, got, c.only)
		}
	}
}

func TestHostViews(t *testing.T) {
	const info = `22 1 8:1 / / rw shared:1 - ext4 /dev/sda rw
23 22 0:5 / /proc rw,nosuid shared:2 master:3 - proc proc rw
24 22 0:6 / /sys rw - sysfs sysfs rw
25 24 0:7 / /sys/fs/cgroup rw - tmpfs proc rw
26 22 0:5 / /srv/box/proc rw - proc proc rw
27 22 0:5 / /srv/box rw - proc proc rw
28 22 0:5 / /srv/boxer/a\040b\134 rw - proc proc rw
short line
29 22 0:5 / /last rw - sysfs x rw`
	got := strings.Join(hostViews([]byte(info), "/srv/box"), "|")
	if want := `/last|/srv/boxer/a b\|/sys|/proc`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestMountData(t *testing.T) {
	data := []string{"size=1m", "noswap", "context=a:b:c,d", `context="x:y"`}
	if got, want := Joined(data), `size=1m,noswap,context="a:b:c,d",context="x:y"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := unquoted("context", `"a,b"`); got != "a,b" {
		t.Errorf("got %s", got)
	}
	if got := unquoted("size", `"a"`); got != `"a"` {
		t.Errorf("got %s", got)
	}
	for _, c := range []struct {
		m    step.Mount
		set  uint64
		want bool
	}{
		{step.Mount{Source: "x", Data: []string{"a=b"}}, 0, true},
		{step.Mount{Data: []string{strings.Repeat("x", 256)}}, 0, false},
		{step.Mount{Source: strings.Repeat("x", 256)}, 0, false},
		{step.Mount{}, syscall.MS_SILENT, false}, {step.Mount{}, syscall.MS_I_VERSION, false},
	} {
		if got := FitsFSConfig(&c.m, c.set, c.m.Data); got != c.want {
			t.Errorf("%+v: got %v", c.m, got)
		}
	}
	if got := octal(0o1777); got != "1777" {
		t.Errorf("got %s", got)
	}
}
