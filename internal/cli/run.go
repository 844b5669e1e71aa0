package cli

import (
	"context"
	"fmt"
	"os"
	"time"

	"tare/internal/tty"
	"tare/libcontainer"

	"github.com/urfave/cli/v3"
	"golang.org/x/sys/unix"
)

func (a *app) runCommand() *cli.Command {
	return &cli.Command{
		Usage:     "make a container, run its program, and remove it at the end",
		ArgsUsage: "ID",
		Description: `In the foreground: the program has the terminal, or the descriptors 0, 1 and 2, of tare; signals are
passed on to it; its exit code is tare's, 128+N when signal N ended it.

   tare run --bundle demo first
   tare run --detach --bundle demo --pid-file /run/first.pid first`,
		Flags: append(containerFlags(),
			&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, Usage: "return when the program runs"},
			&cli.BoolFlag{Name: "keep", Usage: "do not remove the container when its program has ended"},
			&cli.BoolFlag{Name: "no-subreaper", Usage: "do not become the parent of the container's orphans"}),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			id, o, err := createOptions(cmd)
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
				_, err := createAndStart(ctx, rt, id, o)
				return err
			}
			if !cmd.Bool("no-subreaper") {
				if err := tty.SetSubreaper(); err != nil {
					return err
				}
			}
			return a.foreground(ctx, rt, id, o, cmd.Bool("keep"))
		},
	}
}

// createAndStart leaves nothing behind when one of the two fails.
func createAndStart(ctx context.Context, rt *libcontainer.Runtime, id string, o libcontainer.CreateOptions) (*libcontainer.Container, error) {
	c, err := rt.Create(ctx, id, o)
	if err != nil {
		return nil, err
	}
	return c, startOrDelete(ctx, c, o.NotifySocket)
}

func startOrDelete(ctx context.Context, c *libcontainer.Container, notifySocket string) error {
	err := c.StartWith(ctx, libcontainer.StartOptions{NotifySocket: notifySocket})
	if err == nil {
		return nil
	}
	if derr := c.Delete(context.WithoutCancel(ctx), true); derr != nil {
		err = fmt.Errorf("%w (and the container could not be deleted: %w)", err, derr)
	}
	return err
}

// deleteTime bounds how long run waits for others that hold the container at its end.
const deleteTime = time.Minute

// attachment is what run and exec hold while their process is in the foreground.
type attachment struct {
	ctx     context.Context // ends when a signal asks for the end before the process runs
	cancel  context.CancelCauseFunc
	signals *tty.Signals
	console *tty.Console
}

func attach(ctx context.Context) (*attachment, error) {
	at := new(attachment)
	at.ctx, at.cancel = context.WithCancelCause(ctx)
	var err error
	at.signals, err = tty.Catch(func(sig os.Signal) { at.cancel(fmt.Errorf("interrupted by signal: %v", sig)) })
	return at, err
}

// take is called with the master of the process's terminal, if it has one.
func (at *attachment) take(master *os.File) error {
	var err error
	at.console, err = tty.Attach(master)
	return err
}

// release gives the user's terminal and the signals back. It is called in any case, and may be twice.
func (at *attachment) release() error {
	if at.signals != nil {
		at.signals.Stop()
		at.signals = nil
		at.cancel(nil)
	}
	return at.restore()
}

// restore gives the user's terminal back.
func (at *attachment) restore() error {
	err := at.console.Close()
	at.console = nil
	return err
}

// foreground runs a container to its end.
func (a *app) foreground(ctx context.Context, rt *libcontainer.Runtime, id string, o libcontainer.CreateOptions, keep bool) error {
	return a.inForeground(ctx, keep, func(at *attachment) (*libcontainer.Container, error) {
		o.Console = at.take
		c, err := rt.Create(at.ctx, id, o)
		if err != nil {
			return nil, err
		}
		// From now on a signal is the program's: one that came while start is under way must neither be lost
		// nor undo a program that runs already.
		a.forward(ctx, at, c)
		return c, startOrDelete(ctx, c, o.NotifySocket)
	})
}

// forward passes signals on to the container.
func (a *app) forward(ctx context.Context, at *attachment, c *libcontainer.Container) {
	at.signals.Forward(c.InitPid(), at.console, func(sig int) {
		if err := c.Kill(ctx, sig, libcontainer.KillOptions{}); err != nil {
			a.warn(fmt.Sprintf("pass signal %d on: %v", sig, err))
		}
	})
}

// inForeground waits for the end of the container that begin has set going, and removes it.
func (a *app) inForeground(ctx context.Context, keep bool, begin func(*attachment) (*libcontainer.Container, error)) (err error) {
	at, err := attach(ctx)
	if err != nil {
		return err
	}
	defer at.release()
	c, err := begin(at)
	if err != nil {
		return err
	}
	at.signals.Reap() // hooks have run
	status, err := c.Wait(ctx)
	at.signals.Discard() // they must not keep the container from being removed
	if rerr := at.restore(); rerr != nil {
		a.warn(rerr.Error())
	}
	if err != nil {
		return err
	}
	a.code = status.Code
	a.warnOOM(status, c.OOM)
	if keep {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, deleteTime)
	defer cancel()
	return c.Delete(ctx, true)
}

// warnOOM says why a program was killed, when the kernel did it for want of memory.
func (a *app) warnOOM(status libcontainer.ExitStatus, read func() (*libcontainer.OOM, error)) {
	if status.Signal != int(unix.SIGKILL) {
		return
	}
	if o, err := read(); err == nil && o != nil {
		a.warn(fmt.Sprintf("the kernel has killed %d process(es) of the container for want of memory: %s", o.Kills, o.OOMCause))
	}
}
