package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"

	"tare/internal/spec"
	"tare/internal/tty"
	"tare/libcontainer"

	"github.com/opencontainers/runtime-spec/specs-go"
	"github.com/urfave/cli/v3"
)

func (a *app) updateCommand() *cli.Command {
	return &cli.Command{
		Usage:     "change the limits of a container",
		ArgsUsage: "ID",
		Description: `What is not given stays as it is; amounts of memory, shares, weights, quotas and periods of 0 count as
not given. BYTES is a number such as 512m or 1.5g (b, k, m, g, t and p are of 1024), or -1 for no limit. A
limit of memory below what is in use is refused. When a value is refused, what held before holds again.
FILE holds the object linux.resources of config.json, as far as it is to change.

   tare update --memory 512m --memory-swap 1g --pids-limit 200 first
   tare update --cpu-quota 50000 --cpu-period 100000 first
   echo '{"cpu":{"shares":512}}' | tare update --resources - first`,
		Flags: updateFlags(),
		Action: func(ctx context.Context, cmd *cli.Command) error {
			c, err := a.load(cmd)
			if err != nil {
				return err
			}
			o, err := a.updateOptions(cmd)
			if err != nil {
				return err
			}
			ctx, stop := tty.Interruptible(ctx)
			defer stop()
			return c.UpdateWith(ctx, *o)
		},
	}
}

func updateFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "resources", Aliases: []string{"r"}, Usage: "read the limits from `FILE` (- is the standard input); limits given by other options do not count then"},
		&cli.StringFlag{Name: "memory", Usage: "limit memory to `BYTES`"},
		&cli.StringFlag{Name: "memory-reservation", Usage: "`BYTES` of memory that are reclaimed last"},
		&cli.StringFlag{Name: "memory-swap", Usage: "limit memory and swap together to `BYTES`"},
		&cli.StringFlag{Name: "pids-limit", Usage: "limit the number of tasks to `N`, -1 is no limit"},
		&cli.StringFlag{Name: "cpu-share", Usage: "weight among other containers: `SHARES` from 2 to 262144, of which 1024 is usual"},
		&cli.StringFlag{Name: "cpu-quota", Usage: "`MICROSECONDS` of processor time in each period, -1 is no limit"},
		&cli.StringFlag{Name: "cpu-period", Usage: "length of a period in `MICROSECONDS`"},
		&cli.StringFlag{Name: "cpu-burst", Usage: "`MICROSECONDS` that may be saved up for use above the quota"},
		&cli.StringFlag{Name: "cpu-rt-runtime", Usage: "`MICROSECONDS` of real-time scheduling in each real-time period"},
		&cli.StringFlag{Name: "cpu-rt-period", Usage: "length of a real-time period in `MICROSECONDS`"},
		&cli.StringFlag{Name: "cpu-idle", Usage: "`FLAG` 1 runs the container only when nothing else wants to, 0 as usual"},
		&cli.StringFlag{Name: "cpuset-cpus", Usage: "run on the processors `LIST` (0-3,7)"},
		&cli.StringFlag{Name: "cpuset-mems", Usage: "take memory from the nodes `LIST`"},
		&cli.StringFlag{Name: "blkio-weight", Usage: "weight for block devices: `WEIGHT` from 10 to 1000"},
		&cli.StringFlag{Name: "l3-cache-schema", Usage: "`SCHEMA` of the L3 cache, as linux.intelRdt.l3CacheSchema"},
		&cli.StringFlag{Name: "mem-bw-schema", Usage: "`SCHEMA` of the memory bandwidth, as linux.intelRdt.memBwSchema"},
		&cli.StringFlag{Name: "kernel-memory", Usage: "obsolete: kernels have no such limit (`BYTES`) any more"},
		&cli.StringFlag{Name: "kernel-memory-tcp", Usage: "obsolete: kernels have no such limit (`BYTES`) any more"},
	}
}

func (a *app) updateOptions(cmd *cli.Command) (*libcontainer.UpdateOptions, error) {
	o := &libcontainer.UpdateOptions{L3CacheSchema: cmd.String("l3-cache-schema"), MemBwSchema: cmd.String("mem-bw-schema")}
	var err error
	if cmd.IsSet("resources") {
		o.Resources, err = readResources(cmd.String("resources"), os.Stdin)
		return o, err
	}
	for _, name := range []string{"kernel-memory", "kernel-memory-tcp"} {
		if cmd.IsSet(name) {
			a.warn("--" + name + ": obsolete, ignored")
		}
	}
	o.Resources, err = resourcesOf(func(name string) (string, bool) { return cmd.String(name), cmd.IsSet(name) })
	return o, err
}

func readResources(file string, stdin io.Reader) (*specs.LinuxResources, error) {
	if file == "-" {
		return spec.LoadResources(stdin)
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("--resources: %w", err)
	}
	defer f.Close()
	r, err := spec.LoadResources(f)
	if err != nil {
		return nil, fmt.Errorf("--resources %q: %w", file, err)
	}
	return r, nil
}

// limitFlags reads flags one after the other and keeps the first error.
type limitFlags struct {
	get func(name string) (text string, given bool)
	err error
}

// resourcesOf makes the limits of the flags that were given.
func resourcesOf(get func(name string) (string, bool)) (*specs.LinuxResources, error) {
	f := &limitFlags{get: get}
	memory := specs.LinuxMemory{
		Limit: f.number("memory", parseBytes), Reservation: f.number("memory-reservation", parseBytes), Swap: f.number("memory-swap", parseBytes),
	}
	cpu := specs.LinuxCPU{
		Shares: f.unsigned("cpu-share"), Quota: f.number("cpu-quota", parseInteger), Period: f.unsigned("cpu-period"),
		Burst: f.unsigned("cpu-burst"), RealtimeRuntime: f.number("cpu-rt-runtime", parseInteger), RealtimePeriod: f.unsigned("cpu-rt-period"),
		Idle: f.number("cpu-idle", parseInteger),
	}
	cpu.Cpus, _ = get("cpuset-cpus")
	cpu.Mems, _ = get("cpuset-mems")
	r := new(specs.LinuxResources)
	if memory != (specs.LinuxMemory{}) {
		r.Memory = &memory
	}
	if cpu != (specs.LinuxCPU{}) {
		r.CPU = &cpu
	}
	if n := f.number("pids-limit", parseInteger); n != nil {
		r.Pids = &specs.LinuxPids{Limit: n}
	}
	if w := f.unsigned("blkio-weight"); w != nil {
		if *w > math.MaxUint16 {
			f.fail("blkio-weight", strconv.FormatUint(*w, 10), errors.New("not a weight from 10 to 1000"))
		}
		r.BlockIO = &specs.LinuxBlockIO{Weight: new(uint16(*w))}
	}
	return r, f.err
}

func (f *limitFlags) fail(name, text string, err error) {
	if f.err == nil {
		f.err = fmt.Errorf("--%s %q: %w", name, text, err)
	}
}

// text is the flag's value. Scripts pass on empty ones of what they were not told; runc ignores them but
// for its two flags of whole numbers.
func (f *limitFlags) text(name string) (text string, given bool) {
	text, given = f.get(name)
	return text, given && (text != "" || name == "pids-limit" || name == "blkio-weight")
}

func (f *limitFlags) number(name string, parse func(string) (int64, error)) *int64 {
	text, given := f.text(name)
	if !given {
		return nil
	}
	n, err := parse(text)
	if err != nil {
		f.fail(name, text, err)
	}
	return &n
}

func (f *limitFlags) unsigned(name string) *uint64 {
	text, given := f.text(name)
	if !given {
		return nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		f.fail(name, text, errors.New("not a number, or too large a one"))
	}
	return &n
}

func parseInteger(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, errors.New("not a number, or too large a one")
	}
	return n, nil
}

// parseBytes reads an amount of memory: -1, or a number (1.5 is one, too) with b, k, m, g, t or p behind
// it, in upper or lower case, which may be followed by b or ib.
func parseBytes(text string) (int64, error) {
	if text == "-1" {
		return -1, nil
	}
	number := strings.TrimRight(text, "bBkKmMgGtTpPiI")
	var shift uint
	switch strings.ToLower(text[len(number):]) {
	case "", "b":
	case "k", "kb", "kib":
		shift = 10
	case "m", "mb", "mib":
		shift = 20
	case "g", "gb", "gib":
		shift = 30
	case "t", "tb", "tib":
		shift = 40
	case "p", "pb", "pib":
		shift = 50
	default:
		return 0, errors.New("unknown unit (b, k, m, g, t or p)")
	}
	number = strings.TrimSuffix(number, " ")
	if strings.Trim(number, "0123456789.") != "" {
		return 0, errNoBytes
	}
	if strings.Contains(number, ".") {
		f, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return 0, errNoBytes
		}
		if f = math.Ldexp(f, int(shift)); f >= 1<<63 {
			return 0, errors.New("too large")
		}
		return int64(f), nil
	}
	n, err := strconv.ParseUint(number, 10, 63)
	if err != nil {
		return 0, errNoBytes
	}
	if n > math.MaxInt64>>shift {
		return 0, errors.New("too large")
	}
	return int64(n << shift), nil
}

var errNoBytes = errors.New("not a number of bytes, which may end in b, k, m, g, t or p")
