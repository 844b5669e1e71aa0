package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// eachOther calls f for every process but the own one, again and again, until TERM.
func eachOther(f func(pid int)) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM)
	fmt.Println("ready")
	for {
		select {
		case <-stop:
			os.Exit(0)
		default:
		}
		names, _ := os.ReadDir("/proc")
		for _, n := range names {
			if pid, err := strconv.Atoi(n.Name()); err == nil && pid != os.Getpid() {
				f(pid)
			}
		}
	}
}

// foreign tells the program link of a process that does not run a program of the container's root.
func foreign(pid int) (string, bool) {
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	return link, err == nil && !strings.HasPrefix(link, "/bin/") && !strings.HasPrefix(link, "/testprog")
}

// exeWatch tries to overwrite the program of every foreign process that it sees, also when that has ended (while it
// runs the kernel says ETXTBSY).
func exeWatch() {
	eachOther(func(pid int) {
		link, ok := foreign(pid)
		fd, err := unix.Open(fmt.Sprintf("/proc/%d/exe", pid), unix.O_PATH|unix.O_CLOEXEC, 0)
		if !ok || err != nil {
			return
		}
		defer unix.Close(fd)
		fmt.Println("SAW", link)
		for range 500 {
			w, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_WRONLY|unix.O_CLOEXEC, 0)
			if err == nil {
				_, err = unix.Write(w, []byte("overwritten"))
				unix.Close(w)
			}
			if err == nil {
				fmt.Println("WROTE", link)
				return
			}
			if err != unix.ETXTBSY {
				fmt.Println("REFUSED", err)
				return
			}
			time.Sleep(time.Millisecond)
		}
	})
}

// ptracer opens the memory of every foreign process that appears, which takes the right to ptrace it.
func ptracer() {
	eachOther(func(pid int) {
		link, ok := foreign(pid)
		fd, err := unix.Open(fmt.Sprintf("/proc/%d/mem", pid), unix.O_RDWR|unix.O_CLOEXEC, 0)
		if err != nil {
			return
		}
		defer unix.Close(fd)
		if again, _ := foreign(pid); ok && again == link {
			fmt.Println("FOUND", pid, link)
		}
	})
}

// procWatch lists the descriptors of every foreign process that appears.
func procWatch() {
	eachOther(func(pid int) {
		link, ok := foreign(pid)
		fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		if again, _ := foreign(pid); ok && err == nil && again == link {
			fmt.Println("FOUND", pid, link, len(fds))
		}
	})
}
