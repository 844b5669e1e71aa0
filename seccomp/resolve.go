package seccomp

import (
	sc "github.com/seccomp/libseccomp-golang"
)

// resolver finds the numbers of system calls, each name once.
type resolver struct {
	archs  []arch
	newer  []syscallNumber
	direct []syscallNumber
	seen   map[string]*namedCall
}

func newResolver(archs []arch) *resolver {
	return &resolver{archs: archs, newer: newerCalls(), direct: x86Direct(), seen: map[string]*namedCall{}}
}

// resolve returns the call of a name, nil if neither libseccomp nor the own
// tables know it; fresh is true when the name is asked for the first time.
func (r *resolver) resolve(name string) (call *namedCall, fresh bool) {
	if call, ok := r.seen[name]; ok {
		return call, false
	}
	call = r.find(name)
	r.seen[name] = call
	return call, true
}

func (r *resolver) find(name string) *namedCall {
	call := &namedCall{name: name}
	lib, err := sc.GetSyscallFromName(name)
	call.inLib, call.lib = err == nil, int32(lib)
	newer, ok := lookup(r.newer, name)
	if !call.inLib && !ok {
		return nil
	}
	direct, _ := lookup(r.direct, name)
	call.on = make([]placedCall, len(r.archs))
	for i := range r.archs {
		call.on[i] = place(call, &r.archs[i], newer, direct)
	}
	return call
}

// place finds a call on one architecture. libseccomp comes first; its negative
// numbers mean "not here" or "only through socketcall or ipc".
func place(call *namedCall, a *arch, newer, direct syscallNumber) placedCall {
	nr := int64(-1)
	if call.inLib {
		if lib, err := sc.GetSyscallFromNameByArch(call.name, a.lib); err == nil && lib >= 0 {
			nr = int64(lib)
		}
	}
	switch {
	case direct.on&a.bit != 0:
		return placedCall{nr: int64(direct.nr), direct: true}
	case nr < 0 && newer.on&a.bit != 0:
		return placedCall{nr: int64(a.base + newer.nr), own: true}
	}
	return placedCall{nr: nr}
}
