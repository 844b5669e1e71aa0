package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"tare/internal/spec"

	"github.com/urfave/cli/v3"
	"golang.org/x/sys/unix"
)

func (a *app) specCommand() *cli.Command {
	return &cli.Command{
		Usage: "write a config.json to start from",
		Description: `It runs sh on a terminal, in namespaces of its own, on the read-only root file system rootfs of the bundle.
A file that is there is left alone.

   tare spec --bundle demo
   tare spec --rootless`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "bundle", Aliases: []string{"b"}, Usage: "the bundle is `DIR` (default: the working directory)"},
			&cli.StringFlag{Name: "file", Aliases: []string{"f"}, Value: spec.ConfigFile, Usage: "write `FILE`, relative to the bundle"},
			&cli.BoolFlag{Name: "rootless", Usage: "one that works without the host's root: with a user namespace that maps the caller"},
		},
		Action: func(_ context.Context, cmd *cli.Command) error {
			if err := wantArgs(cmd, 0, 0); err != nil {
				return err
			}
			return writeSpec(cmd.String("bundle"), cmd.String("file"), cmd.Bool("rootless"))
		},
	}
}

func writeSpec(bundle, file string, rootless bool) error {
	text, err := spec.SampleJSON(spec.SampleOptions{
		Rootless: rootless, CgroupV2: cgroupV2(), UID: uint32(os.Geteuid()), GID: uint32(os.Getegid()),
	})
	if err != nil {
		return err
	}
	path := file
	if !filepath.IsAbs(path) {
		path = filepath.Join(bundle, path)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		//lint:ignore ST1005 the sentence is known to scripts that call other runtimes
		return fmt.Errorf("File %s exists. Remove it first", file)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(append(text, '\n'))
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}

func cgroupV2() bool {
	var st unix.Statfs_t
	return unix.Statfs("/sys/fs/cgroup", &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC
}
