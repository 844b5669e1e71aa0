package cli

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"tare/libcontainer"

	"github.com/urfave/cli/v3"
)

func (a *app) eventsCommand() *cli.Command {
	return &cli.Command{
		Usage:     "print what a container uses, and when it runs out of memory",
		ArgsUsage: "ID",
		Description: `One JSON object on a line for each event: {"type":"stats","id":ID,"data":{...}} at once and then in each
interval, {"type":"oom","id":ID,"data":{...}} when memory ran out; its data tell the level: whether it was the limit
of the container's own cgroup, of one "below", of an "ancestor", or, "outside", none of these. Ends with the container.

   tare events first
   tare events --interval 500ms first
   tare events --stats first         # once`,
		Flags: []cli.Flag{
			&cli.DurationFlag{Name: "interval", Value: 5 * time.Second, Usage: "print the statistics each `DURATION` (5s, 500ms)"},
			&cli.BoolFlag{Name: "stats", Usage: "print the statistics once, and no other events"},
		},
		Action: func(ctx context.Context, cmd *cli.Command) error {
			c, err := a.load(cmd)
			if err != nil {
				return err
			}
			interval := cmd.Duration("interval")
			if interval <= 0 {
				return fmt.Errorf("--interval %v: must be above 0", interval)
			}
			e := &eventPrinter{a: a, c: c}
			if err := e.stats(); err != nil || cmd.Bool("stats") {
				return err
			}
			return e.run(ctx, interval)
		},
	}
}

// event is one line of the output.
type event struct {
	Type string `json:"type"`
	ID   string `json:"id"`
	Data any    `json:"data"` // *libcontainer.Stats or libcontainer.OOM
}

type eventPrinter struct {
	a  *app
	c  *libcontainer.Container
	mu sync.Mutex // events are found by two goroutines
}

func (e *eventPrinter) print(ev event) error {
	ev.ID = e.c.ID()
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.a.printJSON(ev, "")
}

func (e *eventPrinter) stats() error {
	s, err := e.c.Stats()
	if err != nil {
		return err
	}
	return e.print(event{Type: "stats", Data: s})
}

// run prints until the container stops.
func (e *eventPrinter) run(ctx context.Context, interval time.Duration) error {
	ctx, cancel := context.WithCancel(ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- e.watch(ctx) }()
	err := e.every(interval, stopped)
	cancel()
	return err
}

// watch prints the oom events until the container stops.
func (e *eventPrinter) watch(ctx context.Context) error {
	err := e.c.WatchOOM(ctx, func(o libcontainer.OOM) {
		if err := e.print(event{Type: "oom", Data: o}); err != nil {
			e.a.warn(fmt.Sprintf("print an oom event: %v", err))
		}
	})
	switch {
	case errors.Is(err, libcontainer.ErrNoOOM):
		e.a.warn(err.Error())
		return e.c.WaitStopped(ctx)
	case gone(err):
		return nil
	}
	return err
}

func (e *eventPrinter) every(interval time.Duration, stopped <-chan error) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case err := <-stopped:
			return err
		case <-tick.C:
			if err := e.stats(); gone(err) {
				return <-stopped // the last oom event comes first
			} else if err != nil {
				return err
			}
		}
	}
}

// gone tells whether the container has ended, which is the usual end of the events.
func gone(err error) bool {
	return errors.Is(err, libcontainer.ErrStatus) || errors.Is(err, libcontainer.ErrNotFound)
}
