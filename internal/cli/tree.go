package cli

import (
	"io"

	"github.com/urfave/cli/v3"
)

// Tree is the whole command line with all its commands, for what describes it: manual pages, shell
// completions. Nothing of it is to be run.
func Tree(b Build) *cli.Command {
	a := &app{build: b, stdout: io.Discard, stderr: io.Discard}
	return a.root([]string{"tare", "help"})
}
