package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"tare/libcontainer"

	"github.com/urfave/cli/v3"
	"golang.org/x/sys/unix"
)

// globalFlags are the options before the command. They are local: after the command they are unknown.
func globalFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "root", Local: true, Usage: "keep the containers' states below `DIR` (default: /run/tare, or $XDG_RUNTIME_DIR/tare without the host's root)"},
		&cli.StringFlag{Name: "log", Local: true, Usage: "log to `DEST`: [file:]PATH, journald:ID or syslog:ID"},
		&cli.StringFlag{Name: "log-format", Local: true, Value: "text", Usage: "`FORMAT` of the log: text or json"},
		&cli.StringFlag{Name: "log-level", Local: true, Value: "error", Usage: "log from this `LEVEL` on: error, warning, info or debug"},
		&cli.BoolFlag{Name: "debug", Local: true, Usage: "log all that happens, step by step (the same as --log-level debug)"},
		&cli.BoolFlag{Name: "systemd-cgroup", Local: true, Usage: "let systemd manage cgroups; cgroupsPath is then SLICE:PREFIX:NAME"},
		&cli.StringFlag{Name: "cgroup-manager", Local: true, Usage: "cgroups are managed by `WHOM`: cgroupfs, systemd, or disabled for no cgroup at all"},
		&cli.StringFlag{Name: "rootless", Local: true, Value: "auto", Usage: "tolerate missing rights to cgroups: `WHEN` is true, false or auto"},
		&cli.StringFlag{Name: "criu", Local: true, Usage: "obsolete: criu(8) is looked for in PATH, `FILE` is ignored"},
		&cli.BoolFlag{Name: "version", Aliases: []string{"v", "V"}, Local: true, Usage: "print the version"},
	}
}

// before runs ahead of every command: it turns the global options into the library's configuration.
func (a *app) before(ctx context.Context, root *cli.Command) (context.Context, error) {
	if root.Bool("version") {
		a.printVersion()
		return ctx, errDone
	}
	if err := a.openLog(root); err != nil {
		return ctx, err
	}
	if root.IsSet("criu") {
		a.warn("--criu: obsolete, ignored: criu(8) is looked for in PATH")
	}
	var err error
	a.cfg.Warn = a.warn
	if a.log.level >= levelDebug {
		a.cfg.Debug = a.debug
	}
	if a.cfg.Root, err = stateRoot(root); err != nil {
		return ctx, err
	}
	if a.cfg.Cgroups, err = cgroupDriver(root.Bool("systemd-cgroup"), root.String("cgroup-manager")); err != nil {
		return ctx, err
	}
	a.cfg.Rootless, err = rootlessMode(root.String("rootless"))
	return ctx, err
}

// stateRoot is "" for the default one.
func stateRoot(root *cli.Command) (string, error) {
	if !root.IsSet("root") {
		return "", nil
	}
	given := root.String("root")
	if given == "" {
		return "", errors.New(`--root "": not a directory for states`)
	}
	abs, err := filepath.Abs(given)
	if err != nil {
		return "", fmt.Errorf("--root %q: %w", given, err)
	}
	if abs == "/" {
		return "", fmt.Errorf("--root %q: the root directory itself cannot hold states", given)
	}
	return abs, nil
}

func cgroupDriver(systemd bool, manager string) (libcontainer.Driver, error) {
	switch d := libcontainer.Driver(manager); d {
	case "":
		if systemd {
			return libcontainer.Systemd, nil
		}
		return libcontainer.Cgroupfs, nil
	case libcontainer.Cgroupfs:
		if systemd {
			return "", errors.New("--systemd-cgroup and --cgroup-manager cgroupfs exclude each other")
		}
		return d, nil
	case libcontainer.Systemd, libcontainer.Disabled:
		return d, nil
	}
	return "", fmt.Errorf("--cgroup-manager %q: not one of cgroupfs, systemd, disabled", manager)
}

// rootlessMode takes every spelling of a truth value, as the other boolean options do.
func rootlessMode(s string) (libcontainer.Rootless, error) {
	if s == "" || strings.EqualFold(s, string(libcontainer.RootlessAuto)) {
		return libcontainer.RootlessAuto, nil
	}
	yes, err := strconv.ParseBool(s)
	switch {
	case err != nil:
		return "", fmt.Errorf("--rootless %q: not one of true, false, auto", s)
	case yes:
		return libcontainer.RootlessYes, nil
	}
	return libcontainer.RootlessNo, nil
}

// sealDescriptors keeps what the caller has left open from the programs that tare starts: hooks and
// helpers. What the container is to get is handed over one by one.
func sealDescriptors() error {
	if err := unix.CloseRange(3, 1<<32-1, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return fmt.Errorf("close_range: %w", err)
	}
	return nil
}
