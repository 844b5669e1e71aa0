// Package cli is the command line of tare: one file for each command, which turns flags into one call
// of libcontainer and its result into text and an exit code.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"tare/libcontainer"

	"github.com/urfave/cli/v3"
	"golang.org/x/sys/unix"
)

// Build tells what was built.
type Build struct {
	Version string
	Commit  string // "" when not built from a git checkout
}

// Exit codes of tare itself; in the foreground the program's own is passed on.
const (
	exitFailure = 1
	exitExec    = 255 // exec has failed before the command ran
)

// app is one run of the command line.
type app struct {
	build          Build
	stdout, stderr io.Writer
	cfg            libcontainer.Config
	command        string // the one that runs, for messages
	code           int    // exit code when there is no error
	failure        int    // exit code when there is one

	mu  sync.Mutex // log is used by several goroutines
	log logger
}

// Main runs the command line and returns the exit code.
func Main(args []string, b Build) int {
	a := &app{build: b, stdout: os.Stdout, stderr: os.Stderr, failure: exitFailure}
	return a.main(args)
}

func (a *app) main(args []string) int {
	err := enoughDescriptors()
	if err == nil {
		root := a.root(args)
		err = root.Run(context.Background(), plainWords(root, args))
	}
	if err == nil || errors.Is(err, errDone) {
		a.log.close()
		return a.code
	}
	a.fatal(err)
	a.log.close()
	return a.failure
}

// enoughDescriptors stops while nothing has been done: the Go runtime ends with a trace when its poller
// gets none, and taking back half a container needs some too.
func enoughDescriptors() error {
	const least = 64
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err == nil && l.Cur < least {
		return fmt.Errorf("RLIMIT_NOFILE is %d: too few descriptors (at least %d are needed)", l.Cur, least)
	}
	return nil
}

// errDone ends a run early and well.
var errDone = errors.New("done")

// usageError is a command line that cannot be understood.
type usageError struct {
	err     error
	command string // "" for tare itself
}

func (e *usageError) Error() string {
	help := "tare --help"
	if e.command != "" {
		help = "tare " + e.command + " --help"
	}
	return fmt.Sprintf("%v (see %s)", e.err, help)
}

func (e *usageError) Unwrap() error { return e.err }

// root is the command that holds the others: those alone that args can mean, since making them all
// costs each start.
func (a *app) root(args []string) *cli.Command {
	return &cli.Command{
		Name:                      "tare",
		Usage:                     "run containers as the Open Container Initiative specifies them",
		Description:               rootDescription,
		HideVersion:               true,
		HideHelpCommand:           true,
		DisableSliceFlagSeparator: true,
		StopOnNthArg:              new(1),
		Flags:                     globalFlags(),
		Commands:                  a.commands(args),
		Before:                    a.before,
		Action:                    a.noCommand,
		OnUsageError:              a.onUsageError(""),
		ExitErrHandler:            func(context.Context, *cli.Command, error) {},
		Writer:                    a.stdout,
		ErrWriter:                 a.stderr,
	}
}

const rootDescription = `A container is made from a bundle: a directory with a config.json and a root file system.

   mkdir -p demo/rootfs && tar -C demo/rootfs -xf IMAGE.tar
   tare spec --bundle demo            # writes a config.json to start from
   tare run --bundle demo first       # runs it and removes it at the end

The steps of run are also commands of their own: create, start, kill, delete.
tare plan demo shows what would be done to the kernel, and does none of it.`

// noCommand runs when no command was given, or one that does not exist.
func (a *app) noCommand(_ context.Context, cmd *cli.Command) error {
	if !cmd.Args().Present() {
		return cli.ShowRootCommandHelp(cmd)
	}
	return &usageError{err: fmt.Errorf("unknown command %q", cmd.Args().First())}
}

func (a *app) onUsageError(command string) cli.OnUsageErrorFunc {
	return func(_ context.Context, cmd *cli.Command, err error, _ bool) error {
		a.command = command
		// The options before the command are known: the error belongs into their log, too.
		if lerr := a.openLog(cmd.Root()); lerr != nil {
			err = errors.Join(err, lerr)
		}
		return &usageError{err: err, command: command}
	}
}

// new1 makes a command with what all of them have in common.
func (a *app) subcommand(name string, c *cli.Command) *cli.Command {
	c.Name = name
	c.HideHelpCommand = true
	c.DisableSliceFlagSeparator = true
	c.OnUsageError = a.onUsageError(name)
	c.ExitErrHandler = func(context.Context, *cli.Command, error) {}
	action := c.Action
	c.Action = func(ctx context.Context, cmd *cli.Command) error {
		a.command = name
		return action(ctx, cmd)
	}
	return c
}

// runtime is the library as the global options set it up.
func (a *app) runtime() (*libcontainer.Runtime, error) { return libcontainer.New(a.cfg) }

// load finds the container that the only argument names.
func (a *app) load(cmd *cli.Command) (*libcontainer.Container, error) {
	if err := wantArgs(cmd, 1, 1); err != nil {
		return nil, err
	}
	rt, err := a.runtime()
	if err != nil {
		return nil, err
	}
	return rt.Load(cmd.Args().First())
}

// wantArgs checks the number of positional arguments; most < 0 is any number.
func wantArgs(cmd *cli.Command, least, most int) error {
	n := cmd.Args().Len()
	if n >= least && (most < 0 || n <= most) {
		return nil
	}
	what := fmt.Sprintf("%d to %d arguments", least, most)
	switch {
	case most < 0:
		what = fmt.Sprintf("at least %d argument(s)", least)
	case least == most:
		what = fmt.Sprintf("exactly %d argument(s)", least)
	}
	return &usageError{err: fmt.Errorf("%s wanted (%s), %d given", what, cmd.ArgsUsage, n), command: cmd.Name}
}
