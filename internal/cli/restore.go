package cli

import (
	"context"
	"os"
	"path/filepath"

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
		Flags: append(criuFlags(),
			&cli.StringFlag{Name: "bundle", Aliases: []string{"b"}, Usage: "the bundle is `DIR` (default: the working directory)"},
			&cli.StringFlag{Name: "config", Aliases: []string{"f"}, Usage: "read `FILE` instead of config.json of the bundle"},
			&cli.StringFlag{Name: "console-socket", Usage: "send the master of the container's terminal to the AF_UNIX socket `PATH`"},
			&cli.StringFlag{Name: "pidfd-socket", Usage: "send a pidfd of the container's init to the AF_UNIX socket `PATH`"},
			&cli.StringFlag{Name: "pid-file", Usage: "write the pid of the container's init to `FILE`"},
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

// restoreOptions makes the library's options. The working directory becomes the bundle, from where
// relative socket paths count.
func restoreOptions(cmd *cli.Command) (id string, o libcontainer.RestoreOptions, err error) {
	if err = wantArgs(cmd, 1, 1); err != nil {
		return
	}
	id = cmd.Args().First()
	if o.CRIUOptions, err = criuOptions(cmd); err != nil {
		return
	}
	if o.Bundle, err = filepath.Abs(cmd.String("bundle")); err != nil {
		return
	}
	if o.ConfigFile, err = absolute(cmd.String("config")); err != nil {
		return
	}
	if o.PidFile, err = absolute(cmd.String("pid-file")); err != nil {
		return
	}
	o.ConsoleSocket, o.PidfdSocket = cmd.String("console-socket"), cmd.String("pidfd-socket")
	o.TCPClose = cmd.Bool("tcp-close")
	o.LSMProfile, o.LSMMountContext = cmd.String("lsm-profile"), cmd.String("lsm-mount-context")
	if err = standardIO(&o.IO, 0); err != nil {
		return
	}
	err = os.Chdir(o.Bundle)
	return
}
