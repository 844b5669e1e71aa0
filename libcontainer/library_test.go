package libcontainer_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"tare/libcontainer"
)

// process is what a library must leave alone.
type processState struct {
	cwd, namespaces, env string
	umask                int
	fds                  []string
	caught               string
}

func look(t *testing.T) processState {
	t.Helper()
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	p := processState{cwd: cwd, env: strings.Join(os.Environ(), "\x00")}
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{"mnt", "net", "pid", "pid_for_children", "user", "uts", "ipc", "cgroup", "time_for_children"} {
		var seen []string
		for _, task := range tasks {
			link, err := os.Readlink(filepath.Join("/proc/self/task", task.Name(), "ns", ns))
			if err == nil && !slices.Contains(seen, link) { // a thread may end meanwhile
				seen = append(seen, link)
			}
		}
		p.namespaces += fmt.Sprintln(ns, seen)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "SigCgt") || strings.HasPrefix(line, "SigIgn") {
			p.caught += line
		}
		if strings.HasPrefix(line, "Umask:") {
			fmt.Sscanf(line, "Umask: %o", &p.umask)
		}
	}
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		link, err := os.Readlink("/proc/self/fd/" + fd.Name())
		if err == nil && !strings.HasSuffix(link, "/fd") && !strings.HasPrefix(link, "anon_inode:[event") {
			p.fds = append(p.fds, link)
		}
	}
	slices.Sort(p.fds)
	return p
}

// TestHundredGoroutines creates, starts, enters, and deletes containers from a hundred goroutines, and
// sees that the process around the library is what it was.
func TestHundredGoroutines(t *testing.T) {
	const goroutines = 100
	signal.Notify(make(chan os.Signal, 1), unix.SIGUSR2) // something to lose
	ctx := bounded(t)
	rt, err := libcontainer.New(libcontainer.Config{Root: filepath.Join(t.TempDir(), "state"),
		Warn: func(msg string) { t.Errorf("warning: %s", msg) }})
	if err != nil {
		t.Fatal(err)
	}
	before := look(t)
	// The machine has few processors: so many work at a time, all are there at once.
	turn := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for i := range goroutines {
		wg.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			if err := wholeLife(ctx, rt, fmt.Sprintf("c%d", i)); err != nil {
				t.Errorf("container %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	after := look(t)
	if after.cwd != before.cwd || after.env != before.env || after.umask != before.umask ||
		after.namespaces != before.namespaces || after.caught != before.caught || !slices.Equal(after.fds, before.fds) {
		t.Errorf("the process has changed:\nbefore %+v\nafter  %+v", before, after)
	}
	left, err := rt.List()
	if err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	if _, err := unix.Wait4(-1, nil, unix.WNOHANG, nil); err != unix.ECHILD {
		t.Errorf("there are children left: %v", err)
	}
}

func wholeLife(ctx context.Context, rt *libcontainer.Runtime, id string) (err error) {
	in, hold, err := os.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	defer hold.Close()
	c, err := rt.Create(ctx, id, libcontainer.CreateOptions{Bundle: bundle, Spec: testSpec(id, "/bin/hello", "wait"),
		IO: libcontainer.IO{Stdin: in}})
	if err != nil {
		return err
	}
	defer func() {
		if derr := c.Delete(ctx, true); err == nil {
			err = derr
		}
	}()
	if err := c.Start(ctx); err != nil {
		return err
	}
	p, err := c.Process()
	if err != nil {
		return err
	}
	p.Args = []string{"/bin/hello"}
	x, err := c.Exec(ctx, libcontainer.ExecOptions{Process: p})
	if err != nil {
		return err
	}
	defer x.Close()
	if status, err := x.Wait(ctx); err != nil || status.Code != 0 {
		return fmt.Errorf("exec: %+v, %w", status, err)
	}
	hold.Close()
	if status, err := c.Wait(ctx); err != nil || status.Code != 0 {
		return fmt.Errorf("init: %+v, %w", status, err)
	}
	return nil
}

// Every wait can be ended.
func TestCancelledCreateLeavesNothing(t *testing.T) {
	ctx := bounded(t)
	rt, err := libcontainer.New(libcontainer.Config{Root: filepath.Join(t.TempDir(), "state")})
	if err != nil {
		t.Fatal(err)
	}
	s := testSpec("cancelled", "/bin/hello")
	began := filepath.Join(t.TempDir(), "began")
	s.Hooks = slowHooks(began)
	short, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // until the hook runs, or the case is over
		for short.Err() == nil {
			if _, err := os.Stat(began); err == nil {
				cancel()
			}
			time.Sleep(time.Millisecond)
		}
	}()
	_, err = rt.Create(short, "cancelled", libcontainer.CreateOptions{Bundle: bundle, Spec: s})
	if err == nil || !strings.Contains(err.Error(), "hooks.createRuntime[0]") {
		t.Fatalf("got %v, expected the hook that was waited for", err)
	}
	if left, err := rt.List(); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
}
