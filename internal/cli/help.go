package cli

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"
)

func (a *app) helpCommand() *cli.Command {
	return &cli.Command{
		Usage:     "show what a command does and takes",
		Aliases:   []string{"h"},
		ArgsUsage: "[COMMAND]",
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if err := wantArgs(cmd, 0, 1); err != nil {
				return err
			}
			name := cmd.Args().First()
			if name == "" {
				return cli.ShowRootCommandHelp(cmd.Root())
			}
			c := cmd.Root().Command(name)
			if c == nil || c.Hidden {
				return &usageError{err: fmt.Errorf("unknown command %q", name)}
			}
			return cli.ShowCommandHelp(ctx, cmd.Root(), name)
		},
	}
}
