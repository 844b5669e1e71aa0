package seccomp

import (
	"cmp"
	"slices"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// extra is a rule that libseccomp does not compile, on one architecture.
type extra struct {
	nr    uint32
	value uint32
	conds []condition
}

// extras returns the rules that libseccomp does not compile on the i-th
// architecture: those that the profile gives no conditions first, then the
// others in its order. Rules that can decide nothing any more are left out.
func (p *profile) extras(i int) []extra {
	decided := p.decided(i)
	var out []extra
	for _, conditional := range []bool{false, true} {
		for j := range p.rules {
			r := &p.rules[j]
			if (len(r.conds) > 0) != conditional || p.libraryTakes(r, i) {
				continue
			}
			for _, e := range p.extrasOf(r, i) {
				if !decided[e.nr] && !slices.ContainsFunc(out, e.decidedBy) {
					out = append(out, e)
				}
			}
		}
	}
	return out
}

// decidedBy tells whether an earlier rule leaves nothing for this one.
func (e extra) decidedBy(earlier extra) bool {
	return e.nr == earlier.nr && (len(earlier.conds) == 0 || slices.Equal(e.conds, earlier.conds))
}

// decided returns the calls that a rule of libseccomp decides whole.
func (p *profile) decided(i int) map[uint32]bool {
	nrs := map[uint32]bool{}
	for j := range p.rules {
		if nr, ok := p.rules[j].call.at(i); ok && p.libraryTakes(&p.rules[j], i) {
			nrs[nr] = true
		}
	}
	return nrs
}

// libraryTakes tells whether libseccomp compiles a rule on the i-th
// architecture. What it gets wrong is compiled here (seen with 2.5.4, found by
// FuzzCompile):
//   - where several rules look at the arguments of one call, it takes the lower
//     half of an argument for the upper half in the next comparison, and on x32
//     it never looks at the upper half;
//   - a call that 32-bit x86 has only within socketcall(2) or ipc(2) may make it
//     forget to load the number, so that no rule matches any more.
func (p *profile) libraryTakes(r *rule, i int) bool {
	on := &r.call.on[i]
	return len(r.conds) == 0 && on.nr >= 0 && !on.own && on.folded.via == 0
}

// extrasOf returns what a rule with own code becomes on the i-th architecture.
func (p *profile) extrasOf(r *rule, i int) []extra {
	var out []extra
	on, conds := &r.call.on[i], r.conds
	if p.archs[i].narrow {
		var possible bool
		if conds, possible = narrowed(conds); !possible {
			return nil
		}
	}
	if on.nr >= 0 {
		out = append(out, extra{nr: uint32(on.nr), value: r.value, conds: conds})
	}
	// The arguments stand behind a pointer there, so the conditions cannot be
	// asked for: the rule's action goes for all calls of that kind.
	if via := on.folded.via; via != 0 {
		kind := condition{index: 0, op: specs.OpEqualTo, value: uint64(on.folded.kind)}
		out = append(out, extra{nr: via, value: r.value, conds: []condition{kind}})
	}
	return out
}

// byNumber groups the extra rules of one architecture by call, sorted by
// number; those of one call stay in order.
func byNumber(extras []extra) [][]extra {
	sorted := slices.Clone(extras)
	slices.SortStableFunc(sorted, func(x, y extra) int { return cmp.Compare(x.nr, y.nr) })
	var groups [][]extra
	for len(sorted) > 0 {
		n := 1
		for n < len(sorted) && sorted[n].nr == sorted[0].nr {
			n++
		}
		groups = append(groups, sorted[:n])
		sorted = sorted[n:]
	}
	return groups
}
