package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"tare/internal/tty"
	"tare/libcontainer"

	"github.com/urfave/cli/v3"
	"golang.org/x/sys/unix"
)

// containerFlags are those of create and of run.
func containerFlags() []cli.Flag {
	return append(bundleFlags(),
		&cli.BoolFlag{Name: "no-pivot", Usage: "move the root by mount and chroot instead of pivot_root: for a root on an initramfs"},
		&cli.BoolFlag{Name: "no-new-keyring", Usage: "keep the session keyring of the caller"},
		&cli.IntFlag{Name: "preserve-fds", Usage: "pass `N` more descriptors to the container, from 3 on (after those of LISTEN_FDS)"})
}

// bundleFlags are those of every command that makes a container.
func bundleFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "bundle", Aliases: []string{"b"}, Usage: "the bundle is `DIR` (default: the working directory)"},
		&cli.StringFlag{Name: "config", Aliases: []string{"f"}, Usage: "read `FILE` instead of config.json of the bundle"},
		&cli.StringFlag{Name: "console-socket", Usage: "send the master of the container's terminal to the AF_UNIX socket `PATH`"},
		&cli.StringFlag{Name: "pidfd-socket", Usage: "send a pidfd of the container's init to the AF_UNIX socket `PATH`"},
		&cli.StringFlag{Name: "pid-file", Usage: "write the pid of the container's init to `FILE`"},
	}
}

// createOptions makes the library's options of containerFlags.
func createOptions(cmd *cli.Command) (id string, o libcontainer.CreateOptions, err error) {
	o.NoPivot, o.NoNewKeyring = cmd.Bool("no-pivot"), cmd.Bool("no-new-keyring")
	o.NotifySocket = os.Getenv("NOTIFY_SOCKET")
	id, err = bundleOptions(cmd, &o.Bundle, &o.ConfigFile, &o.IO)
	return
}

// bundleOptions makes options of bundleFlags. The working directory becomes the bundle, from where
// relative socket paths count.
func bundleOptions(cmd *cli.Command, bundle, config *string, o *libcontainer.IO) (id string, err error) {
	if err = wantArgs(cmd, 1, 1); err != nil {
		return
	}
	id = cmd.Args().First()
	if *bundle, err = filepath.Abs(cmd.String("bundle")); err != nil {
		return
	}
	if *config, err = absolute(cmd.String("config")); err != nil {
		return
	}
	if o.PidFile, err = absolute(cmd.String("pid-file")); err != nil {
		return
	}
	o.ConsoleSocket, o.PidfdSocket = cmd.String("console-socket"), cmd.String("pidfd-socket")
	if err = standardIO(o, cmd.Int("preserve-fds")); err != nil {
		return
	}
	err = os.Chdir(*bundle)
	return
}

// absolute makes a path absolute, but "" stays.
func absolute(path string) (string, error) {
	if path == "" {
		return "", nil
	}
	return filepath.Abs(path)
}

// standardIO hands the own descriptors over: 0, 1, 2, those of socket activation (sd_listen_fds(3)), and
// as many more as are to be preserved.
func standardIO(o *libcontainer.IO, preserve int) error {
	o.Stdin, o.Stdout, o.Stderr = os.Stdin, os.Stdout, os.Stderr
	if preserve < 0 {
		return fmt.Errorf("--preserve-fds %d: must not be negative", preserve)
	}
	listen, err := listenFDs(os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_PID"), os.Getpid())
	if err != nil {
		return err
	}
	o.ListenFDs = listen
	const first = 3
	for fd := first; fd < first+listen+preserve; fd++ {
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		// What the caller passes on survived an execve. One that closes at execve is tare's own, which
		// took the number because it was free.
		if err == nil && flags&unix.FD_CLOEXEC != 0 {
			err = unix.EBADF
		}
		if err != nil {
			return fmt.Errorf("descriptor %d of %d (LISTEN_FDS %d, --preserve-fds %d): %w", fd, first+listen+preserve-1, listen, preserve, err)
		}
		o.ExtraFiles = append(o.ExtraFiles, os.NewFile(uintptr(fd), "fd "+strconv.Itoa(fd)))
	}
	return sealDescriptors()
}

// listenFDs is the number of sockets that the service manager has passed to this process.
func listenFDs(fds, pid string, self int) (int, error) {
	if fds == "" || pid != strconv.Itoa(self) {
		return 0, nil // meant for somebody else
	}
	n, err := strconv.Atoi(fds)
	if err != nil || n < 0 || n > 1<<16 {
		return 0, fmt.Errorf("LISTEN_FDS %q: not a number of descriptors", fds)
	}
	return n, nil
}

func (a *app) createCommand() *cli.Command {
	return &cli.Command{
		Usage:     "make a container, whose program waits for start",
		ArgsUsage: "ID",
		Description: `The container has its namespaces, mounts, cgroup and id; the process is there and waits.
ID is any name of letters, digits, and _ + . - that no other container has.
A bundle with process.terminal needs --console-socket: somebody has to hold the terminal.

   tare create --bundle /run/demo --pid-file /run/demo.pid first
   tare start first`,
		Flags: append(containerFlags(),
			&cli.BoolFlag{Name: "no-subreaper", Usage: "accepted, and without effect here: create leaves no process behind that would reap"}),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			id, o, err := createOptions(cmd)
			if err != nil {
				return err
			}
			rt, err := a.runtime()
			if err != nil {
				return err
			}
			ctx, stop := tty.Interruptible(ctx)
			defer stop()
			_, err = rt.Create(ctx, id, o)
			return err
		},
	}
}

func (a *app) startCommand() *cli.Command {
	return &cli.Command{
		Usage:     "let the program of a created container run",
		ArgsUsage: "ID",
		Description: `Returns when the program has replaced the waiting process: an error of its execve is an error
here. With NOTIFY_SOCKET in the environment of create and of start it returns when the program
has said that it is ready (sd_notify(3)).

   tare start first`,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			c, err := a.load(cmd)
			if err != nil {
				return err
			}
			if err := sealDescriptors(); err != nil {
				return err
			}
			ctx, stop := tty.Interruptible(ctx)
			defer stop()
			return c.StartWith(ctx, libcontainer.StartOptions{NotifySocket: os.Getenv("NOTIFY_SOCKET")})
		},
	}
}

func (a *app) deleteCommand() *cli.Command {
	return &cli.Command{
		Usage:     "remove a stopped container and all that belongs to it",
		ArgsUsage: "ID",
		Description: `A container that was created but not started is killed first. One that runs is an error.
With --force it is killed; one that does not exist is then no error.

   tare delete first
   tare delete --force first
   tare delete --regex '^test-'      # every container whose id matches`,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "force", Aliases: []string{"f"}, Usage: "kill what still runs"},
			&cli.BoolFlag{Name: "regex", Aliases: []string{"r"}, Usage: "ID is a regular expression: delete all that it matches"},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if err := wantArgs(cmd, 1, 1); err != nil {
				return err
			}
			force := cmd.Bool("force")
			if err := sealDescriptors(); err != nil {
				return err
			}
			ctx, stop := tty.Interruptible(ctx)
			defer stop()
			err := a.each(cmd, func(c *libcontainer.Container) error { return c.Delete(ctx, force) })
			if force && errors.Is(err, libcontainer.ErrNotFound) {
				return nil
			}
			return err
		},
	}
}
