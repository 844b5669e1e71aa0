package cli

import (
	"context"

	"tare/internal/tty"
	"tare/libcontainer"

	"github.com/urfave/cli/v3"
)

func (a *app) restoreCommand() *cli.Command {
	return &cli.Command{
		Usage:     "make a container from the files that checkpoint has written",
		ArgsUsage: "ID",
		Description: `Needs root, CRIU (criu(8)) in PATH, and a bundle like the one that the container was
made from. The standard descriptors that were pipes are replaced by those of tare; a
terminal goes to --console-socket. In the foreground it is as with run: signals are
passed on, the exit code is that of the program, and the container is removed at the
end. CRIU's log is restore.log in the work path.

   tare restore --detach --image-path /var/tmp/first --bundle demo first`,
		Flags: append(append(criuFlags(), bundleFlags()...),
			&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, Usage: "return when the container runs"},
			&cli.BoolFlag{Name: "no-subreaper", Usage: "do not become the parent of the container's orphans"},
			&cli.BoolFlag{Name: "no-pivot", Usage: "accepted, and without effect here: CRIU changes the root its own way"},
			&cli.BoolFlag{Name: "tcp-close", Usage: "established TCP connections become closed ones"},
			&cli.StringFlag{Name: "lsm-profile", Usage: "the processes' security profile, as `TYPE:NAME` (apparmor, selinux)"},
			&cli.StringFlag{Name: "lsm-mount-context", Usage: "the mounts' SELinux `CONTEXT`"}),
		Action: a.restore,
	}
}

func (a *app) restore(ctx context.Context, cmd *cli.Command) error {
	id, o, err := restoreOptions(cmd)
	if err != nil {
		return err
	}
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	if cmd.Bool("detach") {
		ctx, stop := tty.Interruptible(ctx)
		defer stop()
		_, err := rt.Restore(ctx, id, o)
		return err
	}
	if !cmd.Bool("no-subreaper") {
		if err := tty.SetSubreaper(); err != nil {
			return err
		}
	}
	return a.inForeground(ctx, false, func(at *attachment) (*libcontainer.Container, error) {
		o.Console = at.take
		c, err := rt.Restore(at.ctx, id, o)
		if err == nil {
			a.forward(ctx, at, c)
		}
		return c, err
	})
}

func restoreOptions(cmd *cli.Command) (id string, o libcontainer.RestoreOptions, err error) {
	if o.CRIUOptions, err = criuOptions(cmd); err != nil {
		return
	}
	o.TCPClose = cmd.Bool("tcp-close")
	o.LSMProfile, o.LSMMountContext = cmd.String("lsm-profile"), cmd.String("lsm-mount-context")
	id, err = bundleOptions(cmd, &o.Bundle, &o.ConfigFile, &o.IO)
	return
}
