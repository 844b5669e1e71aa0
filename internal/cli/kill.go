package cli

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"tare/libcontainer"

	"github.com/urfave/cli/v3"
)

func (a *app) killCommand() *cli.Command {
	return &cli.Command{
		Usage:     "send a signal to a container's init",
		ArgsUsage: "ID [SIGNAL]",
		Description: `SIGNAL is a number or a name: 9, KILL, SIGKILL, kill, RTMIN+3. The default is SIGTERM, and
SIGRTMIN+3 for a container with the annotation tare.boot: systemd ends by it.
The first process of a pid namespace gets only signals that it has handlers for, and SIGKILL.

   tare kill first
   tare kill first KILL
   tare kill --all first HUP`,
		StopOnNthArg: new(1),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "all", Aliases: []string{"a"}, Usage: "send it to every process of the container"},
			&cli.BoolFlag{Name: "regex", Aliases: []string{"r"}, Usage: "ID is a regular expression: all containers that it matches"},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if err := wantArgs(cmd, 1, 2); err != nil {
				return err
			}
			o := libcontainer.KillOptions{All: cmd.Bool("all")}
			if cmd.Args().Len() == 1 {
				return a.each(cmd, func(c *libcontainer.Container) error {
					sig, err := c.StopSignal()
					if err != nil {
						return err
					}
					return c.Kill(ctx, sig, o)
				})
			}
			sig, err := parseSignal(cmd.Args().Get(1))
			if err != nil {
				return err
			}
			return a.each(cmd, func(c *libcontainer.Container) error { return c.Kill(ctx, sig, o) })
		},
	}
}

// each calls f for the container that the first argument names, or with --regex for all that it
// matches: then one that fails does not keep the others from their turn.
func (a *app) each(cmd *cli.Command, f func(*libcontainer.Container) error) error {
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	id := cmd.Args().First()
	if !cmd.Bool("regex") {
		c, err := rt.Load(id)
		if err != nil {
			return err
		}
		return f(c)
	}
	re, err := regexp.Compile(id)
	if err != nil {
		return fmt.Errorf("--regex %q: %w", id, err)
	}
	all, err := rt.List()
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range all {
		if re.MatchString(c.ID()) {
			errs = append(errs, f(c))
		}
	}
	return errors.Join(errs...)
}
