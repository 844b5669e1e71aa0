package seccomp

import (
	"math"
	"slices"

	"golang.org/x/sys/unix"
)

const retENOSYS = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)

// addTail sends every return of the default action through a tail that asks
// once more: is this a call whose arguments matter, one that libseccomp does not
// know, or one newer than the profile? Calls that a rule of libseccomp decides are not slowed down.
//
//	... libseccomp's program ...        tail: ld arch
//	ret DEFAULT  ->  ja tail                  one block for each architecture
//	...                                       ret DEFAULT
//
// That works because no rule has the default's value (readProfile drops them):
// what returns it is either the default or, with KILL_THREAD, the answer to a
// foreign architecture, which falls through the tail.
func addTail(prog []instruction, p *profile) []instruction {
	tail := buildTail(p)
	if tail == nil {
		return prog
	}
	out := slices.Clone(prog)
	for i, in := range out {
		if in.code == opReturn && in.k == p.fallback {
			out[i] = instruction{code: opJump, k: uint32(len(prog) - i - 1)}
		}
	}
	return append(out, tail...)
}

// buildTail returns the tail, nil if there is nothing for it to decide.
func buildTail(p *profile) []instruction {
	extras := make([][]extra, len(p.archs))
	for i := range p.archs {
		extras[i] = p.extras(i)
	}
	var a assembler
	blocks := map[uint32]label{} // by audit number
	needed := false
	a.load(dataArch)
	for i := range p.archs {
		needed = needed || len(extras[i]) > 0 || p.tooNew(i)
		if audit := p.archs[i].audit; blocks[audit] == 0 {
			blocks[audit] = a.newLabel()
			a.jumpIf(opEqual, audit, blocks[audit])
		}
	}
	if !needed {
		return nil
	}
	a.ret(p.fallback)
	for i := range p.archs {
		if p.archs[i].bit == onX32 && p.has(onAMD64) {
			continue // within the block of its 64-bit twin
		}
		a.place(blocks[p.archs[i].audit])
		a.load(dataNumber)
		if p.archs[i].bit == onAMD64 {
			p.x32Block(&a, i, extras)
		}
		p.archBlock(&a, i, extras[i])
	}
	return a.finish()
}

// tooNew tells whether calls newer than the profile get ENOSYS: when the
// default refuses, and the profile names something to measure age by. A default
// that lets calls pass, or leaves them to a tracer, already serves new ones.
func (p *profile) tooNew(i int) bool {
	switch p.fallback & unix.SECCOMP_RET_ACTION_FULL {
	case unix.SECCOMP_RET_ALLOW, unix.SECCOMP_RET_LOG, unix.SECCOMP_RET_TRACE, unix.SECCOMP_RET_USER_NOTIF:
		return false
	}
	return p.newest[i] >= 0 && p.fallback != retENOSYS
}

// x32Block decides numbers with the x32 bit, which come with the audit number
// of x86-64 (the architecture at amd64), and falls through for all others.
func (p *profile) x32Block(a *assembler, amd64 int, extras [][]extra) {
	below := a.newLabel()
	a.jumpUnless(opAtLeast, x32Bit, below)
	if p.has(onX32) {
		p.archBlock(a, amd64+1, extras[amd64+1])
	} else {
		p.noX32(a, amd64)
	}
	a.place(below)
}

// noX32 answers calls with the x32 bit when x32 is no part of the profile.
// libseccomp has refused them already, but for -1, which is no call at all.
func (p *profile) noX32(a *assembler, amd64 int) {
	if p.tooNew(amd64) {
		other := a.newLabel()
		a.jumpUnless(opEqual, math.MaxUint32, other)
		a.ret(retENOSYS)
		a.place(other)
	}
	a.ret(p.fallback)
}

// has tells whether the filter is built for an architecture.
func (p *profile) has(bit archMask) bool {
	return slices.ContainsFunc(p.archs, func(a arch) bool { return a.bit == bit })
}

// archBlock decides the calls of one architecture; the number is loaded.
func (p *profile) archBlock(a *assembler, i int, extras []extra) {
	none := a.newLabel()
	p.search(a, i, byNumber(extras), none)
	a.place(none)
	if p.tooNew(i) {
		old := a.newLabel()
		skipApart(a, &p.archs[i], old)
		a.jumpUnless(opGreater, uint32(p.newest[i]), old)
		a.ret(retENOSYS)
		a.place(old)
	}
	a.ret(p.fallback)
}

// search finds the loaded number among groups sorted by number, by halves while
// there are many, and goes to none if it is not there.
func (p *profile) search(a *assembler, i int, groups [][]extra, none label) {
	if len(groups) > 4 {
		mid := len(groups) / 2
		upper := a.newLabel()
		a.jumpIf(opAtLeast, groups[mid][0].nr, upper)
		p.search(a, i, groups[:mid], none)
		a.place(upper)
		p.search(a, i, groups[mid:], none)
		return
	}
	for _, group := range groups {
		p.extraCall(a, group, p.archs[i].narrow)
	}
	a.jump(none)
}

// skipApart jumps to old for the numbers whose height means nothing.
func skipApart(a *assembler, arch *arch, old label) {
	if arch.apartLo > arch.apartHi {
		return
	}
	below := a.newLabel()
	a.jumpUnless(opAtLeast, arch.apartLo, below)
	a.jumpUnless(opGreater, arch.apartHi, old)
	a.place(below)
}

// extraCall decides one call by the first of its rules whose conditions hold,
// else by the default.
func (p *profile) extraCall(a *assembler, rules []extra, narrow bool) {
	other := a.newLabel()
	a.jumpUnless(opEqual, rules[0].nr, other)
	for _, r := range rules {
		next := a.newLabel()
		for _, c := range r.conds {
			a.condition(c, narrow, next)
		}
		a.ret(r.value)
		a.place(next)
	}
	if len(rules[len(rules)-1].conds) > 0 {
		a.ret(p.fallback)
	}
	a.place(other)
}
