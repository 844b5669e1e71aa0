package seccomp

import (
	sc "github.com/seccomp/libseccomp-golang"
)

// resolver finds the numbers of system calls, each name once.
type resolver struct {
	archs  []arch
	newer  []syscallNumber
	folded []foldedCall
	seen   map[string]*namedCall
}

func newResolver(archs []arch) *resolver {
	return &resolver{archs: archs, newer: newerCalls(), folded: foldedCalls(), seen: map[string]*namedCall{}}
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
	newer, ok := lookup(r.newer, name, func(c syscallNumber) string { return c.name })
	if !call.inLib && !ok {
		return nil
	}
	folded, _ := lookup(r.folded, name, func(c foldedCall) string { return c.name })
	call.on = make([]placedCall, len(r.archs))
	for i := range r.archs {
		call.on[i] = place(call, &r.archs[i], newer, folded)
	}
	return call
}

// place finds a call on one architecture. libseccomp comes first; its negative
// numbers mean "not here" or "only through socketcall or ipc".
func place(call *namedCall, a *arch, newer syscallNumber, folded foldedCall) placedCall {
	on := placedCall{nr: -1}
	if call.inLib {
		if lib, err := sc.GetSyscallFromNameByArch(call.name, a.lib); err == nil && lib >= 0 {
			on.nr = int64(lib)
		}
	}
	if a.bit == onX86 && folded.via != 0 {
		on.folded = folded
		if folded.direct != 0 {
			on.nr = int64(folded.direct)
		}
	} else if on.nr < 0 && newer.on&a.bit != 0 {
		on.nr, on.own = int64(a.base+newer.nr), true
	}
	return on
}
