package seccomp

// label is a place in the program that jumps may go to; the zero label is none.
type label int

// assembler writes instructions with forward jumps to labels; the zero value is
// ready. A conditional jump reaches 255 instructions; one that must go further
// becomes a skip over a plain jump, which reaches everything.
type assembler struct {
	items  []item
	places []int // index of the item behind each label, by label-1
}

// item is an instruction. With a target, k of a plain jump or one of jt and jf
// is filled in by finish.
type item struct {
	in      instruction
	to      label
	ifFalse bool // a conditional jump is taken when the comparison is false
	far     bool // written as two instructions
}

func (a *assembler) newLabel() label {
	a.places = append(a.places, -1)
	return label(len(a.places))
}

// place puts the label before the next instruction.
func (a *assembler) place(l label) { a.places[l-1] = len(a.items) }

func (a *assembler) emit(code uint16, k uint32) {
	a.items = append(a.items, item{in: instruction{code: code, k: k}})
}

// load puts a 32-bit word of struct seccomp_data into the accumulator.
func (a *assembler) load(offset uint32) { a.emit(opLoad, offset) }

// and masks the accumulator.
func (a *assembler) and(mask uint32) { a.emit(opAnd, mask) }

// ret ends the program with a SECCOMP_RET_* value.
func (a *assembler) ret(value uint32) { a.emit(opReturn, value) }

// jumpIf goes to the label if the accumulator compares true with k.
func (a *assembler) jumpIf(op uint16, k uint32, to label) {
	a.items = append(a.items, item{in: instruction{code: op, k: k}, to: to})
}

// jumpUnless goes to the label if the accumulator compares false with k.
func (a *assembler) jumpUnless(op uint16, k uint32, to label) {
	a.items = append(a.items, item{in: instruction{code: op, k: k}, to: to, ifFalse: true})
}

// jump goes to the label always.
func (a *assembler) jump(to label) {
	a.items = append(a.items, item{in: instruction{code: opJump}, to: to})
}

// finish returns the instructions. All labels jumped to must be placed, behind
// the jump.
func (a *assembler) finish() []instruction {
	at := a.layOut()
	prog := make([]instruction, 0, at[len(a.items)])
	for i, it := range a.items {
		if it.to == 0 {
			prog = append(prog, it.in)
			continue
		}
		prog = append(prog, it.resolved(at[a.places[it.to-1]]-at[i]-1)...)
	}
	return prog
}

// layOut finds the position of every item (and of the end), making jumps far
// until all fit. It ends as jumps never become near again.
func (a *assembler) layOut() []int {
	at := make([]int, len(a.items)+1)
	for again := true; again; {
		again = false
		for i, it := range a.items {
			at[i+1] = at[i] + 1
			if it.far {
				at[i+1]++
			}
		}
		for i := range a.items {
			it := &a.items[i]
			if it.to != 0 && it.in.code != opJump && !it.far && at[a.places[it.to-1]]-at[i]-1 > 255 {
				it.far, again = true, true
			}
		}
	}
	return at
}

// resolved gives the instructions of a jump over distance others.
func (it item) resolved(distance int) []instruction {
	in := it.in
	switch {
	case in.code == opJump:
		in.k = uint32(distance)
	case it.far:
		in.jt, in.jf = 0, 1
		if it.ifFalse {
			in.jt, in.jf = 1, 0
		}
		return []instruction{in, {code: opJump, k: uint32(distance - 1)}}
	case it.ifFalse:
		in.jf = uint8(distance)
	default:
		in.jt = uint8(distance)
	}
	return []instruction{in}
}
