package libcontainer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/libcontainer"
)

// live starts a container whose program waits until the test has ended.
func live(t *testing.T, id string, edit func(*specs.Spec)) *libcontainer.Container {
	t.Helper()
	ctx := bounded(t)
	rt, err := libcontainer.New(libcontainer.Config{Root: filepath.Join(t.TempDir(), "state"),
		Warn: func(msg string) { t.Errorf("warning: %s", msg) }})
	if err != nil {
		t.Fatal(err)
	}
	in, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	s := testSpec(id, "/bin/hello", "wait")
	if edit != nil {
		edit(s)
	}
	c, err := rt.Create(ctx, id, libcontainer.CreateOptions{Bundle: bundle, Spec: s, IO: libcontainer.IO{Stdin: in}})
	in.Close()
	if err != nil {
		hold.Close()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		hold.Close()
		if err := c.Delete(context.Background(), true); err != nil {
			t.Error(err)
		}
	})
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	return c
}

// cgroupFile reads a file of the container's cgroup, "" where there is no such controller.
func cgroupFile(id, controller, v1, v2 string) string {
	b, err := os.ReadFile(fmt.Sprintf("/sys/fs/cgroup/%s/tare-lib-%d/%s/%s", controller, os.Getpid(), id, v1))
	if err != nil && v2 != "" {
		b, _ = os.ReadFile(fmt.Sprintf("/sys/fs/cgroup/tare-lib-%d/%s/%s", os.Getpid(), id, v2))
	}
	return strings.TrimSpace(string(b))
}

func pids(n int64) *specs.LinuxPids { return &specs.LinuxPids{Limit: &n} }

func TestUpdateIsRememberedAndUndone(t *testing.T) {
	c := live(t, "upd", func(s *specs.Spec) {
		s.Linux.Resources = &specs.LinuxResources{Pids: pids(50), Devices: s.Linux.Resources.Devices}
	})
	ctx := bounded(t)
	if err := c.Update(ctx, &specs.LinuxResources{Pids: pids(60)}); err != nil {
		t.Fatal(err)
	}
	if got := cgroupFile("upd", "pids", "pids.max", "pids.max"); got != "60" && got != "" {
		t.Errorf("pids.max %s", got)
	}
	before, err := c.Spec()
	if err != nil {
		t.Fatal(err)
	}
	if *before.Linux.Resources.Pids.Limit != 60 {
		t.Errorf("remembered: %d", *before.Linux.Resources.Pids.Limit)
	}
	devices := cgroupFile("upd", "devices", "devices.list", "")
	bad := &specs.LinuxResources{Pids: pids(70), CPU: &specs.LinuxCPU{Cpus: "9999"},
		Devices: []specs.LinuxDeviceCgroup{{Allow: true, Type: "c", Major: new(int64(77)), Access: "rwm"}}}
	if err := c.Update(ctx, bad); err == nil {
		t.Fatal("there is a processor 9999")
	}
	if got := cgroupFile("upd", "devices", "devices.list", ""); got != devices {
		t.Errorf("devices before:\n%s\nafter:\n%s", devices, got)
	}
	if got := cgroupFile("upd", "pids", "pids.max", "pids.max"); got != "60" && got != "" {
		t.Errorf("after a failure pids.max is %s", got)
	}
	if after, err := c.Spec(); err != nil || *after.Linux.Resources.Pids.Limit != 60 || after.Linux.Resources.CPU != nil {
		t.Errorf("after a failure %+v is remembered, %v", after.Linux.Resources, err)
	}
	bad.CPU = nil
	if err := c.Update(ctx, bad); err != nil {
		t.Fatal(err)
	}
	if got := cgroupFile("upd", "devices", "devices.list", ""); devices != "" && !strings.Contains(got, "c 77:* rwm") {
		t.Errorf("devices: %s", got)
	}
	if err := c.UpdateWith(ctx, libcontainer.UpdateOptions{L3CacheSchema: "L3:0=1"}); err == nil || !strings.Contains(err.Error(), "linux.intelRdt") {
		t.Errorf("a schema without linux.intelRdt: %v", err)
	}
}

func TestStatsNames(t *testing.T) {
	c := live(t, "stats", nil)
	s, err := c.Stats()
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var names map[string]json.RawMessage
	if err := json.Unmarshal(b, &names); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"} {
		if _, ok := names[n]; !ok {
			t.Errorf("%s is missing in %s", n, b)
		}
	}
	if string(names["intel_rdt"]) != "{}" {
		t.Errorf("intel_rdt %s", names["intel_rdt"])
	}
}

// The watch ends with the container, also where nothing tells so but the process itself.
func TestWatchOOMEndsWithTheContainer(t *testing.T) {
	c := live(t, "watch", nil)
	ctx := bounded(t)
	early, cancel := context.WithCancel(ctx)
	cancel()
	if err := c.WatchOOM(early, func(libcontainer.OOM) {}); !errors.Is(err, context.Canceled) && !errors.Is(err, libcontainer.ErrNoOOM) {
		t.Errorf("cancelled: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.WatchOOM(ctx, func(o libcontainer.OOM) { t.Errorf("oom %v", o) }) }()
	select {
	case err := <-ended:
		if !errors.Is(err, libcontainer.ErrNoOOM) {
			t.Fatalf("ended while the container runs: %v", err)
		}
		ended <- nil
	case <-time.After(50 * time.Millisecond): // time in which nothing must happen
	}
	if err := c.Kill(ctx, 9, libcontainer.KillOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := c.WaitStopped(ctx); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	want := "container with id watch is not running"
	if _, err := c.Stats(); !errors.Is(err, libcontainer.ErrStatus) || err.Error() != want {
		t.Errorf("stats of a stopped one: %v", err)
	}
	if err := c.WatchOOM(ctx, nil); !errors.Is(err, libcontainer.ErrStatus) {
		t.Errorf("watch of a stopped one: %v", err)
	}
	for name, err := range map[string]error{
		"update": c.Update(ctx, &specs.LinuxResources{Pids: pids(5)}),
		"add":    c.AddMounts(ctx, []specs.Mount{{Destination: "/x", Type: "tmpfs", Source: "tmpfs"}}),
		"remove": c.RemoveMounts(ctx, []string{"/proc"}),
	} {
		if !errors.Is(err, libcontainer.ErrStatus) {
			t.Errorf("%s of a stopped one: %v", name, err)
		}
	}
}

// mountPoints are those of the container that its config does not have.
func mountPoints(t *testing.T, c *libcontainer.Container) (points []string) {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", c.InitPid()))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if p := strings.Fields(line)[4]; strings.HasPrefix(p, "/live") {
			points = append(points, p)
		}
	}
	return points
}

func TestMountsOfALiveContainer(t *testing.T) {
	for _, user := range []bool{false, true} {
		t.Run(fmt.Sprintf("user namespace %v", user), func(t *testing.T) { liveMounts(t, user) })
	}
}

func liveMounts(t *testing.T, user bool) {
	c := live(t, fmt.Sprintf("mnt-%v", user), func(s *specs.Spec) {
		s.Root.Readonly = false
		s.Mounts = append(s.Mounts, specs.Mount{Destination: "/live", Type: "tmpfs", Source: "tmpfs"})
		if user {
			s.Linux.Namespaces = append(s.Linux.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
			s.Linux.UIDMappings = []specs.LinuxIDMapping{{HostID: 0, Size: 65536}}
			s.Linux.GIDMappings = s.Linux.UIDMappings
		}
	})
	ctx := bounded(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	good := []specs.Mount{
		{Destination: "/live/a/b", Source: dir, Options: []string{"rbind", "ro"}},
		{Destination: "/live/f", Source: file, Options: []string{"bind"}},
		{Destination: "/live/t", Type: "tmpfs", Source: "tmpfs", Options: []string{"ro", "size=64k"}},
	}
	if err := c.AddMounts(ctx, good); err != nil {
		t.Fatal(err)
	}
	if got := mountPoints(t, c); !slices.Equal(got, []string{"/live", "/live/a/b", "/live/f", "/live/t"}) {
		t.Errorf("added: %v", got)
	}
	// The second fails after the first was made.
	err := c.AddMounts(ctx, []specs.Mount{{Destination: "/live/g", Type: "tmpfs", Source: "tmpfs"},
		{Destination: "/live/f", Source: dir, Options: []string{"bind"}}})
	if err == nil || !strings.Contains(err.Error(), "mounts[1]") {
		t.Errorf("a directory on a file: %v", err)
	}
	if got := mountPoints(t, c); len(got) != 4 {
		t.Errorf("after a failure: %v", got)
	}
	s, err := c.Spec()
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.Mounts); s.Mounts[n-1].Destination != "/live/t" || s.Mounts[n-3].Destination != "/live/a/b" {
		t.Errorf("remembered: %+v", s.Mounts)
	}
	for _, d := range []string{"/live/a", "/live/nothing", "/"} {
		if err := c.RemoveMounts(ctx, []string{d}); err == nil {
			t.Errorf("%s was unmounted", d)
		}
	}
	if err := c.RemoveMounts(ctx, []string{"/live/f", "live/a/b", "/live/t"}); err != nil {
		t.Fatal(err)
	}
	if got := mountPoints(t, c); !slices.Equal(got, []string{"/live"}) {
		t.Errorf("removed: %v", got)
	}
	if s, err = c.Spec(); err != nil || s.Mounts[len(s.Mounts)-1].Destination != "/live" {
		t.Errorf("remembered: %+v, %v", s.Mounts, err)
	}
}
