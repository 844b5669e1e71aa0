package cli

import (
	"context"
	"tare/internal/tty"

	"github.com/urfave/cli/v3"
)

func (a *app) pauseCommand() *cli.Command {
	return &cli.Command{
		Usage:       "freeze all processes of a container",
		ArgsUsage:   "ID",
		Description: "   tare pause first\n   tare resume first",
		Action: func(ctx context.Context, cmd *cli.Command) error {
			c, err := a.load(cmd)
			if err != nil {
				return err
			}
			ctx, stop := tty.Interruptible(ctx)
			defer stop()
			return c.Pause(ctx)
		},
	}
}

func (a *app) resumeCommand() *cli.Command {
	return &cli.Command{
		Usage:       "let the processes of a paused container go on",
		ArgsUsage:   "ID",
		Description: "   tare resume first",
		Action: func(ctx context.Context, cmd *cli.Command) error {
			c, err := a.load(cmd)
			if err != nil {
				return err
			}
			ctx, stop := tty.Interruptible(ctx)
			defer stop()
			return c.Resume(ctx)
		},
	}
}
