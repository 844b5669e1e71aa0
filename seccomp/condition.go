package seccomp

import (
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// condition goes on if c holds and jumps to fail if not. Arguments are compared
// as unsigned 64-bit numbers, half by half; where they are narrow the upper half
// is zero, in c too.
func (a *assembler) condition(c condition, narrow bool, fail label) {
	lo := uint32(dataArgs + 8*c.index)
	hi := lo + 4 // little endian, as all architectures built for
	holds := a.newLabel()
	if c.op == specs.OpMaskedEqual {
		c.two &= c.value
	}
	if !narrow {
		a.load(hi)
		a.upperHalf(c, holds, fail)
	}
	a.load(lo)
	a.lowerHalf(c, fail)
	a.place(holds)
}

// upperHalf decides what the loaded upper half can decide, else goes on.
func (a *assembler) upperHalf(c condition, holds, fail label) {
	value := uint32(c.value >> 32)
	switch c.op {
	case specs.OpEqualTo:
		a.jumpUnless(opEqual, value, fail)
	case specs.OpNotEqual:
		a.jumpUnless(opEqual, value, holds)
	case specs.OpGreaterThan, specs.OpGreaterEqual:
		a.jumpIf(opGreater, value, holds)
		a.jumpUnless(opEqual, value, fail)
	case specs.OpLessThan, specs.OpLessEqual:
		a.jumpIf(opGreater, value, fail)
		a.jumpUnless(opEqual, value, holds)
	case specs.OpMaskedEqual:
		a.and(value)
		a.jumpUnless(opEqual, uint32(c.two>>32), fail)
	}
}

// lowerHalf decides by the loaded lower half, the upper ones being equal.
func (a *assembler) lowerHalf(c condition, fail label) {
	value := uint32(c.value)
	switch c.op {
	case specs.OpEqualTo:
		a.jumpUnless(opEqual, value, fail)
	case specs.OpNotEqual:
		a.jumpIf(opEqual, value, fail)
	case specs.OpGreaterThan:
		a.jumpUnless(opGreater, value, fail)
	case specs.OpGreaterEqual:
		a.jumpUnless(opAtLeast, value, fail)
	case specs.OpLessThan:
		a.jumpIf(opAtLeast, value, fail)
	case specs.OpLessEqual:
		a.jumpIf(opGreater, value, fail)
	case specs.OpMaskedEqual:
		a.and(value)
		a.jumpUnless(opEqual, uint32(c.two), fail)
	}
}
