package seccomp

// label is a place in the program that jumps may go to; the zero label is none.
type label int

// assembler writes instructions with forward jumps to labels. A conditional
// jump reaches 255 instructions, so each is written as a skip over a plain jump,
// which reaches everything; the zero value is ready.
type assembler struct {
	prog   []instruction
	places []int    // of each label, by label-1
	jumps  []jumpTo // to be filled in by finish
}

type jumpTo struct {
	at int
	to label
}

func (a *assembler) newLabel() label {
	a.places = append(a.places, -1)
	return label(len(a.places))
}

// place puts the label before the next instruction.
func (a *assembler) place(l label) { a.places[l-1] = len(a.prog) }

func (a *assembler) emit(in instruction) { a.prog = append(a.prog, in) }

// load puts a 32-bit word of struct seccomp_data into the accumulator.
func (a *assembler) load(offset uint32) { a.emit(instruction{code: opLoad, k: offset}) }

// and masks the accumulator.
func (a *assembler) and(mask uint32) { a.emit(instruction{code: opAnd, k: mask}) }

// ret ends the program with a SECCOMP_RET_* value.
func (a *assembler) ret(value uint32) { a.emit(instruction{code: opReturn, k: value}) }

// jumpIf goes to the label if the accumulator compares true with k.
func (a *assembler) jumpIf(op uint16, k uint32, to label) {
	a.emit(instruction{code: op, jt: 0, jf: 1, k: k})
	a.jump(to)
}

// jumpUnless goes to the label if the accumulator compares false with k.
func (a *assembler) jumpUnless(op uint16, k uint32, to label) {
	a.emit(instruction{code: op, jt: 1, jf: 0, k: k})
	a.jump(to)
}

func (a *assembler) jump(to label) {
	a.jumps = append(a.jumps, jumpTo{at: len(a.prog), to: to})
	a.emit(instruction{code: opJump})
}

// finish fills the jumps in and returns the instructions. All labels jumped to
// must be placed, after the jump.
func (a *assembler) finish() []instruction {
	for _, j := range a.jumps {
		a.prog[j.at].k = uint32(a.places[j.to-1] - j.at - 1)
	}
	return a.prog
}
