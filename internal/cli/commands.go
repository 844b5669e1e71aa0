package cli

import (
	"strings"

	"github.com/urfave/cli/v3"
)

// commands makes the command that args name, and all of them when help is asked for. Making all for
// each start would be a tenth of what starting takes.
func (a *app) commands(args []string) []*cli.Command {
	table := [...]struct {
		name string
		make func() *cli.Command
	}{
		{"create", a.createCommand},
		{"start", a.startCommand},
		{"run", a.runCommand},
		{"exec", a.execCommand},
		{"kill", a.killCommand},
		{"delete", a.deleteCommand},
		{"state", a.stateCommand},
		{"list", a.listCommand},
		{"ps", a.psCommand},
		{"pause", a.pauseCommand},
		{"resume", a.resumeCommand},
		{"plan", a.planCommand},
		{"spec", a.specCommand},
		{"features", a.featuresCommand},
		{"help", a.helpCommand},
		{"update", a.updateCommand},
		{"events", a.eventsCommand},
		{"checkpoint", a.checkpointCommand},
		{"restore", a.restoreCommand},
		{"mounts", a.mountsCommand},
	}
	wanted, version := firstCommand(args)
	if version {
		return nil
	}
	var all []*cli.Command
	for _, t := range table {
		if t.name == wanted && wanted != "help" {
			return []*cli.Command{a.subcommand(t.name, t.make())}
		}
	}
	for _, t := range table {
		all = append(all, a.subcommand(t.name, t.make()))
	}
	return all
}

// firstCommand finds the command behind the global options, "" for none.
func firstCommand(args []string) (name string, version bool) {
	for i := 1; i < len(args); i++ {
		arg := args[i]
		if arg == "" || arg[0] != '-' || arg == "-" {
			return arg, version
		}
		option, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		switch option {
		case "": // what follows "--" is no option
			if i+1 < len(args) {
				return args[i+1], version
			}
		case "version", "v", "V":
			version = true
		case "root", "log", "log-format", "log-level", "cgroup-manager", "rootless", "criu":
			if !hasValue {
				i++
			}
		}
	}
	return "", version
}
