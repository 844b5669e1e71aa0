package cli

import (
	"slices"

	"github.com/urfave/cli/v3"
)

// commands makes the commands whose name is among args, and all of them when none is or when help is
// asked for before the first.
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
		{"update", a.later},
		{"events", a.later},
		{"checkpoint", a.later},
		{"restore", a.later},
		{"mounts", a.later},
	}
	helpFirst := slices.IndexFunc(args, func(s string) bool { return s == "-h" || s == "--help" || s == "-help" || s == "help" })
	var some, all []*cli.Command
	for _, t := range table {
		if i := slices.Index(args, t.name); i > 0 && (helpFirst < 0 || i < helpFirst) {
			some = append(some, a.subcommand(t.name, t.make()))
		}
	}
	if len(some) > 0 {
		return some
	}
	for _, t := range table {
		all = append(all, a.subcommand(t.name, t.make()))
	}
	return all
}
