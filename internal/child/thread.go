package child

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// OnOwnThread runs f on a thread that nothing else runs on, now or later: f may change what belongs to a
// thread, its namespaces above all. The thread ends with f. It is never the process's first one, which
// cannot end, and whose namespaces are those that /proc/self shows.
func OnOwnThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked on the way below: with the goroutine the thread ends
		if unix.Gettid() == unix.Getpid() {
			OnOwnThread(f) // on another: this one is taken
			runtime.UnlockOSThread()
			return
		}
		f()
	}()
	<-done
}
