package plan_test

import (
	"strings"
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/internal/plan"
	"tare/internal/step"
)

func liveFacts() *plan.ExecFacts {
	return &plan.ExecFacts{Facts: plan.Facts{Privileged: true, Cgroup: plan.CgroupFacts{Mode: "v2", Into: true}},
		Namespaces: []plan.NamespacePath{{Path: "/proc/7/ns/pid", Types: unix.CLONE_NEWPID}, {Path: "/proc/7/ns/mnt", Types: unix.CLONE_NEWNS}}}
}

func TestBuildMounts(t *testing.T) {
	t.Parallel()
	s := &specs.Spec{Linux: &specs.Linux{}}
	o := &plan.Options{ID: "c", Bundle: "/bundle"}
	p, err := plan.BuildMounts(s, []specs.Mount{
		{Destination: "/a", Source: "data", Options: []string{"rbind", "ro"}},
		{Destination: "b", Type: "tmpfs", Source: "tmpfs", Options: []string{"ro"}},
	}, liveFacts(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.FDs) != 1 || p.FDs[0].Kind != plan.FDTree || p.FDs[0].Path != "/bundle/data" || !p.FDs[0].Recursive {
		t.Errorf("the host opens %+v", p.FDs)
	}
	spawn, ok := p.Host[0].(*step.Spawn)
	if !ok || spawn.IntoCgroup || !spawn.NonDumpable || len(spawn.Joins) != 2 {
		t.Errorf("spawn %s", step.Text(p.Host[0]))
	}
	var names []string
	for _, h := range p.Host[1:] {
		names = append(names, h.Kind().String())
	}
	// The last barrier is not released: the init stage has nothing left to do.
	if got := strings.Join(names, " "); got != "await release await" {
		t.Errorf("host: %s", got)
	}
	names = nil
	for _, i := range p.Init {
		names = append(names, i.Kind().String())
		if m, ok := i.(*step.Mount); ok && m.Type == step.MountBind && m.Tree != 1 {
			t.Errorf("a source would be looked up inside the container: %s", step.Text(m))
		}
	}
	if got := strings.Join(names, " "); got != "mount barrier mount barrier" {
		t.Errorf("init: %s", got)
	}
	if m := p.Init[2].(*step.Mount); m.Target != "/b" || m.Set&unix.MS_RDONLY == 0 {
		t.Errorf("%s", step.Text(m))
	}
}

func TestBuildMountsRefuses(t *testing.T) {
	t.Parallel()
	s := &specs.Spec{Linux: &specs.Linux{}}
	for _, tt := range []struct {
		mount specs.Mount
		err   string
	}{
		{specs.Mount{Destination: "/", Source: "/x", Options: []string{"bind"}}, "root file system"},
		{specs.Mount{Destination: "/a", Type: "ext4", Source: "/dev/vda"}, `mounts[0].type: "ext4"`},
		{specs.Mount{Destination: "/a", Type: "overlay", Source: "overlay", Options: []string{"lowerdir=/x"}}, `mounts[0].type: "overlay"`},
		{specs.Mount{Destination: "/a", Type: "cgroup", Source: "cgroup"}, `mounts[0].type: "cgroup"`},
		{specs.Mount{Destination: "/a", Options: []string{"remount", "ro"}}, "remount"},
		{specs.Mount{Destination: "/a", Source: "/x", Options: []string{"bind", "copy-symlink"}}, "copy-symlink"},
		{specs.Mount{Destination: "/proc", Type: "tmpfs"}, "/proc"},
		{specs.Mount{Destination: "/proc/self/attr", Source: "/x", Options: []string{"bind"}}, "inside /proc"},
		{specs.Mount{Destination: "/a", Options: []string{"bind"}}, "mounts[0].source"},
	} {
		p, err := plan.BuildMounts(s, []specs.Mount{tt.mount}, liveFacts(), &plan.Options{Bundle: "/b"})
		if err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%+v: %+v, %v; want %s", tt.mount, p, err, tt.err)
		}
	}
	shared := liveFacts()
	shared.Namespaces = shared.Namespaces[:1]
	if _, err := plan.BuildMounts(s, []specs.Mount{{Destination: "/a", Type: "tmpfs"}}, shared, &plan.Options{}); err == nil {
		t.Error("mounts would be made on the host")
	}
	for _, d := range []string{"/", "", "/a/.."} {
		if _, err := plan.BuildUnmounts(s, []string{d}, liveFacts(), &plan.Options{}); err == nil {
			t.Errorf("%q: the root would be unmounted", d)
		}
	}
}
