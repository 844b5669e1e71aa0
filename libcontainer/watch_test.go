package libcontainer

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"tare/cgroups"
)

// deafManager is a manager whose watch does not see the container end.
type deafManager struct {
	cgroups.None
	kills  atomic.Uint64
	events []uint64 // what it tells about before it waits
	then   func()   // called after that
	err    error
}

func (m *deafManager) OOMKills() (uint64, error) { return m.kills.Load(), nil }

func (m *deafManager) WatchOOM(ctx context.Context, notify func(uint64)) error {
	if m.err != nil {
		return m.err
	}
	for _, e := range m.events {
		notify(e)
	}
	m.then()
	<-ctx.Done()
	return ctx.Err()
}

func TestWatchOOMFollowsTheInit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		events []uint64 // told during the watch
		kills  uint64   // at the end; 3 at the start
		want   []uint64
	}{
		{"nothing happens", nil, 3, nil},
		{"the last kill was not told", nil, 4, []uint64{4}},
		{"told before the victim was counted", []uint64{3}, 4, []uint64{3}},
		{"told with the victim", []uint64{4}, 4, []uint64{4}},
		{"one told, two happened", []uint64{4}, 5, []uint64{4, 5}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd, pidfd := sleeper(t)
			m := &deafManager{events: tt.events}
			m.kills.Store(3)
			m.then = func() {
				m.kills.Store(tt.kills)
				cmd.Process.Kill()
			}
			var got []uint64
			if err := (&loaded{mgr: m}).watchOOM(context.Background(), pidfd, func(o OOM) { got = append(got, o.Kills) }); err != nil {
				t.Error(err)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("told %v, want %v", got, tt.want)
			}
		})
	}
}

func sleeper(t *testing.T) (*exec.Cmd, int) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	pidfd, err := unix.PidfdOpen(cmd.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(pidfd) })
	return cmd, pidfd
}

func TestWatchOOMEndsEarly(t *testing.T) {
	t.Parallel()
	_, pidfd := sleeper(t)
	reason := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	m := &deafManager{then: func() { cancel(reason) }}
	if err := (&loaded{mgr: m}).watchOOM(ctx, pidfd, func(OOM) {}); err != reason {
		t.Errorf("cancelled: %v", err)
	}
	m.err = cgroups.ErrNotSupported
	if err := (&loaded{mgr: m}).watchOOM(context.Background(), pidfd, func(OOM) {}); err != ErrNoOOM {
		t.Errorf("without the controller: %v", err)
	}
	m.err = unix.EIO
	if err := (&loaded{mgr: m}).watchOOM(context.Background(), pidfd, func(OOM) {}); err != unix.EIO {
		t.Errorf("a real error: %v", err)
	}
}
