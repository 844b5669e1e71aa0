package state

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The pauses between two tries at a lock that another process holds. flock(2) can be waited for
// without asking again only by a thread that nothing can call back, so it is asked for: the errno
// is EWOULDBLOCK, the bound is the context.
const (
	firstPause   = time.Millisecond
	longestPause = 20 * time.Millisecond
)

// Lock takes the container's lock, and waits for whoever has it until ctx ends; the error then says
// who that is. ErrNotFound when the container was removed meanwhile. The lock is held until Close.
func (d *Dir) Lock(ctx context.Context) error {
	pause := firstPause
	for {
		if held, err := d.TryLock(); held || err != nil {
			return err
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return fmt.Errorf("flock %q: locked by %s: %w", d.path, d.holder(), context.Cause(ctx))
		case <-t.C:
		}
		pause = min(2*pause, longestPause)
	}
}

// TryLock is Lock without a wait: false when somebody else holds it.
func (d *Dir) TryLock() (held bool, err error) {
	for {
		err := unix.Flock(d.fd, unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			err = d.stillThere()
			return err == nil, err
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, fmt.Errorf("flock %q: %w", d.path, err)
		}
	}
}

// Unlock lets others go on before Close does.
func (d *Dir) Unlock() { unix.Flock(d.fd, unix.LOCK_UN) }

// stillThere makes sure that the lock is one on the container and not on what a delete has left.
func (d *Dir) stillThere() error {
	ok, err := d.linked()
	if err == nil && !ok {
		err = ErrNotFound
	}
	return err
}

// holder describes the process that has the lock, as far as /proc tells.
func (d *Dir) holder() string {
	pid := d.holderPid()
	if pid <= 0 {
		return "another process"
	}
	who := "process " + strconv.Itoa(pid)
	cmd, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil || len(cmd) == 0 {
		return who
	}
	return fmt.Sprintf("%s %q", who, strings.Join(strings.Split(strings.TrimRight(string(cmd), "\x00"), "\x00"), " "))
}

// holderPid looks the lock up in proc_locks(5): `1: FLOCK  ADVISORY  WRITE 708 08:01:13457 0 EOF`.
func (d *Dir) holderPid() int {
	var st unix.Stat_t
	if err := unix.Fstat(d.fd, &st); err != nil {
		return 0
	}
	f, err := os.Open("/proc/locks")
	if err != nil {
		return 0
	}
	defer f.Close()
	ino := ":" + strconv.FormatUint(st.Ino, 10)
	for s := bufio.NewScanner(f); s.Scan(); {
		w := strings.Fields(s.Text())
		if len(w) < 6 || w[1] != "FLOCK" || !strings.HasSuffix(w[5], ino) {
			continue
		}
		if pid, err := strconv.Atoi(w[4]); err == nil {
			return pid
		}
	}
	return 0
}
