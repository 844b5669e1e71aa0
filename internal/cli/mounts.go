package cli

import (
	"context"
	"fmt"
	"io"
	"os"

	"tare/internal/spec"
	"tare/internal/tty"
	"tare/libcontainer"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v3"
)

func (a *app) mountsCommand() *cli.Command {
	return &cli.Command{
		Usage:     "add mounts to a running container, or remove them",
		ArgsUsage: "add|remove ID FILE",
		Description: `FILE (- is the standard input) is a list of mounts, as mounts of config.json; of those to be removed
only the destination counts. Binds can be added, and tmpfs, proc, sysfs, mqueue and devpts.

   echo '[{"destination":"/mnt","source":"/srv/data","options":["rbind","ro"]}]' >m.json
   tare mounts add first m.json
   tare mounts remove first m.json`,
		Commands: []*cli.Command{
			a.mountsPart("add", "make the mounts of FILE in a container", func(ctx context.Context, c *libcontainer.Container, m []specs.Mount) error {
				return c.AddMounts(ctx, m)
			}),
			a.mountsPart("remove", "detach what is mounted on the destinations of FILE", func(ctx context.Context, c *libcontainer.Container, m []specs.Mount) error {
				destinations := make([]string, len(m))
				for i := range m {
					if m[i].Destination == "" {
						return fmt.Errorf("mounts[%d].destination: must not be empty", i)
					}
					destinations[i] = m[i].Destination
				}
				return c.RemoveMounts(ctx, destinations)
			}),
		},
		Action: func(_ context.Context, cmd *cli.Command) error {
			return &usageError{err: fmt.Errorf("add or remove wanted, %q given", cmd.Args().First()), command: "mounts"}
		},
	}
}

// mountsPart is one of the two commands below mounts.
func (a *app) mountsPart(name, usage string, do func(context.Context, *libcontainer.Container, []specs.Mount) error) *cli.Command {
	c := a.subcommand(name, &cli.Command{
		Usage:     usage,
		ArgsUsage: "ID FILE",
		Action: func(ctx context.Context, cmd *cli.Command) error {
			a.command = "mounts " + name
			if cmd.Args().Len() != 2 {
				return &usageError{err: fmt.Errorf("exactly 2 arguments wanted (ID FILE), %d given", cmd.Args().Len()), command: a.command}
			}
			rt, err := a.runtime()
			if err != nil {
				return err
			}
			container, err := rt.Load(cmd.Args().First())
			if err != nil {
				return err
			}
			mounts, err := readMounts(cmd.Args().Get(1), os.Stdin)
			if err != nil {
				return err
			}
			if err := sealDescriptors(); err != nil {
				return err
			}
			ctx, stop := tty.Interruptible(ctx)
			defer stop()
			return do(ctx, container, mounts)
		},
	})
	c.OnUsageError = a.onUsageError("mounts " + name)
	return c
}

func readMounts(file string, stdin io.Reader) ([]specs.Mount, error) {
	if file == "-" {
		return spec.LoadMounts(stdin)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	mounts, err := spec.LoadMounts(f)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", file, err)
	}
	return mounts, nil
}
