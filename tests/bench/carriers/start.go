package main

import (
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"carriers/codec"
	"carriers/door"
)

// sample is what one start cost.
type sample struct {
	wall   time.Duration // spawn until reaped
	child  time.Duration // user and system time of the child
	parent time.Duration // of the thread that started and reaped it
}

// options of one start.
type options struct {
	early   []int               // cgroup.procs files the child joins first
	meeting func(pid int) error // if set, called while the child waits just before its execve
}

// start carries the bundle's plan once and fails unless /bin/true ran and exited with 0.
func start(b *bundle, c door.Carrier, o options) (sample, error) {
	plan := codec.Encode(b.steps(o.meeting != nil))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began, cpu := time.Now(), threadCPU()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return sample{}, err
	}
	slot := door.NewSlot(c, pair[1], plan, o.early)
	defer slot.Free()
	if c == door.Go || c == door.Ctor {
		if _, err := unix.Write(pair[0], plan); err != nil {
			return sample{}, err
		}
	}
	met := make(chan error, 1)
	if o.meeting != nil {
		go func() { met <- meet(pair[0], slot, o.meeting) }()
	}
	guard := time.AfterFunc(20*time.Second, func() {
		if pid := slot.PID(); pid > 0 {
			unix.Kill(pid, unix.SIGKILL)
		}
	})
	err = slot.Start()
	unix.Close(pair[1])
	var ws unix.WaitStatus
	var ru unix.Rusage
	if err == nil {
		for {
			_, err = unix.Wait4(slot.PID(), &ws, 0, &ru)
			if err != unix.EINTR {
				break
			}
		}
	}
	s := sample{wall: time.Since(began), parent: threadCPU() - cpu}
	s.child = time.Duration(ru.Utime.Nano() + ru.Stime.Nano())
	guard.Stop()
	if o.meeting != nil {
		if e := <-met; err == nil {
			err = e
		}
	}
	if err == nil && ws != 0 {
		err = fmt.Errorf("child ended with %#x, says %v", int(ws), lastWords(pair[0]))
	}
	unix.Close(pair[0])
	return s, err
}

// meet waits for the child at its barrier, calls f, and lets it go on.
func meet(sock int, slot *door.Slot, f func(int) error) error {
	var m [3]byte
	n, err := read(sock, m[:])
	if err != nil || n != 1 || m[0] != 'r' {
		return fmt.Errorf("the child did not reach the barrier: %v %v", m[:max(n, 0)], err)
	}
	err = f(slot.PID())
	if _, e := unix.Write(sock, []byte("g")); err == nil && e != nil {
		err = os.NewSyscallError("write", e)
	}
	return err
}

func read(fd int, b []byte) (n int, err error) {
	for {
		if n, err = unix.Read(fd, b); err != unix.EINTR {
			return n, err
		}
	}
}

func lastWords(sock int) string {
	var m [3]byte
	n, _, _ := unix.Recvfrom(sock, m[:], unix.MSG_DONTWAIT)
	if n == 3 && m[0] == 'e' {
		return fmt.Sprintf("step %d: %v", m[1], unix.Errno(m[2]))
	}
	return "nothing"
}

func threadCPU() time.Duration {
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
