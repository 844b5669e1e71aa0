package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"tare/internal/spec"
	"tare/internal/tty"
	"tare/libcontainer"

	"github.com/urfave/cli/v3"
)

func (a *app) execCommand() *cli.Command {
	return &cli.Command{
		Usage:     "run another program in a container",
		ArgsUsage: "ID COMMAND [ARGUMENT...]  or  --process FILE ID",
		Description: `The program starts with what config.json says of the container's process (user, environment,
capabilities, working directory ...), as the options change it. Options end at ID. Exit code: the
program's, or 255 when it did not start.

   tare exec first ls -l /
   tare exec --tty first sh
   tare exec --user 1000:1000 --env A=1 --cwd /tmp first id
   tare exec --detach --pid-file /run/x.pid --process process.json first`,
		StopOnNthArg: new(1),
		Flags:        execFlags(),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				a.failure = exitExec
			}
			if err := wantExecArgs(cmd); err != nil {
				return err
			}
			return a.exec(ctx, cmd)
		},
	}
}

func execFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "process", Aliases: []string{"p"}, Usage: "the process is described by `FILE`, as in the process object of config.json"},
		&cli.StringFlag{Name: "console-socket", Usage: "send the master of the process's terminal to the AF_UNIX socket `PATH`"},
		&cli.StringFlag{Name: "pidfd-socket", Usage: "send a pidfd of the process to the AF_UNIX socket `PATH`"},
		&cli.StringFlag{Name: "pid-file", Usage: "write the pid of the process to `FILE`"},
		&cli.BoolFlag{Name: "detach", Aliases: []string{"d"}, Usage: "return when the program runs"},
		&ttyFlag{Name: "tty", Aliases: []string{"t"}, Usage: "give it a terminal"},
		&cli.StringFlag{Name: "cwd", Usage: "its working directory is `DIR`"},
		&cli.StringSliceFlag{Name: "env", Aliases: []string{"e"}, Usage: "add `NAME=VALUE` to its environment (several times)"},
		&cli.StringFlag{Name: "user", Aliases: []string{"u"}, Usage: "run as `UID[:GID]`, numbers"},
		&cli.StringSliceFlag{Name: "additional-gids", Aliases: []string{"g"}, Usage: "be a member of group `GID`, too (several times)"},
		&cli.StringFlag{Name: "process-label", Usage: "its SELinux label is `LABEL`"},
		&cli.StringFlag{Name: "apparmor", Usage: "its AppArmor profile is `PROFILE`"},
		&cli.BoolFlag{Name: "no-new-privs", Usage: "it cannot gain privileges by execve"},
		&cli.StringSliceFlag{Name: "cap", Aliases: []string{"c"}, Usage: "add `CAPABILITY` (several times)"},
		&cli.IntFlag{Name: "preserve-fds", Usage: "pass `N` more descriptors to it, from 3 on"},
		&cli.StringSliceFlag{Name: "cgroup", Usage: "run in the sub-cgroup `[CONTROLLER[,CONTROLLER]:]PATH` of the container's cgroup (several times)"},
		&cli.BoolFlag{Name: "ignore-paused", Usage: "allow it in a paused container, where it waits for resume"},
	}
}

// ttyFlag is a boolean option that takes the words yes and no as well: --tty=no.
type ttyFlag = cli.FlagBase[bool, cli.BoolConfig, ttyValue]

type ttyValue struct{ is *bool }

func (ttyValue) Create(is bool, p *bool, _ cli.BoolConfig) cli.Value {
	*p = is
	return ttyValue{p}
}

func (ttyValue) ToString(is bool) string { return strconv.FormatBool(is) }
func (v ttyValue) String() string        { return strconv.FormatBool(v.is != nil && *v.is) }
func (v ttyValue) Get() any              { return *v.is }
func (ttyValue) IsBoolFlag() bool        { return true }

func (v ttyValue) Set(s string) error {
	switch s {
	case "yes":
		s = "true"
	case "no":
		s = "false"
	}
	is, err := strconv.ParseBool(s)
	if err != nil {
		return errors.New("parse error")
	}
	*v.is = is
	return nil
}

func wantExecArgs(cmd *cli.Command) error {
	if !cmd.IsSet("process") {
		return wantArgs(cmd, 2, -1)
	}
	if cmd.Args().Len() > 1 {
		return &usageError{err: errors.New("--process and a command exclude each other"), command: cmd.Name}
	}
	return wantArgs(cmd, 1, 1)
}

func (a *app) exec(ctx context.Context, cmd *cli.Command) error {
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	c, err := rt.Load(cmd.Args().First())
	if err != nil {
		return err
	}
	o, err := execOptions(cmd, c)
	if err != nil {
		return err
	}
	if o.PidFile, err = absolute(cmd.String("pid-file")); err != nil {
		return err
	}
	if err := standardIO(&o.IO, cmd.Int("preserve-fds")); err != nil {
		return err
	}
	if cmd.Bool("detach") {
		ctx, stop := tty.Interruptible(ctx)
		defer stop()
		p, err := c.Exec(ctx, *o)
		if err != nil {
			return err
		}
		return p.Close()
	}
	return a.execForeground(ctx, c, *o)
}

func (a *app) execForeground(ctx context.Context, c *libcontainer.Container, o libcontainer.ExecOptions) error {
	at, err := attach(ctx)
	if err != nil {
		return err
	}
	defer at.release()
	o.Console = at.take
	o.Started = func(p *libcontainer.Process) {
		at.signals.Forward(p.Pid(), at.console, func(sig int) {
			if err := p.Signal(sig); err != nil {
				a.warn(fmt.Sprintf("pass signal %d on: %v", sig, err))
			}
		})
	}
	p, err := c.Exec(at.ctx, o)
	if err != nil {
		return err
	}
	defer p.Close()
	at.signals.Reap()
	status, err := p.Wait(ctx)
	if rerr := at.release(); rerr != nil {
		a.warn(rerr.Error())
	}
	a.code = status.Code
	if err == nil {
		a.warnOOM(status, p.OOM)
	}
	return err
}

// execOptions is what the flags say of the process itself.
func execOptions(cmd *cli.Command, c *libcontainer.Container) (*libcontainer.ExecOptions, error) {
	o := &libcontainer.ExecOptions{IgnorePaused: cmd.Bool("ignore-paused"), Cgroup: cmd.StringSlice("cgroup")}
	o.ConsoleSocket, o.PidfdSocket = cmd.String("console-socket"), cmd.String("pidfd-socket")
	var err error
	if file := cmd.String("process"); cmd.IsSet("process") {
		o.Process, err = spec.LoadProcess(file)
	} else if o.Process, err = c.Process(); err == nil && o.Process == nil {
		err = errors.New("the container's config.json has no process to start from (use --process)")
	}
	if err != nil {
		return nil, err
	}
	ch := changes{
		cwd: optional(cmd, "cwd"), label: optional(cmd, "process-label"), apparmor: optional(cmd, "apparmor"), groups: cmd.StringSlice("additional-gids"),
		env: cmd.StringSlice("env"), caps: cmd.StringSlice("cap"),
	}
	if !cmd.IsSet("process") {
		ch.args, ch.terminal = cmd.Args().Tail(), new(cmd.Bool("tty"))
	} else if cmd.IsSet("tty") {
		ch.terminal = new(cmd.Bool("tty"))
	}
	if cmd.IsSet("user") {
		ch.user = new(cmd.String("user")) // an empty one is refused: nobody is root by a variable that is not set
	}
	if cmd.IsSet("no-new-privs") {
		ch.noNewPrivs = new(cmd.Bool("no-new-privs"))
	}
	return o, ch.apply(o.Process)
}

// optional is nil for a flag that was not given, or with no text: that takes no confinement away.
func optional(cmd *cli.Command, name string) *string {
	if text := cmd.String(name); text != "" {
		return &text
	}
	return nil
}
