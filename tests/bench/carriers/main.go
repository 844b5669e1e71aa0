// Command carriers measures how the first steps of a container are best carried out: by a re-exec'd
// Go image, by a C constructor in it, or by a child that makes raw system calls and no second image.
// It must be linked statically (see run.sh) and run as root.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	_ "encoding/json" // with the next three, the weight of a real runtime's binary

	_ "github.com/cilium/ebpf/asm"
	seccomp "github.com/seccomp/libseccomp-golang"
	"github.com/urfave/cli/v3"

	"carriers/door"
)

type carrier struct {
	how  door.Carrier
	name string
}

func carriers() []carrier {
	return []carrier{
		{door.Go, "a: re-exec'd Go lane"},
		{door.Ctor, "b: re-exec'd C constructor"},
		{door.Vfork, "c: raw child, shared memory"},
		{door.Fork, "d: raw child, copied memory"},
	}
}

func main() {
	run := &cli.Command{
		Name:  "run",
		Usage: "measure and print Markdown tables",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "runs", Value: 400, Usage: "starts of each carrier"},
			&cli.DurationFlag{Name: "pause", Value: 50 * time.Millisecond, Usage: "pause before each lone start"},
			&cli.IntFlag{Name: "lone", Value: 300, Usage: "lone starts of each carrier (0: none)"},
			&cli.BoolFlag{Name: "limits", Value: true, Usage: "search the smallest memory and pids limits (cgroup v1)"},
		},
		Action: report,
	}
	app := &cli.Command{Name: "carriers", Usage: "who carries out the plan, by figures", Commands: []*cli.Command{run}}
	if err := app.Run(context.Background(), os.Args); err != nil {
		fmt.Fprintln(os.Stderr, "carriers:", err)
		os.Exit(1)
	}
}

func report(_ context.Context, c *cli.Command) error {
	b, err := newBundle()
	if err != nil {
		return err
	}
	defer b.remove()
	major, minor, micro := seccomp.GetLibraryVersion()
	st, err := os.Stat("/proc/self/exe")
	if err != nil {
		return err
	}
	fmt.Printf("Binary: %.1f MiB, static, cgo, libseccomp %d.%d.%d.\n\n", float64(st.Size())/(1<<20), major, minor, micro)
	if err := timeTable(b, "Back to back", c.Int("runs"), 0); err != nil {
		return err
	}
	if n := c.Int("lone"); n > 0 {
		if err := timeTable(b, fmt.Sprintf("Lone starts, %v apart", c.Duration("pause")), n, c.Duration("pause")); err != nil {
			return err
		}
	}
	if err := residentTable(b); err != nil {
		return err
	}
	if c.Bool("limits") {
		return limitTable(b)
	}
	return nil
}
