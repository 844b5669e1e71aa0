package seccomp

import (
	"fmt"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// condition is one comparison of an argument. For OpMaskedEqual it reads
// arg & value == two & value.
type condition struct {
	index      uint
	op         specs.LinuxSeccompOperator
	value, two uint64
}

// rule says what becomes of a system call whose arguments meet all conditions.
type rule struct {
	path  string // linux.seccomp.syscalls[3].names[1]
	call  *namedCall
	value uint32 // SECCOMP_RET_*
	conds []condition
}

// namedCall is a system call that the profile names.
type namedCall struct {
	name  string
	inLib bool         // libseccomp knows the name, on whatever architecture
	lib   int32        // its number for libseccomp: native, or negative for a name of other architectures
	on    []placedCall // for each architecture of the profile
}

// placedCall is a system call on one architecture.
type placedCall struct {
	nr     int64      // -1 if there is none
	own    bool       // the number is from our table and libseccomp cannot take it
	folded foldedCall // set if 32-bit x86 also reaches it through another call
}

// at gives the number on an architecture; ok is false if the call has none there.
func (c *namedCall) at(i int) (nr uint32, ok bool) {
	return uint32(c.on[i].nr), c.on[i].nr >= 0
}

// profile is a linux.seccomp object made ready for code generation.
type profile struct {
	archs    []arch
	fallback uint32 // SECCOMP_RET_* of the default action
	rules    []rule
	newest   []int64 // for each architecture the highest number named, -1 if none
	notify   bool
	unknown  []string // path and text for each name that nothing knows
}

// readProfile resolves names and spreads rules out. The profile must be valid.
func readProfile(s *specs.LinuxSeccomp, archs []arch) *profile {
	p := &profile{
		archs:    archs,
		fallback: actionValue(s.DefaultAction, s.DefaultErrnoRet),
		newest:   make([]int64, len(archs)),
	}
	for i := range p.newest {
		p.newest[i] = -1
	}
	res := newResolver(archs)
	for i := range s.Syscalls {
		entry := &s.Syscalls[i]
		value := actionValue(entry.Action, entry.ErrnoRet)
		sets := conditionSets(entry.Args)
		for j, name := range entry.Names {
			path := "linux.seccomp.syscalls[" + strconv.Itoa(i) + "].names[" + strconv.Itoa(j) + "]"
			call, fresh := res.resolve(name)
			if call == nil {
				if fresh {
					p.unknown = append(p.unknown, fmt.Sprintf("%s: unknown system call %q", path, name))
				}
				continue
			}
			p.age(call)
			// libseccomp refuses a rule that only repeats the default, and the
			// tail takes every return of the default's value for the default.
			if value == p.fallback {
				continue
			}
			for _, conds := range sets {
				p.rules = append(p.rules, rule{path: path, call: call, value: value, conds: conds})
			}
			p.notify = p.notify || entry.Action == specs.ActNotify
		}
	}
	return p
}

// age notes how new the profile is, seen from a call that it names.
func (p *profile) age(call *namedCall) {
	for i := range p.archs {
		nr, ok := call.at(i)
		if ok && !p.archs[i].apart(nr) {
			p.newest[i] = max(p.newest[i], int64(nr))
		}
	}
}

// conditionSets turns args into sets of conditions that each make a rule: all
// hold at once, but when one index stands there twice every argument is a rule
// of its own. The profile's authors rely on it (clone in older Docker profiles),
// and libseccomp takes an argument only once.
func conditionSets(args []specs.LinuxSeccompArg) [][]condition {
	if len(args) == 0 {
		return [][]condition{nil}
	}
	conds := make([]condition, len(args))
	var seen [6]bool
	twice := false
	for i, a := range args {
		conds[i] = condition{index: a.Index, op: a.Op, value: a.Value, two: a.ValueTwo}
		twice = twice || seen[a.Index]
		seen[a.Index] = true
	}
	if !twice {
		return [][]condition{conds}
	}
	sets := make([][]condition, len(conds))
	for i := range conds {
		sets[i] = conds[i : i+1 : i+1]
	}
	return sets
}

// narrowed gives the conditions that are left to ask where arguments have 32
// bits and the upper half is zero; ok is false if they can never hold.
func narrowed(conds []condition) (out []condition, ok bool) {
	for _, c := range conds {
		high := c.value>>32 != 0
		switch c.op {
		case specs.OpEqualTo, specs.OpGreaterThan, specs.OpGreaterEqual:
			if high {
				return nil, false
			}
		case specs.OpNotEqual, specs.OpLessThan, specs.OpLessEqual:
			if high {
				continue // always true
			}
		case specs.OpMaskedEqual:
			if (c.value&c.two)>>32 != 0 {
				return nil, false
			}
			c.value &= 0xffffffff
			if c.value == 0 {
				continue
			}
		}
		out = append(out, c)
	}
	return out, true
}
