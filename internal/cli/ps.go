package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v3"
)

func (a *app) psCommand() *cli.Command {
	return &cli.Command{
		Usage:     "list the processes of a container",
		ArgsUsage: "ID [PS-ARGUMENT...]",
		Description: `Pids are those of the host. The table is what ps(1) prints, with the arguments given (default -ef), of
the processes of the container; the arguments must leave a column PID.

   tare ps first
   tare ps first -o pid,rss,args
   tare ps --format json first       # [4711,4712]`,
		StopOnNthArg: new(1),
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "table", Usage: "`FORM` of the list: table or json"},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if err := wantArgs(cmd, 1, -1); err != nil {
				return err
			}
			format := cmd.String("format")
			if err := wantFormat(format); err != nil {
				return err
			}
			rt, err := a.runtime()
			if err != nil {
				return err
			}
			c, err := rt.Load(cmd.Args().First())
			if err != nil {
				return err
			}
			pids, err := c.Processes()
			if err != nil {
				return err
			}
			if format == "json" {
				return a.printJSON(append([]int{}, pids...), "")
			}
			return a.ps(ctx, pids, psArgs(cmd.Args().Tail()))
		},
	}
}

// psArgs: engines pass all arguments in one string.
func psArgs(args []string) []string {
	if len(args) == 1 {
		args = strings.Fields(args[0])
	}
	if len(args) == 0 {
		return []string{"-ef"}
	}
	return args
}

func (a *app) ps(ctx context.Context, pids []int, args []string) error {
	if err := sealDescriptors(); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "ps", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	// ps ends with 1 when it has found no process; a header is then all it has to say.
	if err != nil && len(out) == 0 {
		return fmt.Errorf("ps %s: %w: %s", strings.Join(args, " "), err, bytes.TrimSpace(stderr.Bytes()))
	}
	table, err := filterPS(string(out), pids)
	if err != nil {
		return err
	}
	_, err = a.stdout.Write([]byte(table))
	return err
}

// filterPS keeps the header of ps's table and the lines whose PID is one of pids.
func filterPS(table string, pids []int) (string, error) {
	header, rest, _ := strings.Cut(table, "\n")
	column := slices.Index(strings.Fields(header), "PID")
	if column < 0 {
		return "", errors.New("the output of ps has no column PID")
	}
	var b strings.Builder
	b.WriteString(header + "\n")
	for line := range strings.Lines(rest) {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		if len(fields) <= column {
			return "", fmt.Errorf("the output of ps has a line without PID: %q", line)
		}
		pid, err := strconv.Atoi(fields[column])
		if err != nil {
			return "", fmt.Errorf("the output of ps has the PID %q", fields[column])
		}
		if slices.Contains(pids, pid) {
			b.WriteString(strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	return b.String(), nil
}
