package spec

import (
	"testing"

	"github.com/opencontainers/runtime-spec/specs-go"
)

func TestValidateMounts(t *testing.T) {
	one := []specs.LinuxIDMapping{{HostID: 5, Size: 1}}
	// mount gives the sample exactly one mount.
	mount := func(m specs.Mount) func(*specs.Spec) { return func(s *specs.Spec) { s.Mounts = []specs.Mount{m} } }
	bind := func(dest string, options ...string) func(*specs.Spec) {
		return mount(specs.Mount{Destination: dest, Type: "none", Source: "/src", Options: append([]string{"bind"}, options...)})
	}
	tmpfs := func(dest string, options ...string) func(*specs.Spec) {
		return mount(specs.Mount{Destination: dest, Type: "tmpfs", Source: "tmpfs", Options: options})
	}
	inUserNS := func(f func(*specs.Spec)) func(*specs.Spec) { return func(s *specs.Spec) { userns(s); f(s) } }
	run(t, []rule{
		{name: "bind", change: bind("/a", "ro", "rprivate", "rro", "src-nofollow", "dest-nofollow")},
		{name: "tmpfs", change: tmpfs("/a", "mode=755", "tmpcopyup")},
		{name: "relative", change: tmpfs("a"), want: []string{"~mounts[0].destination"}},
		{name: "empty", change: tmpfs(""), want: []string{"mounts[0].destination"}},
		{name: "NUL", change: tmpfs("/a\x00"), want: []string{"mounts[0].destination"}},
		{name: "root", change: tmpfs("/a/../.."), want: []string{"mounts[0].destination"}},
		{name: "relative root", change: tmpfs("."), want: []string{"~mounts[0].destination", "mounts[0].destination"}},
		{name: "tmpfs on proc", change: tmpfs("/proc"), want: []string{"mounts[0].destination"}},
		{name: "bind on proc", change: bind("/proc")},
		{name: "proc on proc", change: mount(specs.Mount{Destination: "//proc/", Type: "proc", Source: "proc"})},
		{name: "remount of proc", change: mount(specs.Mount{Destination: "/proc", Type: "none", Options: []string{"remount", "ro"}})},
		{name: "lxcfs", change: bind("/proc/meminfo")},
		{name: "ns_last_pid", change: bind("/proc/sys/kernel/ns_last_pid")},
		{name: "inside proc", change: bind("/proc/self/attr"), want: []string{"mounts[0].destination"}},
		{name: "inside proc, hidden", change: bind("/x/../proc//sys/"), want: []string{"mounts[0].destination"}},
		{name: "inside proc, tmpfs", change: tmpfs("proc/scsi"), want: []string{"~mounts[0].destination", "mounts[0].destination"}},
		{name: "beside proc", change: bind("/process")},
		{name: "no type", change: mount(specs.Mount{Destination: "/a"}), want: []string{"mounts[0].type"}},
		{name: "propagation only", change: mount(specs.Mount{Destination: "/a", Options: []string{"rshared"}})},
		{name: "type NUL", change: mount(specs.Mount{Destination: "/a", Type: "a\x00"}), want: []string{"mounts[0].type"}},
		{name: "type bind without bind", change: mount(specs.Mount{Destination: "/a", Type: "bind", Source: "/b", Options: []string{"ro"}}), want: []string{"mounts[0].type"}},
		{name: "bind without source", change: mount(specs.Mount{Destination: "/a", Options: []string{"rbind"}}), want: []string{"mounts[0].source"}},
		{name: "source NUL", change: mount(specs.Mount{Destination: "/a", Type: "tmpfs", Source: "\x00"}), want: []string{"mounts[0].source"}},
		{name: "data on bind", change: bind("/a", "mode=755"), want: []string{"mounts[0].options"}},
		{name: "rsync", change: bind("/a", "ro", "rsync"), want: []string{"mounts[0].options[2]"}},
		{name: "option NUL", change: tmpfs("/a", "x\x00"), want: []string{"mounts[0].options[0]"}},
		{name: "copy up of proc", change: mount(specs.Mount{Destination: "/a", Type: "ramfs", Options: []string{"tmpcopyup"}}), want: []string{"mounts[0].options"}},
		{name: "copy up of bind", change: bind("/a", "tmpcopyup"), want: []string{"mounts[0].options"}},
		{name: "copy up on remount", change: tmpfs("/a", "remount", "tmpcopyup"), want: []string{"mounts[0].options"}},
		{name: "bind options on tmpfs", change: tmpfs("/a", "copy-symlink", "src-nofollow"), want: []string{"mounts[0].options", "mounts[0].options"}},
		{name: "mqueue in a user namespace", change: inUserNS(mount(specs.Mount{Destination: "/a", Type: "mqueue"}))},
		{name: "mqueue of another", change: inUserNS(func(s *specs.Spec) {
			drop(s, specs.IPCNamespace)
			s.Mounts = []specs.Mount{{Destination: "/a", Type: "mqueue"}}
		}), want: []string{"mounts[0].type"}},
		{name: "mapped", change: mount(specs.Mount{Destination: "/a", Source: "/b", Options: []string{"bind", "ridmap"}, UIDMappings: one, GIDMappings: one})},
		{name: "mapped filesystem", change: mount(specs.Mount{Destination: "/a", Type: "tmpfs", UIDMappings: one, GIDMappings: one})},
		{name: "half mapped", change: mount(specs.Mount{Destination: "/a", Type: "tmpfs", UIDMappings: one}), want: []string{"mounts[0]"}},
		{name: "mapped badly", change: mount(specs.Mount{Destination: "/a", Type: "tmpfs", UIDMappings: one, GIDMappings: []specs.LinuxIDMapping{{}}}),
			want: []string{"mounts[0].gidMappings[0].size"}},
		{name: "mapped badly, uids", change: mount(specs.Mount{Destination: "/a", Type: "tmpfs", GIDMappings: one, UIDMappings: []specs.LinuxIDMapping{{}}}),
			want: []string{"mounts[0].uidMappings[0].size"}},
		{name: "mapped rootless", opts: Options{Rootless: true}, change: bind("/a", "idmap=uids=0-1-1;gids=0-1-1"), want: []string{"mounts[0]"}},
		{name: "mapped twice", change: mount(specs.Mount{Destination: "/a", Type: "tmpfs", Options: []string{"idmap=uids=0-1-1;gids=0-1-1"}, UIDMappings: one, GIDMappings: one}),
			want: []string{"mounts[0].options"}},
		{name: "idmap without mapping", change: bind("/a", "idmap"), want: []string{"mounts[0].options"}},
		{name: "idmap of the container", change: inUserNS(bind("/a", "idmap"))},
		{name: "idmap with mapping", change: bind("/a", "idmap=uids=0-1-1;gids=0-1-1")},
		{name: "idmap relative", change: bind("/a", "idmap=uids=@0-1-1;gids=0-1-1"), want: []string{"mounts[0].options"}},
		{name: "idmap unreadable", change: bind("/a", "idmap=uids=0-1"), want: []string{"mounts[0].options[1]"}},
		{name: "idmap on remount", change: inUserNS(bind("/a", "remount", "idmap")), want: []string{"mounts[0].options"}},
		{name: "no mount namespace", change: func(s *specs.Spec) {
			drop(s, specs.MountNamespace)
			s.Linux.MaskedPaths, s.Linux.ReadonlyPaths = nil, nil
		}, want: []string{"~mounts"}},
	})
}
