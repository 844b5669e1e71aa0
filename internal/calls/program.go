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
	opSize     = 64

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

const anyErrno = 0xffff

// Kinds of an argument.
const (
	kindNumber  = iota
	kindData    // address of an offset in data
	kindSlot    // what the slot holds
	kindScratch // address of an offset in the scratch memory
)

type arg struct {
	kind uint16
	v    uint64
}

func num[T ~int | ~uint | ~int64 | ~uint64 | ~uint32 | ~uintptr](v T) arg {
	return arg{kindNumber, uint64(v)}
}
func slot(n int) arg      { return arg{kindSlot, uint64(n)} }
func scratch(off int) arg { return arg{kindScratch, uint64(off)} }

// op is one instruction; struct lane_op says what the fields are.
type op struct {
	code code
	dst  int
	nr   uint32
	errs [3]uint16
	jump int
	args [6]arg
}

// program collects instructions and what they point to.
type program struct {
	ops    []op
	data   []byte
	relocs [][2]uint32
	top    int // scratch memory in use
	texts  map[string]int
	free   int // next free slot of the present step
}

// on makes the errnos of the op expected; it returns the op's index for land.
func (p *program) on(i int, errnos ...uint16) int {
	copy(p.ops[i].errs[:], errnos)
	return i
}

// land makes the jumps of ops go to what comes next.
func (p *program) land(ops ...int) {
	for _, i := range ops {
		p.ops[i].jump = len(p.ops) - i - 1
	}
}

func (p *program) add(o op) int {
	p.ops = append(p.ops, o)
	return len(p.ops) - 1
}

func (p *program) call(nr uintptr, args ...arg) int { return p.into(0, nr, args...) }

// into is call with the slot for the result.
func (p *program) into(dst int, nr uintptr, args ...arg) int {
	o := op{code: opCall, dst: dst, nr: uint32(nr)}
	copy(o.args[:], args)
	return p.add(o)
}

func (p *program) simple(c code, args ...arg) int {
	o := op{code: c}
	copy(o.args[:], args)
	return p.add(o)
}

// expect leaves the step, or with land jumps, unless the masked 64-bit word at at is want.
func (p *program) expect(at arg, mask, want uint64) int {
	return p.simple(opTest, at, num(mask), num(want))
}

// refuse is the contrary of expect.
func (p *program) refuse(at arg, mask, value uint64) int {
	i := p.expect(at, mask, value)
	p.ops[i].nr = 1
	return i
}

func (p *program) jump() int { return p.simple(opJump) }

func (p *program) ifOpen(n int) int { return p.simple(opIfOpen, num(n)) }

func (p *program) commit() { p.simple(opCommit) }

func (p *program) close(n int) { p.simple(opClose, num(n)) }

// slot gives a free one until the step's end.
func (p *program) slot() int {
	p.free++
	return p.free - 1
}

// text is the address of s as a C string.
func (p *program) text(s string) arg {
	off, ok := p.texts[s]
	if !ok {
		off = len(p.data)
		p.data = append(append(p.data, s...), 0)
		if p.texts == nil {
			p.texts = make(map[string]int)
		}
		p.texts[s] = off
	}
	return arg{kindData, uint64(off)}
}

// bytes is the address of b, aligned to 8.
func (p *program) bytes(b []byte) arg {
	for len(p.data)%8 != 0 {
		p.data = append(p.data, 0)
	}
	off := len(p.data)
	p.data = append(p.data, b...)
	return arg{kindData, uint64(off)}
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
	target := uint32(to.v)
	if to.kind == kindScratch {
		target |= 1 << 31
	}
	p.relocs = append(p.relocs, [2]uint32{uint32(where), target})
}

// room reserves scratch memory.
func (p *program) room(n int) arg {
	off := p.top
	p.top += (n + 7) &^ 7
	return scratch(off)
}

func (a arg) plus(n int) arg { return arg{a.kind, a.v + uint64(n)} }

// encode gives the binary form.
func (p *program) encode(debug bool) []byte {
	p.bytes(nil)
	b := make([]byte, 0, headerSize+opSize*len(p.ops)+8*len(p.relocs)+len(p.data))
	var d uint32
	if debug {
		d = 1
	}
	le := binary.NativeEndian
	for _, v := range [...]uint32{magic, uint32(len(p.ops)), uint32(len(p.relocs)), uint32(len(p.data)), uint32(p.top + 8), d} {
		b = le.AppendUint32(b, v)
	}
	for i := range p.ops {
		o := &p.ops[i]
		var kinds uint16
		for k, a := range o.args {
			kinds |= a.kind << (2 * k)
		}
		b = le.AppendUint16(append(b, byte(o.code), byte(o.dst)), kinds)
		b = le.AppendUint32(b, o.nr)
		for _, e := range o.errs {
			b = le.AppendUint16(b, e)
		}
		b = le.AppendUint16(b, uint16(o.jump))
		for _, a := range o.args {
			b = le.AppendUint64(b, a.v)
		}
	}
	for _, r := range p.relocs {
		b = le.AppendUint32(le.AppendUint32(b, r[0]), r[1])
	}
	return append(b, p.data...)
}
