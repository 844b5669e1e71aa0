package cli

import (
	"reflect"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

func TestSetUser(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][2]uint32{
		"1": {1, 77}, "1:1": {1, 1}, "0": {0, 77}, "0:0": {0, 0}, "4294967294:4294967294": {4294967294, 4294967294}, "007": {7, 77},
	} {
		u := specs.User{UID: 5, GID: 77, AdditionalGids: []uint32{3}}
		if err := setUser(&u, in); err != nil || u.UID != want[0] || u.GID != want[1] || len(u.AdditionalGids) != 1 {
			t.Errorf("%q: %+v, %v", in, u, err)
		}
	}
	for _, in := range []string{"", ":", "1:", ":1", "1x", "x1", "-1", "+1", " 1", "1 ", "0x1", "1_0", "4294967295", "4294967296", "1:4294967296", "root", "1:2:3", "1\x00"} {
		u := specs.User{UID: 5, GID: 77}
		if err := setUser(&u, in); err == nil || u.UID != 5 || u.GID != 77 {
			t.Errorf("%q was taken: %+v, %v", in, u, err)
		}
	}
}

func TestAddCaps(t *testing.T) {
	t.Parallel()
	had := []string{"CAP_KILL"}
	for _, tt := range []struct {
		name string
		caps []string
		in   *specs.LinuxCapabilities
		want *specs.LinuxCapabilities
	}{
		{"none", nil, nil, nil},
		{
			"no inheritable, so no ambient", []string{"CAP_NET_ADMIN"},
			&specs.LinuxCapabilities{Bounding: had, Effective: had, Permitted: had},
			&specs.LinuxCapabilities{Bounding: add(had, "CAP_NET_ADMIN"), Effective: add(had, "CAP_NET_ADMIN"), Permitted: add(had, "CAP_NET_ADMIN")},
		},
		{
			"inheritable, which stays", []string{"net_admin", "CAP_KILL"},
			&specs.LinuxCapabilities{Bounding: had, Inheritable: had},
			&specs.LinuxCapabilities{
				Bounding: add(had, "CAP_NET_ADMIN"), Effective: []string{"CAP_NET_ADMIN", "CAP_KILL"},
				Permitted: []string{"CAP_NET_ADMIN", "CAP_KILL"}, Inheritable: had, Ambient: []string{"CAP_NET_ADMIN", "CAP_KILL"},
			},
		},
		{
			"section absent", []string{"cap_sys_time"}, nil,
			&specs.LinuxCapabilities{Bounding: []string{"CAP_SYS_TIME"}, Effective: []string{"CAP_SYS_TIME"}, Permitted: []string{"CAP_SYS_TIME"}},
		},
	} {
		p := &specs.Process{Capabilities: tt.in}
		if addCaps(p, tt.caps); !reflect.DeepEqual(p.Capabilities, tt.want) {
			t.Errorf("%s: %+v; want %+v", tt.name, p.Capabilities, tt.want)
		}
	}
}

func add(s []string, more string) []string { return append(append([]string(nil), s...), more) }

func TestChanges(t *testing.T) {
	t.Parallel()
	base := func() *specs.Process {
		return &specs.Process{
			Args: []string{"init"}, Env: []string{"A=0"}, Cwd: "/w", Terminal: true, ConsoleSize: &specs.Box{Width: 1, Height: 1},
			User: specs.User{UID: 5, GID: 6}, ApparmorProfile: "p", SelinuxLabel: "l", NoNewPrivileges: true,
		}
	}
	for _, tt := range []struct {
		name string
		ch   changes
		want func(*specs.Process)
	}{
		{"nothing", changes{}, func(*specs.Process) {}},
		{"args without a terminal", changes{args: []string{"a", "b"}, terminal: new(false)}, func(p *specs.Process) {
			p.Args, p.Terminal, p.ConsoleSize = []string{"a", "b"}, false, nil
		}},
		{"env, in order, no splitting", changes{env: []string{"A=1,2", "B=", "A=3"}}, func(p *specs.Process) {
			p.Env = []string{"A=0", "A=1,2", "B=", "A=3"}
		}},
		{"strings, also empty ones", changes{cwd: new("/x"), label: new(""), apparmor: new("q")}, func(p *specs.Process) {
			p.Cwd, p.SelinuxLabel, p.ApparmorProfile = "/x", "", "q"
		}},
		{"no_new_privs off", changes{noNewPrivs: new(false)}, func(p *specs.Process) { p.NoNewPrivileges = false }},
		{"user and groups", changes{user: new("1"), groups: []string{"7", "8"}}, func(p *specs.Process) {
			p.User = specs.User{UID: 1, GID: 6, AdditionalGids: []uint32{7, 8}}
		}},
	} {
		got, want := base(), base()
		tt.want(want)
		if err := tt.ch.apply(got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", tt.name, got, err, want)
		}
	}
	for want, ch := range map[string]changes{
		`--env "A": not of the form`:             {env: []string{"A"}},
		`--env "=1": not of the form`:            {env: []string{"=1"}},
		`--additional-gids "x": "x" is not`:      {groups: []string{"x"}},
		`--user "": "" is not a number`:          {user: new("")},
		`--user "4294967295": "4294967295" is n`: {user: new("4294967295")},
	} {
		if err := ch.apply(base()); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v; want %s", err, want)
		}
	}
}
