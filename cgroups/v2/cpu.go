package v2

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"tare/cgroups"
	"tare/cgroups/internal/ctl"
)

const atCPU = "linux.resources.cpu."

func isCPUSet(r *specs.LinuxResources) bool {
	c := r.CPU
	return c != nil && (c.Idle != nil || set(c.Shares) || set(c.Quota) || set(c.Period) || c.Burst != nil)
}

// set reports whether v is there and not 0, which counts as unset.
func set[T int64 | uint64](v *T) bool { return v != nil && *v != 0 }

func setCPU(w *ctl.Journal, dir string, r *specs.LinuxResources) error {
	c := r.CPU
	if err := cgroups.CheckBurst(c.Burst, c.Quota); err != nil {
		return err
	}
	if err := setIdleWeight(w, dir, c); err != nil {
		return err
	}
	burst := ""
	if c.Burst != nil {
		burst = strconv.FormatUint(*c.Burst, 10)
		// A burst above the present quota is refused: then the new quota comes first.
		err := writeBurst(w, dir, burst)
		if err == nil {
			burst = ""
		} else if !errors.Is(err, unix.EINVAL) || !set(c.Quota) {
			return err
		}
	}
	if err := setQuota(w, dir, c); err != nil {
		return err
	}
	if burst != "" {
		return writeBurst(w, dir, burst)
	}
	return nil
}

// setIdleWeight writes cpu.idle before the weight, which an idle cgroup
// refuses to have.
func setIdleWeight(w *ctl.Journal, dir string, c *specs.LinuxCPU) error {
	if c.Idle != nil {
		err := w.Write(dir, "cpu.idle", strconv.FormatInt(*c.Idle, 10))
		if err != nil && !(*c.Idle == 0 && errors.Is(err, unix.ENOENT)) { // since Linux 5.15
			return fmt.Errorf(atCPU+"idle: %w", err)
		}
		if *c.Idle == 1 {
			return nil
		}
	}
	if set(c.Shares) {
		if err := w.Write(dir, "cpu.weight", strconv.FormatUint(cgroups.CPUWeight(*c.Shares), 10)); err != nil {
			return fmt.Errorf(atCPU+"shares: %w", err)
		}
	}
	return nil
}

func writeBurst(w *ctl.Journal, dir, value string) error {
	err := w.Write(dir, "cpu.max.burst", value)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf(atCPU+"burst: %w", err)
	}
	return nil
}

// setQuota writes cpu.max whole; of quota and period the one not given keeps
// its present value.
func setQuota(w *ctl.Journal, dir string, c *specs.LinuxCPU) error {
	if !set(c.Quota) && !set(c.Period) {
		return nil
	}
	at := atCPU + "quota"
	if !set(c.Quota) {
		at = atCPU + "period"
	}
	now, err := ctl.Line(dir, "cpu.max")
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	quota, period, err := parseCPUMax(now)
	if err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	if set(c.Quota) {
		quota = cgroups.Limit(*c.Quota)
	}
	if set(c.Period) {
		period = strconv.FormatUint(*c.Period, 10)
	}
	if err := w.Write(dir, "cpu.max", quota+" "+period); err != nil {
		return fmt.Errorf("%s: %w", at, err)
	}
	return nil
}

// parseCPUMax takes cpu.max, "QUOTA PERIOD", apart. Both stay as they are
// written: one of them goes back.
func parseCPUMax(text string) (quota, period string, err error) {
	quota, period, ok := strings.Cut(text, " ")
	_, qerr := ctl.ParseUint(quota)
	_, perr := ctl.ParseUint(period)
	if !ok || qerr != nil || perr != nil {
		return "", "", fmt.Errorf("cpu.max %q: %w", text, ctl.ErrFormat)
	}
	return quota, period, nil
}
