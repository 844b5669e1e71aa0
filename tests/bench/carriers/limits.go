package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"carriers/door"
)

const (
	memoryRoot = "/sys/fs/cgroup/memory"
	pidsRoot   = "/sys/fs/cgroup/pids"
	page       = 4096
	tries      = 15 // starts that must all work at a limit
)

// limitTable searches the smallest limits at which every start works.
func limitTable(b *bundle) error {
	for _, root := range []string{memoryRoot + "/memory.limit_in_bytes", pidsRoot + "/cgroup.procs"} {
		if _, err := os.Stat(root); err != nil {
			fmt.Println("Limits: skipped, they need the v1 memory and pids hierarchies:", err)
			return nil
		}
	}
	fmt.Printf("Smallest limits at which %d of %d starts work, cgroup v1 (/bin/true is a static C program):\n\n", tries, tries)
	fmt.Println("| carrier | memory, early join | memory, late join | pids.max, early | pids.max, late |")
	fmt.Println("| --- | --- | --- | --- | --- |")
	for _, c := range carriers() {
		fmt.Printf("| %s |", c.name)
		for _, late := range []bool{false, true} {
			n, err := smallest(func(n int) (bool, error) {
				return works(b, c.how, memoryRoot, "memory.limit_in_bytes", n*page, late)
			}, 8192)
			if err != nil {
				return err
			}
			fmt.Printf(" %d KiB |", n*page/1024)
		}
		for _, late := range []bool{false, true} {
			n, err := smallest(func(n int) (bool, error) { return works(b, c.how, pidsRoot, "pids.max", n, late) }, 32)
			if err != nil {
				return err
			}
			fmt.Printf(" %d |", n)
		}
		fmt.Println()
	}
	return nil
}

// smallest n in 1..limit for which ok holds, by halving and then by going up until it truly holds.
func smallest(ok func(int) (bool, error), limit int) (int, error) {
	lo, hi := 1, limit
	for lo < hi {
		n := (lo + hi) / 2
		good, err := ok(n)
		if err != nil {
			return 0, err
		}
		if good {
			hi = n
		} else {
			lo = n + 1
		}
	}
	for ; lo <= limit; lo++ {
		if good, err := ok(lo); good || err != nil {
			return lo, err
		}
	}
	return 0, errors.New("no limit in reach works")
}

// works says whether all tries succeed, each in a new cgroup with the limit.
func works(b *bundle, c door.Carrier, root, file string, limit int, late bool) (bool, error) {
	for range tries {
		good, err := worksOnce(b, c, root, file, limit, late)
		if !good || err != nil {
			return false, err
		}
	}
	return true, nil
}

func worksOnce(b *bundle, c door.Carrier, root, file string, limit int, late bool) (bool, error) {
	dir := filepath.Join(root, fmt.Sprintf("tare-carriers-%d", os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return false, err
	}
	defer removeCgroup(dir)
	if err := os.WriteFile(filepath.Join(dir, file), []byte(strconv.Itoa(limit)), 0); err != nil {
		return false, err
	}
	procs, err := unix.Open(filepath.Join(dir, "cgroup.procs"), unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, err
	}
	defer unix.Close(procs)
	o := options{early: []int{procs}}
	if late {
		o = options{meeting: func(pid int) error {
			_, err := unix.Write(procs, []byte(strconv.Itoa(pid)))
			return err
		}}
	}
	silenced, err := silence()
	if err != nil {
		return false, err
	}
	_, err = start(b, c, o)
	silenced()
	return err == nil, nil
}

// silence sends stderr, on which a Go runtime that finds no memory writes pages, to nowhere.
func silence() (undo func(), err error) {
	old, err := unix.FcntlInt(2, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, err
	}
	null, err := unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err == nil {
		err = unix.Dup3(null, 2, 0)
		unix.Close(null)
	}
	return func() { unix.Dup3(old, 2, 0); unix.Close(old) }, err
}

// removeCgroup removes dir; a process that was just reaped may hold it a moment longer.
func removeCgroup(dir string) {
	for range 1000 {
		if err := unix.Rmdir(dir); err != unix.EBUSY {
			return
		}
		time.Sleep(time.Millisecond)
	}
	fmt.Fprintln(os.Stderr, "carriers: left behind:", dir)
}
