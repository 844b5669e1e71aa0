package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"tare/libcontainer"

	"github.com/urfave/cli/v3"
)

func (a *app) stateCommand() *cli.Command {
	return &cli.Command{
		Usage:     "print the state of a container as JSON",
		ArgsUsage: "ID",
		Description: `Statuses: creating, created, running, paused, stopped. pid is 0 when it is stopped.

   tare state first`,
		Action: func(_ context.Context, cmd *cli.Command) error {
			c, err := a.load(cmd)
			if err != nil {
				return err
			}
			st, err := c.State()
			if err != nil {
				return err
			}
			return a.printJSON(st, "  ")
		},
	}
}

// printJSON prints v and a line break; indent "" is for programs, on one line.
func (a *app) printJSON(v any, indent string) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(v); err != nil {
		return err
	}
	_, err := a.stdout.Write(b.Bytes())
	return err
}

func (a *app) listCommand() *cli.Command {
	return &cli.Command{
		Usage: "list containers",
		Description: `   tare list
   tare list --format json
   tare list --quiet        # ids alone`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "table", Usage: "`FORM` of the list: table or json"},
			&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Usage: "print ids alone"},
		},
		Action: func(_ context.Context, cmd *cli.Command) error {
			if err := wantArgs(cmd, 0, 0); err != nil {
				return err
			}
			return a.list(cmd.String("format"), cmd.Bool("quiet"))
		},
	}
}

func (a *app) list(format string, quiet bool) error {
	if err := wantFormat(format); err != nil {
		return err
	}
	rt, err := a.runtime()
	if err != nil {
		return err
	}
	all, err := rt.List()
	if err != nil {
		return err
	}
	var states []*libcontainer.State // nil, and so `null`, when there is none: engines know that
	for _, c := range all {
		st, err := c.State()
		if errors.Is(err, libcontainer.ErrNotFound) {
			continue // deleted meanwhile
		}
		if err != nil {
			fmt.Fprintf(a.stderr, "tare: list: %v\n", err)
			continue
		}
		states = append(states, st)
	}
	if quiet {
		for _, st := range states {
			fmt.Fprintln(a.stdout, st.ID)
		}
		return nil
	}
	if format == "json" {
		return a.printJSON(states, "")
	}
	return a.table(states)
}

func wantFormat(format string) error {
	if format != "table" && format != "json" {
		return fmt.Errorf("--format %q: not one of table, json", format)
	}
	return nil
}

func (a *app) table(states []*libcontainer.State) error {
	w := tabwriter.NewWriter(a.stdout, 12, 1, 3, ' ', 0)
	fmt.Fprintln(w, "ID\tPID\tSTATUS\tBUNDLE\tCREATED\tOWNER")
	for _, s := range states {
		fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\t%s\n", s.ID, s.Pid, s.Status, s.Bundle, s.Created.Format(time.RFC3339Nano), s.Owner)
	}
	return w.Flush()
}
