package cli

import (
	"context"
	"fmt"
	"os"

	"tare/internal/tty"
	"tare/libcontainer"

	"github.com/urfave/cli/v3"
	"golang.org/x/sys/unix"
)

// criuFlags are those of checkpoint and of restore.
func criuFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "image-path", Usage: "the directory `DIR` of the image (default: checkpoint, in the working directory)"},
		&cli.StringFlag{Name: "work-path", Usage: "the directory `DIR` of CRIU's log and other work files (default: that of the image)"},
		&cli.BoolFlag{Name: "tcp-established", Usage: "keep established TCP connections"},
		&cli.BoolFlag{Name: "ext-unix-sk", Usage: "keep unix sockets whose other end is outside of the container"},
		&cli.BoolFlag{Name: "shell-job", Usage: "for processes whose session or terminal is outside of the container"},
		&cli.BoolFlag{Name: "file-locks", Usage: "keep file locks"},
		&cli.BoolFlag{Name: "link-remap", Usage: "make links for open files whose names are gone"},
		&cli.BoolFlag{Name: "lazy-pages", Usage: "fetch the memory page by page once the processes run, with userfaultfd(2)"},
		&cli.BoolFlag{Name: "auto-dedup", Usage: "take out of an image what a newer one, or the restored container, has"},
		&cli.StringFlag{Name: "manage-cgroups-mode", Usage: "what to do about cgroups, `MODE`: soft (default), full, strict or ignore"},
		&cli.StringSliceFlag{Name: "empty-ns", Usage: "leave out what is in the namespace `TYPE`: network"},
		&cli.StringFlag{Name: "network-lock", Usage: "hold packets back by `METHOD`: iptables (default), nftables or skip"},
	}
}

// criuOptions makes the library's options of criuFlags.
func criuOptions(cmd *cli.Command) (o libcontainer.CRIUOptions, err error) {
	o = libcontainer.CRIUOptions{
		TCPEstablished: cmd.Bool("tcp-established"), ExternalUnixSockets: cmd.Bool("ext-unix-sk"),
		ShellJob: cmd.Bool("shell-job"), FileLocks: cmd.Bool("file-locks"), LinkRemap: cmd.Bool("link-remap"),
		LazyPages: cmd.Bool("lazy-pages"), AutoDedup: cmd.Bool("auto-dedup"),
		ManageCgroups: cmd.String("manage-cgroups-mode"), EmptyNamespaces: cmd.StringSlice("empty-ns"),
		NetworkLock: cmd.String("network-lock"),
	}
	image := cmd.String("image-path")
	if image == "" {
		image = "checkpoint"
	}
	if o.ImagePath, err = absolute(image); err == nil {
		o.WorkPath, err = absolute(cmd.String("work-path"))
	}
	return o, err
}

func (a *app) checkpointCommand() *cli.Command {
	return &cli.Command{
		Usage:     "write a running container to files for restore",
		ArgsUsage: "ID",
		Description: `Needs root, and CRIU (criu(8)) in PATH. In the end the container is gone, as after
delete, unless it is to be left running. CRIU's log is dump.log in the work path. The
annotation org.criu.config names a configuration file of CRIU's own; without it
/etc/criu/tare.conf or /etc/criu/runc.conf is used.

   tare checkpoint --image-path /var/tmp/first first
   tare checkpoint --image-path /var/tmp/first/1 --pre-dump first     # the memory, ahead
   tare checkpoint --image-path /var/tmp/first/2 --parent-path ../1 first`,
		Flags: append(criuFlags(),
			&cli.StringFlag{Name: "parent-path", Usage: "an earlier image `DIR`, relative to --image-path, whose unchanged pages are not written again"},
			&cli.BoolFlag{Name: "leave-running", Usage: "the container goes on"},
			&cli.BoolFlag{Name: "pre-dump", Usage: "write the memory alone; the container goes on"},
			&cli.BoolFlag{Name: "tcp-skip-in-flight", Usage: "leave out TCP connections that are not established yet"},
			&cli.StringFlag{Name: "page-server", Usage: "send the memory to a criu page-server at `ADDRESS:PORT`"},
			&cli.IntFlag{Name: "status-fd", Value: -1, Usage: "write a NUL byte to the descriptor `N` when lazy pages are on offer"}),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			o, err := checkpointOptions(cmd)
			if err != nil {
				return err
			}
			c, err := a.load(cmd)
			if err != nil {
				return err
			}
			if err := sealDescriptors(); err != nil {
				return err
			}
			ctx, stop := tty.Interruptible(ctx)
			defer stop()
			return c.Checkpoint(ctx, o)
		},
	}
}

func checkpointOptions(cmd *cli.Command) (libcontainer.CheckpointOptions, error) {
	common, err := criuOptions(cmd)
	if err != nil {
		return libcontainer.CheckpointOptions{}, err
	}
	o := libcontainer.CheckpointOptions{
		CRIUOptions: common, ParentPath: cmd.String("parent-path"), LeaveRunning: cmd.Bool("leave-running"),
		PreDump: cmd.Bool("pre-dump"), TCPSkipInFlight: cmd.Bool("tcp-skip-in-flight"), PageServer: cmd.String("page-server"),
	}
	if fd := cmd.Int("status-fd"); fd != -1 {
		o.StatusFile, err = statusFile(fd)
	}
	return o, err
}

// statusFile is the caller's descriptor, open for writing.
func statusFile(fd int) (*os.File, error) {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err == nil && flags&unix.O_ACCMODE == unix.O_RDONLY {
		err = unix.EBADF
	}
	if err != nil {
		return nil, fmt.Errorf("--status-fd %d: %w", fd, err)
	}
	return os.NewFile(uintptr(fd), "status"), nil
}
