package main

import (
	"errors"
	"fmt"
	"path/filepath"
)

var errNothingWorks = errors.New("no memory limit in reach works")

// measureLimits searches, for every runtime, the smallest linux.resources.memory.limit at which `run` of a
// program that ends at once works l.limits times of l.limits, and that at which a program waits in a
// container and `exec` of the other one works as often.
func (l *lab) measureLimits() ([]series, error) {
	b := book{mode: "limit"}
	for i := range l.runtimes {
		r := &l.runtimes[i]
		for _, op := range []struct {
			name  string
			works func(r *runtimeUnderTest, kib int) (bool, error)
		}{{"run", l.runsWith}, {"exec", l.execsWith}} {
			if r.onlyRun && op.name != "run" {
				continue
			}
			kib, err := smallest(func(kib int) (bool, error) { return op.works(r, kib) })
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", r.name, op.name, err)
			}
			b.of(op.name, r.name).kib = []int{kib}
		}
	}
	return b.series(), nil
}

// smallest goes up, in pages and from 1 MiB on in steps of an eighth, until a limit works; in KiB. Not by halves: what works
// at a limit need not work at each one above. From 256 KiB on the kernel charges 64 pages at once, for the CPU it is on, and
// on a busy machine gets them back from there too late.
func smallest(works func(kib int) (bool, error)) (int, error) {
	const page, most = 4, 65536 // KiB
	for kib := page; kib <= most; kib += max(page, kib/1024*128) {
		if ok, err := works(kib); ok || err != nil {
			return kib, err
		}
	}
	return 0, errNothingWorks
}

func (l *lab) runsWith(r *runtimeUnderTest, kib int) (bool, error) {
	dir := filepath.Join(l.work, r.name, "limit")
	if err := l.bundle(r, dir, "true", int64(kib)*1024); err != nil {
		return false, err
	}
	for range l.limits {
		if ok, err := l.succeeds(r, "run", "--bundle", dir, r.id); !ok {
			l.forget(r)
			return false, err
		}
	}
	return true, nil
}

func (l *lab) execsWith(r *runtimeUnderTest, kib int) (ok bool, err error) {
	dir := filepath.Join(l.work, r.name, "limit")
	if err := l.bundle(r, dir, "pause", int64(kib)*1024); err != nil {
		return false, err
	}
	defer func() {
		l.forget(r)
		_, e := orphans(0) // the container's init
		err = errors.Join(err, e)
	}()
	pidFile := filepath.Join(dir, "pid")
	if _, err := l.command(nil, r.path, "--root", r.stateRoot, "run", "--detach", "--pid-file", pidFile, "--bundle", dir, r.id); err != nil {
		return false, unlessFailed(err)
	}
	for range l.limits {
		if _, err := l.command(nil, r.path, "--root", r.stateRoot, "exec", r.id, "/bin/true"); err != nil {
			return false, unlessFailed(err)
		}
	}
	return true, nil
}

// succeeds runs the runtime and waits for all that it has left behind.
func (l *lab) succeeds(r *runtimeUnderTest, args ...string) (bool, error) {
	_, err := l.command(nil, append([]string{r.path, "--root", r.stateRoot}, args...)...)
	if _, e := orphans(0); e != nil {
		return false, e
	}
	return err == nil, unlessFailed(err)
}

// unlessFailed is nil for a command that ran and said no.
func unlessFailed(err error) error {
	var f *failure
	if errors.As(err, &f) {
		return nil
	}
	return err
}
