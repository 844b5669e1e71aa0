package cgroups

import (
	"os"
	"os/exec"
	"reflect"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDetectAgreesWithMountinfo has Detect look at trees of cgroup2 in mount namespaces of their own: whatever it
// leaves unread must not have mattered.
func TestDetectAgreesWithMountinfo(t *testing.T) {
	const place = "TARE_TEST_DETECT"
	if kind := os.Getenv(place); kind != "" {
		compareDetect(t, kind)
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount")
	}
	for kind, flags := range map[string]uintptr{
		"whole": unix.CLONE_NEWNS, "part": unix.CLONE_NEWNS, "whole, own namespace": unix.CLONE_NEWNS | unix.CLONE_NEWCGROUP,
	} {
		t.Run(kind, func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe", "-test.run=^TestDetectAgreesWithMountinfo$")
			cmd.Env = append(os.Environ(), place+"="+kind)
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		})
	}
}

func compareDetect(t *testing.T, kind string) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""))
	// What lies below comes off with it; a tmpfs may be left, which the mount covers.
	if err := unix.Unmount(defaultMount, unix.MNT_DETACH); err != nil && err != unix.EINVAL {
		t.Fatal(err)
	}
	must(unix.Mount("cgroup2", defaultMount, "cgroup2", 0, ""))
	if kind == "part" {
		sub, err := os.MkdirTemp(defaultMount, "tare-detect-")
		must(err)
		must(unix.Mount(sub, defaultMount, "", unix.MS_BIND, ""))
		defer func() {
			must(unix.Unmount(defaultMount, unix.MNT_DETACH))
			must(os.Remove(sub))
		}()
	}
	b, err := os.ReadFile("/proc/self/mountinfo")
	must(err)
	want, err := ParseMountinfo(b)
	must(err)
	got, err := Detect()
	must(err)
	if !reflect.DeepEqual(got, want) || got.Mode != V2 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if quick := wholeUnified(); quick != (kind == "whole" && want.Hierarchies[0].Root == "/") {
		t.Errorf("without mountinfo: %v", quick)
	}
}
