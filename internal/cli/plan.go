package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"tare/libcontainer"

	"github.com/urfave/cli/v3"
)

func (a *app) planCommand() *cli.Command {
	return &cli.Command{
		Usage:     "show what would be done to the kernel, and do none of it",
		ArgsUsage: "BUNDLE  or  --exec ID COMMAND [ARGUMENT...]",
		Description: `Prints the steps of create, on the host and inside the container, in their order and with the place in
config.json that asks for each; with --exec those of an exec in a container that is there.

   tare plan demo
   tare plan --json demo
   tare plan --exec first ls -l`,
		StopOnNthArg: new(1),
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
			&cli.StringFlag{Name: "id", Usage: "plan for a container named `ID` (default: the name of the bundle)"},
			&cli.StringFlag{Name: "config", Aliases: []string{"f"}, Usage: "read `FILE` instead of config.json of the bundle"},
			&cli.BoolFlag{Name: "exec", Usage: "plan an exec"},
			&cli.BoolFlag{Name: "no-pivot", Usage: "as for create"},
			&cli.BoolFlag{Name: "no-new-keyring", Usage: "as for create"},
		},
		Action: func(_ context.Context, cmd *cli.Command) error {
			plan, err := a.plan(cmd)
			if err != nil {
				return err
			}
			if cmd.Bool("json") {
				_, err = a.stdout.Write(plan.JSON())
			} else {
				_, err = io.WriteString(a.stdout, plan.Text())
			}
			return err
		},
	}
}

func (a *app) plan(cmd *cli.Command) (*libcontainer.Plan, error) {
	rt, err := a.runtime()
	if err != nil {
		return nil, err
	}
	stdio := libcontainer.IO{Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Console: (*os.File).Close}
	if cmd.Bool("exec") {
		return planExec(cmd, rt, stdio)
	}
	if err := wantArgs(cmd, 1, 1); err != nil {
		return nil, err
	}
	o := libcontainer.CreateOptions{IO: stdio, NoPivot: cmd.Bool("no-pivot"), NoNewKeyring: cmd.Bool("no-new-keyring")}
	if o.Bundle, err = filepath.Abs(cmd.Args().First()); err != nil {
		return nil, err
	}
	if o.ConfigFile, err = absolute(cmd.String("config")); err != nil {
		return nil, err
	}
	id := cmd.String("id")
	if id == "" {
		id = idOf(o.Bundle)
	}
	return rt.Plan(id, o)
}

// idOf makes an id of a bundle's path.
func idOf(bundle string) string {
	id := strings.Map(func(r rune) rune {
		switch {
		case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9', strings.ContainsRune("_+.-", r):
			return r
		}
		return '_'
	}, filepath.Base(bundle))
	if strings.Trim(id, ".") == "" {
		return "container"
	}
	return id
}

func planExec(cmd *cli.Command, rt *libcontainer.Runtime, stdio libcontainer.IO) (*libcontainer.Plan, error) {
	if err := wantArgs(cmd, 2, -1); err != nil {
		return nil, err
	}
	c, err := rt.Load(cmd.Args().First())
	if err != nil {
		return nil, err
	}
	p, err := c.Process()
	if err != nil {
		return nil, err
	}
	if p == nil {
		return nil, errors.New("the container's config.json has no process to start from")
	}
	ch := changes{args: cmd.Args().Tail(), terminal: new(bool)}
	if err := ch.apply(p); err != nil {
		return nil, err
	}
	return c.PlanExec(libcontainer.ExecOptions{IO: stdio, Process: p, NoNewKeyring: cmd.Bool("no-new-keyring")})
}
