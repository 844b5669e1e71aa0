// Package initstage is the inside half of a container's start: it receives a plan and descriptors from
// the host, carries out the steps in their order and becomes the container's process. It sees no
// config.json and decides nothing; what depends on the kernel's answer stands in the plan.
//
// Everything runs on one goroutine, locked to the process's main thread: namespaces, capabilities,
// seccomp and the rest belong to threads, and the main thread is the one that survives execve(2). The
// package imports only what the init lane may (internal/step tells); it starts before most of the
// binary's packages are initialised.
package initstage

import (
	"runtime"
	"syscall"

	"tare/internal/rootfs"
	"tare/internal/step"
	"tare/internal/sys"
)

// lane is the state of the one run.
type lane struct {
	conn    *sys.FD   // where reports go: to the host, after WaitStart to the start client
	table   []*sys.FD // what the host sent; step.FD n is entry n-1
	req     *step.Request
	root    *rootfs.Root // nil until OpenRootfs, or for as long as nothing needs it
	path    string       // host path of the rootfs
	umask   int          // as inherited
	nofile  [2]uint64    // RLIMIT_NOFILE, soft and hard, before the Go runtime raised it
	placed  int          // descriptors from 3 that the container gets
	started bool         // the start command has said go: its connection is conn
	index   int          // of the present step of the plan
	resumed int          // the step at which the fast lane has left, which it has logged; -1 for none
	prog    program
	ready   bool // nothing but execve is left to do
	cover   coverage
}

// Main carries out the plan that comes on the socket fd and never returns: the process execs the
// container's program or exits with 1, after it has told the host why. nofile is the soft and hard
// RLIMIT_NOFILE that the process was started with, zero when that is not known.
func Main(fd int, nofile [2]uint64) {
	l := begin(fd, nofile)
	defer l.trap()
	// The steps say exact modes, and a link named like a device must not be born with others.
	l.umask = sys.Umask(0)
	err := sys.SetCloexec(fd, true)
	if err == nil {
		err = l.receive()
	}
	if err == nil {
		err = l.run()
	}
	l.fail(err)
}

func begin(fd int, nofile [2]uint64) *lane {
	runtime.LockOSThread()
	// The door has closed what the caller of the runtime had left open, for what packages of the same
	// program have opened since, the Go runtime's poller among them, it is enough that no child gets it.
	closeOnExec(step.SocketFD + 1)
	// Whoever signals a container that is created must not find a trace of Go's in its output.
	sys.DefaultSignal(syscall.SIGQUIT)
	sys.DefaultSignal(syscall.SIGABRT)
	return &lane{conn: sys.Own(fd), nofile: nofile, resumed: -1, cover: openCoverage()}
}

// trap reports a panic, which is a mistake of ours, instead of printing a trace on the container's stderr.
func (l *lane) trap() {
	text := "of unknown kind"
	switch v := recover().(type) {
	case error:
		text = v.Error()
	case string:
		text = v
	}
	l.fail(&sys.Error{Op: "init", Note: "internal error: " + text})
}

// run carries out the steps. It comes back only with an error: the last step is Exec.
func (l *lane) run() error {
	for i := l.index; i < len(l.req.Steps); i++ {
		s := l.req.Steps[i]
		l.index = i
		if l.req.Debug && i != l.resumed {
			l.log(s)
		}
		if err := l.apply(s); err != nil {
			return err
		}
	}
	return &sys.Error{Note: "the plan has no exec step at its end"}
}

// fail reports err and ends the process.
func (l *lane) fail(err error) {
	if err != errHostGone {
		r := l.report(err)
		l.send(step.MsgFailure, r.Encode(), nil)
	}
	l.cover.save()
	sys.ExitGroup(1)
}
