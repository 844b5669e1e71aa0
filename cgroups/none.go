package cgroups

import (
	"context"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// None is the Manager that touches nothing (Kind Disabled). Its processes stay
// where they are; what needs a cgroup to work is ErrNotSupported.
type None struct{}

var _ Manager = None{}

func unsupported(what string) error {
	return fmt.Errorf("%s: cgroups are disabled: %w", what, ErrNotSupported)
}

// Config returns the Config of a disabled manager.
func (None) Config() Config { return Config{Kind: Disabled} }

// Paths is empty.
func (None) Paths() map[string]string { return nil }

// NeedsPID is false.
func (None) NeedsPID() bool { return false }

// Create does nothing.
func (None) Create(context.Context, CreateOptions) error { return nil }

// Undo does nothing.
func (None) Undo(context.Context) error { return nil }

// Destroy does nothing.
func (None) Destroy(context.Context) error { return nil }

// Exists is false.
func (None) Exists() bool { return false }

// Set ignores every limit, as its user asked, with a warning if there is one.
func (None) Set(_ context.Context, r *specs.LinuxResources) ([]string, error) {
	if r == nil || !hasLimits(r) {
		return nil, nil
	}
	return []string{"linux.resources: cgroups are disabled, no limit is applied"}, nil
}

func hasLimits(r *specs.LinuxResources) bool {
	return r.Memory != nil || r.CPU != nil || r.Pids != nil || r.BlockIO != nil || r.Network != nil ||
		len(r.HugepageLimits)+len(r.Rdma)+len(r.Unified) > 0
}

// Update is ErrNotSupported: a user who asks for a change wants it.
func (None) Update(context.Context, *specs.LinuxResources) ([]string, error) {
	return nil, unsupported("update")
}

// SetDevices does nothing.
func (None) SetDevices(context.Context, []specs.LinuxDeviceCgroup) ([]string, error) { return nil, nil }

// Join does nothing.
func (None) Join(int, Phase) error { return nil }

// FD is ErrNotSupported.
func (None) FD() (int, error) { return -1, unsupported("open cgroup") }

// Pids is ErrNotSupported.
func (None) Pids(bool) ([]int, error) { return nil, unsupported("list processes") }

// Kill is ErrNotSupported.
func (None) Kill(context.Context) error { return unsupported("kill") }

// Freeze is ErrNotSupported.
func (None) Freeze(context.Context) error { return unsupported("freeze") }

// Thaw is ErrNotSupported.
func (None) Thaw(context.Context) error { return unsupported("thaw") }

// Frozen is false.
func (None) Frozen() (bool, error) { return false, nil }

// Stat is ErrNotSupported.
func (None) Stat() (*Stats, error) { return nil, unsupported("stat") }

// StatOf is ErrNotSupported.
func (None) StatOf(StatSet) (*Stats, error) { return nil, unsupported("stat") }

// OOMKills is 0.
func (None) OOMKills() (uint64, error) { return 0, nil }

// WatchOOM is ErrNotSupported.
func (None) WatchOOM(context.Context, func(uint64)) error {
	return unsupported("watch for out of memory")
}
