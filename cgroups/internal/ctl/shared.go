package ctl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// SetHugetlb limits one huge page size; file is how the version calls a limit
// ("max", "limit_in_bytes"). Reservations are limited too where the kernel
// can (5.7). The error begins with pageSize or limit.
func SetHugetlb(w *Journal, dir, size string, limit uint64, file string) error {
	prefix, value := "hugetlb."+size+".", strconv.FormatUint(limit, 10)
	if size == "" || strings.ContainsAny(size, "/.\x00") || !Has(dir, prefix+file) {
		return fmt.Errorf("pageSize: %q: this kernel has no such huge pages, or no hugetlb controller", size)
	}
	if err := w.Write(dir, prefix+"rsvd."+file, value); err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("limit: %w", err)
	}
	if err := w.Write(dir, prefix+file, value); err != nil {
		return fmt.Errorf("limit: %w", err)
	}
	return nil
}

// RdmaNames returns the device names in order.
func RdmaNames(m map[string]specs.LinuxRdma) []string { return slices.Sorted(maps.Keys(m)) }

// SetRdma limits one device; v1 and v2 share the file.
func SetRdma(w *Journal, dir, name string, l specs.LinuxRdma) error {
	line := name
	if l.HcaHandles != nil {
		line += " hca_handle=" + strconv.FormatUint(uint64(*l.HcaHandles), 10)
	}
	if l.HcaObjects != nil {
		line += " hca_object=" + strconv.FormatUint(uint64(*l.HcaObjects), 10)
	}
	if strings.ContainsAny(name, " \n\x00") || line == name {
		return fmt.Errorf("linux.resources.rdma[%q]: needs a device name and a limit", name)
	}
	if err := w.Write(dir, "rdma.max", line); err != nil {
		return fmt.Errorf("linux.resources.rdma[%q]: %w", name, err)
	}
	return nil
}

// UndoMkdir removes what MkdirAll has made: leaf with all below it if it is
// among made, and its parents while nobody else uses them.
func UndoMkdir(ctx context.Context, leaf string, made []string) error {
	var err error
	for i := len(made) - 1; i >= 0; i-- {
		if made[i] == leaf {
			err = Remove(ctx, leaf)
		} else if unix.Rmdir(made[i]) == unix.EBUSY {
			return err // another's child is in it, so in its parents too
		}
	}
	return err
}

// joinTries bounds how often Join meets a process too young to be moved.
const joinTries = 64

// Join writes pid to dir's cgroup.procs. EINVAL means that the process is not
// yet (or no longer) in a state to be moved; the kernel offers nothing to wait
// for, so it is tried again, giving way to others between.
func Join(dir string, pid int) error {
	if pid <= 0 {
		return fmt.Errorf("join cgroup %q: invalid pid %d", dir, pid)
	}
	value := strconv.Itoa(pid)
	for try := 0; ; try++ {
		err := Write(dir, "cgroup.procs", value)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINVAL) && try < joinTries:
			_, _ = unix.Poll(nil, min(try/4, 10))
		default:
			return fmt.Errorf("cgroup %q: %w", dir, err)
		}
	}
}
