package devices

// The program reads struct bpf_cgroup_dev_ctx {u32 access_type, major, minor},
// with the operations in the upper and the type in the lower half of
// access_type, and returns 1 to allow (bpf(2), linux/bpf.h).

// insn is one eBPF instruction, laid out as the kernel reads it; regs has the
// source in the upper nibble, which is right for little-endian machines.
type insn struct {
	code uint8
	regs uint8
	off  int16
	imm  int32
}

// Registers of the program.
const (
	regRet = iota // the answer
	regCtx
	regType  // of the device
	regLeft  // the operations that no rule has decided yet
	regMajor // number
	regMinor // number
)

// Instruction codes: class | source | operation.
const (
	opLoad32  = 0x61 // LDX | MEM | W
	opMovReg  = 0xbc // ALU32 | X | MOV
	opMovImm  = 0xb7 // ALU64 | K | MOV
	opAndImm  = 0x54 // ALU32 | K | AND
	opShrImm  = 0x74 // ALU32 | K | RSH
	opJneImm  = 0x56 // JMP32 | K | JNE
	opJsetImm = 0x46 // JMP32 | K | JSET
	opJump    = 0x05 // JMP | JA
	opExit    = 0x95 // JMP | EXIT
)

func load(dst uint8, off int16) insn             { return insn{opLoad32, dst | regCtx<<4, off, 0} }
func imm(op, dst uint8, v int32) insn            { return insn{op, dst, 0, v} }
func jump(op, dst uint8, v int32, over int) insn { return insn{op, dst, int16(over), v} }

// program compiles the policy: rules from the last to the first, each a short
// block that decides or falls through to the next.
func (p *Policy) program() []insn {
	prog := append(make([]insn, 0, 9+7*len(p.rules)),
		load(regType, 0),
		insn{opMovReg, regLeft | regType<<4, 0, 0},
		imm(opAndImm, regType, 0xffff),
		imm(opShrImm, regLeft, 16),
		imm(opAndImm, regLeft, int32(Full)),
		load(regMajor, 4),
		load(regMinor, 8),
	)
	for i := len(p.rules) - 1; i >= 0; i-- {
		prog = appendRule(prog, p.rules[i])
		if p.rules[i].covers(Rule{Type: All, Major: Any, Minor: Any, Access: Full}) {
			return prog // it has decided everything, and the verifier refuses what cannot be reached
		}
	}
	return appendReturn(prog, 0)
}

func appendReturn(prog []insn, v int32) []insn {
	return append(prog, imm(opMovImm, regRet, v), insn{code: opExit})
}

func appendRule(prog []insn, r Rule) []insn {
	start := len(prog)
	if r.Type != All {
		prog = append(prog, imm(opJneImm, regType, int32(r.Type)))
	}
	if r.Major != Any {
		prog = append(prog, imm(opJneImm, regMajor, int32(uint32(r.Major))))
	}
	if r.Minor != Any {
		prog = append(prog, imm(opJneImm, regMinor, int32(uint32(r.Minor))))
	}
	tests := len(prog)
	switch {
	case r.Access == Full && r.Allow:
		prog = appendReturn(prog, 1)
	case r.Access == Full:
		prog = appendReturn(prog, 0)
	case r.Allow:
		prog = append(prog, imm(opAndImm, regLeft, int32(Full&^r.Access)), jump(opJneImm, regLeft, 0, 2))
		prog = appendReturn(prog, 1)
	default:
		prog = append(prog, jump(opJsetImm, regLeft, int32(r.Access), 1), jump(opJump, 0, 0, 2))
		prog = appendReturn(prog, 0)
	}
	for i := start; i < tests; i++ {
		prog[i].off = int16(len(prog) - i - 1) // not this device: on to the next rule
	}
	return prog
}
