package cli

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// changes are what exec's options make of a process; nil and empty leave it as it is.
type changes struct {
	args, env, groups, caps    []string
	user, cwd, label, apparmor *string
	terminal, noNewPrivs       *bool
}

func (ch *changes) apply(p *specs.Process) error {
	if ch.args != nil {
		p.Args, p.CommandLine = ch.args, ""
	}
	if ch.terminal != nil {
		p.Terminal = *ch.terminal
	}
	if !p.Terminal {
		p.ConsoleSize = nil
	}
	set(&p.Cwd, ch.cwd)
	set(&p.SelinuxLabel, ch.label)
	set(&p.ApparmorProfile, ch.apparmor)
	if ch.noNewPrivs != nil {
		p.NoNewPrivileges = *ch.noNewPrivs
	}
	if err := addEnv(p, ch.env); err != nil {
		return err
	}
	if ch.user != nil {
		if err := setUser(&p.User, *ch.user); err != nil {
			return err
		}
	}
	for _, g := range ch.groups {
		gid, err := parseNumber(g)
		if err != nil {
			return fmt.Errorf("--additional-gids %q: %w", g, err)
		}
		p.User.AdditionalGids = append(p.User.AdditionalGids, gid)
	}
	addCaps(p, ch.caps)
	return nil
}

func set(to, from *string) {
	if from != nil {
		*to = *from
	}
}

// addEnv: of a name that comes twice the last counts, which is the library's rule as well.
func addEnv(p *specs.Process, env []string) error {
	for _, e := range env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return fmt.Errorf("--env %q: not of the form NAME=VALUE", e)
		}
	}
	p.Env = append(p.Env, env...)
	return nil
}

// setUser reads UID[:GID]. Without a group the one that config.json has stays.
func setUser(u *specs.User, s string) error {
	uid, gid, hasGroup := strings.Cut(s, ":")
	n, err := parseNumber(uid)
	if err != nil {
		return fmt.Errorf("--user %q: %w", s, err)
	}
	g := u.GID
	if hasGroup {
		if g, err = parseNumber(gid); err != nil {
			return fmt.Errorf("--user %q: %w", s, err)
		}
	}
	u.UID, u.GID, u.Username = n, g, ""
	return nil
}

// parseNumber reads a user or group id: the whole of s, decimal digits only, and not the number that
// system calls take for "no change". Anything looser has let people become root (CVE-2026-30892).
func parseNumber(s string) (uint32, error) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, fmt.Errorf("%q is not a number", s)
		}
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || n == 1<<32-1 {
		return 0, fmt.Errorf("%q is not a number from 0 to 4294967294", s)
	}
	return uint32(n), nil
}

// addCaps adds capabilities to the bounding, effective and permitted sets; to the ambient one only where
// config.json has inheritable ones; to the inheritable one never (CVE-2022-29162).
// The plan warns of unknown ones.
func addCaps(p *specs.Process, caps []string) {
	if len(caps) == 0 {
		return
	}
	if p.Capabilities == nil {
		p.Capabilities = new(specs.LinuxCapabilities)
	}
	c := p.Capabilities
	for _, name := range caps {
		full := strings.ToUpper(name)
		if !strings.HasPrefix(full, "CAP_") {
			full = "CAP_" + full
		}
		sets := []*[]string{&c.Bounding, &c.Effective, &c.Permitted}
		if len(c.Inheritable) > 0 {
			sets = append(sets, &c.Ambient)
		}
		for _, s := range sets {
			if !slices.Contains(*s, full) {
				*s = append(*s, full)
			}
		}
	}
}
