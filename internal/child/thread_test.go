package child

import (
	"os"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// Namespaces that f changes must not become the process's.
func TestOnOwnThread(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes a namespace")
	}
	before, err := os.Readlink("/proc/self/ns/uts")
	if err != nil {
		t.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1)) // so that the first thread has its turn
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			OnOwnThread(func() {
				if unix.Gettid() == unix.Getpid() {
					t.Error("it is the process's first thread")
				}
				if err := unix.Unshare(unix.CLONE_NEWUTS); err != nil {
					t.Error(err)
				}
			})
		})
	}
	all.Wait()
	if now, _ := os.Readlink("/proc/self/ns/uts"); now != before {
		t.Errorf("the process is in %s, was in %s", now, before)
	}
}
