package seccomp

import (
	"math"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

const retENOSYS = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)

// addTail sends every return of the default action through a tail that asks
// once more: is this a call that libseccomp did not know, or one newer than the
// profile? Calls that a rule of libseccomp decides are not slowed down.
//
//	... libseccomp's program ...        tail: ld arch
//	ret DEFAULT  ->  ja tail                  one block for each architecture
//	...                                       ret DEFAULT
//
// That works because no rule has the default's value (readProfile drops them):
// what returns it is either the default or, with KILL_THREAD, the answer to a
// foreign architecture, which falls through the tail.
func addTail(prog []instruction, p *profile, extras [][]rule) []instruction {
	tail := buildTail(p, extras)
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
func buildTail(p *profile, extras [][]rule) []instruction {
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
		if p.archs[i].bit == onX32 {
			continue // within the block of its 64-bit twin
		}
		a.place(blocks[p.archs[i].audit])
		a.load(dataNumber)
		if p.archs[i].bit == onAMD64 {
			p.x32Block(&a, extras)
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
// of x86-64, and falls through for all others.
func (p *profile) x32Block(a *assembler, extras [][]rule) {
	below := a.newLabel()
	a.jumpUnless(opAtLeast, x32Bit, below)
	i := slices.IndexFunc(p.archs, func(x arch) bool { return x.bit == onX32 })
	if i >= 0 {
		p.archBlock(a, i, extras[i])
	} else {
		p.noX32(a)
	}
	a.place(below)
}

// noX32 answers calls with the x32 bit when x32 is no part of the profile.
// libseccomp has refused them already, but for -1, which is no call at all.
func (p *profile) noX32(a *assembler) {
	i := slices.IndexFunc(p.archs, func(x arch) bool { return x.bit == onAMD64 })
	if p.tooNew(i) {
		other := a.newLabel()
		a.jumpUnless(opEqual, math.MaxUint32, other)
		a.ret(retENOSYS)
		a.place(other)
	}
	a.ret(p.fallback)
}

// archBlock decides the calls of one architecture; the number is loaded.
func (p *profile) archBlock(a *assembler, i int, extras []rule) {
	for _, group := range byNumber(extras, i) {
		p.extraCall(a, i, group)
	}
	if p.tooNew(i) {
		old := a.newLabel()
		skipApart(a, &p.archs[i], old)
		a.jumpUnless(opGreater, uint32(p.newest[i]), old)
		a.ret(retENOSYS)
		a.place(old)
	}
	a.ret(p.fallback)
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

// extraCall decides one call by its rules: the first without conditions, else
// the first whose conditions hold, else the default.
func (p *profile) extraCall(a *assembler, i int, rules []rule) {
	nr, _ := rules[0].call.at(i)
	other := a.newLabel()
	a.jumpUnless(opEqual, nr, other)
	if j := slices.IndexFunc(rules, func(r rule) bool { return len(r.conds) == 0 }); j >= 0 {
		a.ret(rules[j].value)
	} else {
		for _, r := range rules {
			next := a.newLabel()
			for _, c := range r.conds {
				a.condition(c, next)
			}
			a.ret(r.value)
			a.place(next)
		}
		a.ret(p.fallback)
	}
	a.place(other)
}

// byNumber groups the extra rules of one architecture by call, in order.
func byNumber(extras []rule, i int) [][]rule {
	var groups [][]rule
	at := map[uint32]int{}
	for _, r := range extras {
		nr, _ := r.call.at(i)
		if _, ok := at[nr]; !ok {
			at[nr] = len(groups)
			groups = append(groups, nil)
		}
		groups[at[nr]] = append(groups[at[nr]], r)
	}
	return groups
}

// condition goes on if c holds and jumps to fail if not. Arguments are compared
// as unsigned 64-bit numbers, half by half.
func (a *assembler) condition(c condition, fail label) {
	lo := uint32(dataArgs + 8*c.index)
	hi := lo + 4 // little endian, as all architectures built for
	vhi, vlo := uint32(c.value>>32), uint32(c.value)
	holds := a.newLabel()
	a.load(hi)
	switch c.op {
	case specs.OpEqualTo:
		a.jumpUnless(opEqual, vhi, fail)
		a.load(lo)
		a.jumpUnless(opEqual, vlo, fail)
	case specs.OpNotEqual:
		a.jumpUnless(opEqual, vhi, holds)
		a.load(lo)
		a.jumpIf(opEqual, vlo, fail)
	case specs.OpGreaterThan, specs.OpGreaterEqual:
		a.jumpIf(opGreater, vhi, holds)
		a.jumpUnless(opEqual, vhi, fail)
		a.load(lo)
		if c.op == specs.OpGreaterThan {
			a.jumpUnless(opGreater, vlo, fail)
		} else {
			a.jumpUnless(opAtLeast, vlo, fail)
		}
	case specs.OpLessThan, specs.OpLessEqual:
		a.jumpIf(opGreater, vhi, fail)
		a.jumpUnless(opEqual, vhi, holds)
		a.load(lo)
		if c.op == specs.OpLessThan {
			a.jumpIf(opAtLeast, vlo, fail)
		} else {
			a.jumpIf(opGreater, vlo, fail)
		}
	case specs.OpMaskedEqual:
		want := c.value & c.two
		a.and(vhi)
		a.jumpUnless(opEqual, uint32(want>>32), fail)
		a.load(lo)
		a.and(vlo)
		a.jumpUnless(opEqual, uint32(want), fail)
	}
	a.place(holds)
}
