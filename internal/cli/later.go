package cli

import (
	"context"
	"errors"

	"github.com/urfave/cli/v3"
)

// later stands for a command that other runtimes have and tare does not have yet. It is not listed, and
// asking for its help fails too, since engines take that for support.
func (a *app) later() *cli.Command {
	return &cli.Command{
		Hidden:          true,
		SkipFlagParsing: true,
		Action: func(context.Context, *cli.Command) error {
			return errors.New("this command is not built yet")
		},
	}
}
