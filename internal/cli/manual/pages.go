package main

import "strings"

// mainPage is tare(8): the options before the command, the commands, and what holds for all of them.
func mainPage(root command, date, version string) string {
	p := newPage("tare", date, version, root.usage)
	p.synopsis("tare", command{synopsis: []string{"COMMAND [OPTION...] [ARGUMENT...]"}})
	p.section("DESCRIPTION")
	p.description(root.description)
	p.options(root)
	p.line(".PP")
	p.prose("Options are written --name VALUE or --name=VALUE, and one dash does for two. Short ones may share a word, as in " +
		"-fr, and have their value in it, as in -u1000.")
	p.section("COMMANDS")
	for _, c := range root.commands {
		p.item(`\fB`+escape("tare-"+c.name)+`\fR(8)`, c.usage)
	}
	p.section(`"EXIT STATUS"`)
	p.prose("0 when all went well, 1 for an error of tare itself and for a command line that cannot be understood. run and exec " +
		"without --detach exit as their program does, with 128 and the number of the signal that ended it; exec exits with " +
		"255 when its program did not start.")
	p.section("ENVIRONMENT")
	for _, e := range environment() {
		p.item(`\fB`+escape(e[0])+`\fR`, e[1])
	}
	p.section("FILES")
	for _, f := range files() {
		p.item(`\fI`+escape(f[0])+`\fR`, f[1])
	}
	p.section(`"SEE ALSO"`)
	p.seeAlso("tare", root.commands)
	return p.String()
}

// commandPage is tare-COMMAND(8).
func commandPage(c command, date, version string) string {
	p := newPage("tare-"+c.name, date, version, c.usage)
	p.synopsis("tare "+c.name, c)
	p.section("DESCRIPTION")
	p.description(c.description)
	if c.description == "" {
		p.prose(strings.ToUpper(c.usage[:1]) + c.usage[1:] + ".")
	}
	if len(c.commands) > 0 {
		p.section("COMMANDS")
		for _, s := range c.commands {
			p.item(`\fB`+escape(s.name)+`\fR `+escape(strings.Join(s.synopsis, " ")), s.usage)
		}
	}
	p.options(c)
	p.line(".PP")
	p.line(`The options of \fBtare\fR(8) itself go before \fB%s\fR.`, escape(c.name))
	p.section(`"SEE ALSO"`)
	p.seeAlso("tare-"+c.name, append([]command{{name: ""}}, related(c.name)...))
	return p.String()
}

// seeAlso refers to the pages of commands; the one without a name is tare itself.
func (p *page) seeAlso(self string, commands []command) {
	var names []string
	for _, c := range commands {
		name := "tare"
		if c.name != "" {
			name += "-" + c.name
		}
		if name != self {
			names = append(names, name)
		}
	}
	for i, n := range names {
		comma := ","
		if i == len(names)-1 {
			comma = ""
		}
		p.line(`.BR %s (8)%s`, escape(n), comma)
	}
}

// related are the commands that a reader of one looks for next.
func related(name string) []command {
	groups := [...][]string{
		{"create", "start", "run", "kill", "delete"},
		{"run", "exec", "ps", "events"},
		{"list", "state", "ps"},
		{"pause", "resume", "update"},
		{"spec", "plan", "create", "run"},
	}
	var out []command
	seen := name
	for _, g := range groups {
		if !strings.Contains(" "+strings.Join(g, " ")+" ", " "+name+" ") {
			continue
		}
		for _, other := range g {
			if !strings.Contains(" "+seen+" ", " "+other+" ") {
				out, seen = append(out, command{name: other}), seen+" "+other
			}
		}
	}
	return out
}

// environment is what tare reads of it.
func environment() [][2]string {
	return [][2]string{
		{"XDG_RUNTIME_DIR", "without the host's root, states are kept in tare below this directory, and the bus of the user's " +
			"service manager is looked for in it."},
		{"USER", "root in a user namespace keeps its states in /run/tare if this says root, too."},
		{"NOTIFY_SOCKET", "create, start and run pass what the program says of its readiness on to this socket (sd_notify(3))."},
		{"LISTEN_FDS, LISTEN_PID", "sockets of the service manager that go to the program (sd_listen_fds(3))."},
		{"DBUS_SESSION_BUS_ADDRESS", "the bus of the user's service manager, for --systemd-cgroup without the host's root."},
		{"PATH", "where newuidmap(1), newgidmap(1) and ps(1) are looked for."},
		{"RUN_OCI_SECCOMP_RECEIVER", "the socket of the seccomp agent where linux.seccomp.listenerPath is not set."},
	}
}

// files are those that tare keeps.
func files() [][2]string {
	return [][2]string{
		{"/run/tare/ID", "the state of the container ID, with a copy of its config.json"},
		{"$XDG_RUNTIME_DIR/tare/ID", "the same without the host's root"},
		{"config.json", "of the bundle: what the container is to be"},
	}
}
