package seccomp

import (
	"encoding/binary"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// call is what the kernel shows a filter: struct seccomp_data.
type call struct {
	nr, arch uint32
	args     [6]uint64
}

func (c call) data() []byte {
	d := make([]byte, dataSize)
	binary.NativeEndian.PutUint32(d[dataNumber:], c.nr)
	binary.NativeEndian.PutUint32(d[dataArch:], c.arch)
	for i, a := range c.args {
		binary.NativeEndian.PutUint64(d[dataArgs+8*i:], a)
	}
	return d
}

// interpret runs a program as the kernel would (the codes libseccomp and tare
// emit); anything else is an error.
func interpret(prog []instruction, c call) (uint32, error) {
	data := c.data()
	var acc, x uint32
	var mem [16]uint32
	for pc := 0; pc < len(prog); pc++ {
		in := prog[pc]
		operand := in.k
		if in.code&unix.BPF_X != 0 && (in.code&7 == unix.BPF_ALU || in.code&7 == unix.BPF_JMP) {
			operand = x
		}
		switch in.code {
		case opLoad:
			if in.k > dataSize-4 {
				return 0, fmt.Errorf("instruction %d loads from %d", pc, in.k)
			}
			acc = binary.NativeEndian.Uint32(data[in.k:])
		case unix.BPF_LD | unix.BPF_IMM:
			acc = in.k
		case unix.BPF_ST:
			mem[in.k] = acc
		case unix.BPF_LD | unix.BPF_MEM:
			acc = mem[in.k]
		case unix.BPF_MISC | unix.BPF_TAX:
			x = acc
		case opAnd, opAnd | unix.BPF_X:
			acc &= operand
		case opReturn:
			return in.k, nil
		case opJump:
			pc += int(in.k)
		default:
			taken, ok := compare(in.code&^unix.BPF_X, acc, operand)
			if !ok {
				return 0, fmt.Errorf("instruction %d has code %#x", pc, in.code)
			}
			if taken {
				pc += int(in.jt)
			} else {
				pc += int(in.jf)
			}
		}
	}
	return 0, fmt.Errorf("ran off the end")
}

func compare(code uint16, acc, operand uint32) (taken, ok bool) {
	switch code {
	case opEqual:
		return acc == operand, true
	case opGreater:
		return acc > operand, true
	case opAtLeast:
		return acc >= operand, true
	case unix.BPF_JMP | unix.BPF_JSET:
		return acc&operand != 0, true
	}
	return false, false
}

// program decodes and checks a compiled filter.
func program(t testing.TB, p *Program) []instruction {
	t.Helper()
	prog, err := decode(p.Filter)
	if err != nil {
		t.Fatal(err)
	}
	if err := check(prog); err != nil {
		t.Fatal(err)
	}
	return prog
}

// verdict runs one call through a compiled filter.
func verdict(t testing.TB, prog []instruction, c call) uint32 {
	t.Helper()
	v, err := interpret(prog, c)
	if err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	return v
}
