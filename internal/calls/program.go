// Package calls lowers the plain steps of an init's list to the system calls that they are made of: a
// program for the fast lane of the init stage (nsenter/lane.c), which makes one call after the other and
// leaves the first step that does not go as expected, from its beginning, to the Go lane. So a start in
// which nothing is unusual needs no second Go runtime, and everything that is unusual has one place.
//
// Lowering is a pure function of the list. The rules for each kind of step:
//
//   - only the course without surprises is lowered; any other answer of the kernel leaves the step;
//   - whatever comes before the call that changes something can be done again; after that call stands a
//     commit, and what fails then is final;
//   - a step that is not plain (a hook, a terminal, a notify listener) is a leave.
package calls

import "encoding/binary"

// The layout of nsenter/lane.h; a test compares the two.
const (
	magic      = 0x6c6c6163
	headerSize = 24
	opSize     = 40

	slotRoot  = 1 // the rootfs, or the present root
	slotNull  = 2 // the container's /dev/null
	slotEmpty = 3 // the tmpfs that masks directories
	slotProc  = 4 // a procfs of the lane's own

	slotFree   = 8   // from here on for the descriptors of one step
	slotValues = 192 // slots that hold no descriptors
	slotTable  = 256 // what the host sent
	slotPath   = slotValues
	slotReport = slotValues + 1
	slotKey    = slotValues + 2
	slotMade   = slotValues + 3 // set when the target of a mount was missing

	// MaxTable is how many descriptors the lane can take.
	MaxTable = 256
)

type code uint8

const (
	opCall code = iota + 1
	opStep
	opCommit
	opClose
	opTest
	opSame
	opSet
	opIfOpen
	opJump
	opOr
	opOctal
	opFDPath
	opBarrier
	opWait
	opHome
	opSend
	opReset
	opExec
	opFail
	opLeave
)

const (
	anyErrno = 0xffff
	maxJump  = 0xffff
	maxOps   = 1 << 18 // 10 MiB: what is longer is not worth its way to the init
)

// Kinds of an argument.
const (
	kindNumber  = iota
	kindData    // address of an offset in data
	kindSlot    // what the slot holds
	kindScratch // address of an offset in the scratch memory
)

type arg struct {
	kind uint16
	v    uint32
}

// num is a number; the kernel's arguments that are used here have no more than 32 bits that count.
func num[T ~int | ~uint64 | ~uint32](v T) arg { return arg{kindNumber, uint32(v)} }

func slot(n int) arg { return arg{kindSlot, uint32(n)} }

// op is one instruction; struct lane_op says what the fields are, and has them in the same places.
type op struct {
	code  code
	dst   uint8
	kinds uint16
	nr    uint16
	jump  uint16
	errs  [3]uint16
	_     uint16
	args  [6]uint32
}

// program collects instructions and what they point to.
type program struct {
	ops    []op
	data   []byte
	relocs [][2]uint32
	top    uint32 // scratch memory in use
	free   int    // next free slot of the present step
	tooBig bool   // a slot or a jump is out of range
}

// on makes the errnos of the op expected; it returns the op's index for land.
func (p *program) on(i int, errnos ...uint16) int {
	copy(p.ops[i].errs[:], errnos)
	return i
}

// land makes the jumps of ops go to what comes next.
func (p *program) land(ops ...int) {
	for _, i := range ops {
		far := len(p.ops) - i - 1
		p.tooBig = p.tooBig || far > maxJump
		p.ops[i].jump = uint16(far)
	}
}

func (p *program) add(c code, args ...arg) int {
	p.ops = append(p.ops, op{code: c})
	o := &p.ops[len(p.ops)-1]
	for i, a := range args {
		o.kinds |= a.kind << (2 * i)
		o.args[i] = a.v
	}
	return len(p.ops) - 1
}

func (p *program) call(nr int, args ...arg) int {
	i := p.add(opCall, args...)
	p.ops[i].nr = uint16(nr)
	return i
}

// into is call with the slot for the result.
func (p *program) into(dst int, nr int, args ...arg) int {
	i := p.call(nr, args...)
	p.ops[i].dst = uint8(dst)
	return i
}

// set makes slot dst hold a.
func (p *program) set(dst int, a arg) { p.ops[p.add(opSet, a)].dst = uint8(dst) }

// forget makes slot dst empty without closing what it held: another slot has that now.
func (p *program) forget(dst int) {
	p.set(dst, num(0))
	p.ops[len(p.ops)-1].nr = 1
}

// expect leaves the step, or with land jumps, unless the masked 64-bit word at at is want.
func (p *program) expect(at arg, mask, want uint64) int {
	return p.add(opTest, at, num(mask), num(want), num(mask>>32), num(want>>32))
}

// refuse is the contrary of expect.
func (p *program) refuse(at arg, mask, value uint64) int {
	i := p.expect(at, mask, value)
	p.ops[i].nr = 1
	return i
}

func (p *program) jump() int { return p.add(opJump) }

func (p *program) ifOpen(n int) int { return p.add(opIfOpen, num(n)) }

func (p *program) commit() { p.add(opCommit) }

func (p *program) close(n int) { p.add(opClose, num(n)) }

// slot gives a free one until the step's end.
func (p *program) slot() int {
	p.free++
	p.tooBig = p.tooBig || p.free > slotValues
	return min(p.free, slotValues) - 1
}

// text is the address of s as a C string.
func (p *program) text(s string) arg {
	off := len(p.data)
	p.data = append(append(p.data, s...), 0)
	return arg{kindData, uint32(off)}
}

// bytes is the address of b, aligned to 8.
func (p *program) bytes(b []byte) arg {
	for len(p.data)%8 != 0 {
		p.data = append(p.data, 0)
	}
	off := len(p.data)
	p.data = append(p.data, b...)
	return arg{kindData, uint32(off)}
}

func (p *program) words(v ...uint64) arg {
	b := make([]byte, 0, 8*len(v))
	for _, w := range v {
		b = binary.NativeEndian.AppendUint64(b, w)
	}
	return p.bytes(b)
}

func (p *program) halves(v ...uint32) arg {
	b := make([]byte, 0, 4*len(v))
	for _, w := range v {
		b = binary.NativeEndian.AppendUint32(b, w)
	}
	return p.bytes(b)
}

// pointer makes the word at offset where of data the address to.
func (p *program) pointer(where int, to arg) {
	target := to.v
	if to.kind == kindScratch {
		target |= 1 << 31
	}
	p.relocs = append(p.relocs, [2]uint32{uint32(where), target})
}

// room reserves scratch memory.
func (p *program) room(n int) arg {
	off := p.top
	p.top += uint32(n+7) &^ 7
	return arg{kindScratch, off}
}

func (a arg) plus(n int) arg { return arg{a.kind, a.v + uint32(n)} }

// Program is a lowered list in its binary form, in pieces that follow one another.
type Program struct {
	head, ops, relocs, data []byte
	steps                   int
}

// Steps is how many of the list's steps, from its beginning, the fast lane carries out when nothing goes
// another way than expected. 0 for a nil one.
func (p *Program) Steps() int {
	if p == nil {
		return 0
	}
	return p.steps
}

// Pieces gives the memory of the program; a nil one has none.
func (p *Program) Pieces() [][]byte {
	if p == nil {
		return nil
	}
	return [][]byte{p.head, p.ops, p.relocs, p.data}
}

// finish gives the binary form: the instructions stay where they are.
func (p *program) finish(steps int, debug bool) *Program {
	p.bytes(nil)
	var d uint32
	if debug {
		d = 1
	}
	out := &Program{steps: steps, head: make([]byte, 0, headerSize), ops: bytesOf(p.ops), relocs: make([]byte, 0, 8*len(p.relocs)), data: p.data}
	ne := binary.NativeEndian
	for _, v := range [...]uint32{magic, uint32(len(p.ops)), uint32(len(p.relocs)), uint32(len(p.data)), p.top + 8, d} {
		out.head = ne.AppendUint32(out.head, v)
	}
	for _, r := range p.relocs {
		out.relocs = ne.AppendUint32(ne.AppendUint32(out.relocs, r[0]), r[1])
	}
	return out
}
