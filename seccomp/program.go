package seccomp

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"
)

// maxInstructions is the kernel's limit for one program (BPF_MAXINSNS).
const maxInstructions = 4096

// instruction is a struct sock_filter of linux/filter.h.
type instruction struct {
	code   uint16
	jt, jf uint8
	k      uint32
}

const instructionSize = 8

// Instruction codes that tare writes or looks for (linux/bpf_common.h).
const (
	opLoad    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
	opAnd     = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
	opJump    = unix.BPF_JMP | unix.BPF_JA
	opEqual   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
	opGreater = unix.BPF_JMP | unix.BPF_JGT | unix.BPF_K
	opAtLeast = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
	opReturn  = unix.BPF_RET | unix.BPF_K
	opReturnA = unix.BPF_RET | unix.BPF_A
)

// Offsets in struct seccomp_data.
const (
	dataNumber = 0
	dataArch   = 4
	dataArgs   = 16
	dataSize   = 64
)

// decode reads an array of struct sock_filter in the byte order of this machine.
func decode(code []byte) ([]instruction, error) {
	if len(code) == 0 || len(code)%instructionSize != 0 {
		return nil, fmt.Errorf("%d bytes are no whole number of BPF instructions", len(code))
	}
	prog := make([]instruction, len(code)/instructionSize)
	for i := range prog {
		b := code[i*instructionSize:]
		prog[i] = instruction{
			code: binary.NativeEndian.Uint16(b), jt: b[2], jf: b[3], k: binary.NativeEndian.Uint32(b[4:]),
		}
	}
	return prog, nil
}

// encode is the reverse of decode.
func encode(prog []instruction) []byte {
	code := make([]byte, 0, len(prog)*instructionSize)
	for _, in := range prog {
		code = binary.NativeEndian.AppendUint16(code, in.code)
		code = append(code, in.jt, in.jf)
		code = binary.NativeEndian.AppendUint32(code, in.k)
	}
	return code
}

// check applies the kernel's rules for a seccomp program (seccomp_check_filter
// and bpf_check_classic), so that a bad one is refused before a container exists.
func check(prog []instruction) error {
	if len(prog) > maxInstructions {
		return fmt.Errorf("the filter has %d instructions, the kernel takes %d", len(prog), maxInstructions)
	}
	for i, in := range prog {
		if err := checkOne(in, len(prog)-i-1); err != nil {
			return fmt.Errorf("BPF instruction %d: %w", i, err)
		}
	}
	if last := prog[len(prog)-1].code; last != opReturn && last != opReturnA {
		return fmt.Errorf("the last BPF instruction does not return")
	}
	return nil
}

// checkOne checks an instruction that has after others behind it.
func checkOne(in instruction, after int) error {
	switch in.code {
	case opLoad:
		if in.k >= dataSize || in.k&3 != 0 {
			return fmt.Errorf("load from offset %d, outside of struct seccomp_data", in.k)
		}
	case opJump:
		if uint64(in.k) >= uint64(after) {
			return fmt.Errorf("jump out of the program")
		}
	case unix.BPF_LD | unix.BPF_MEM, unix.BPF_LDX | unix.BPF_MEM, unix.BPF_ST, unix.BPF_STX:
		if in.k >= unix.BPF_MEMWORDS {
			return fmt.Errorf("scratch word %d does not exist", in.k)
		}
	case unix.BPF_ALU | unix.BPF_DIV | unix.BPF_K:
		if in.k == 0 {
			return fmt.Errorf("division by zero")
		}
	case unix.BPF_ALU | unix.BPF_LSH | unix.BPF_K, unix.BPF_ALU | unix.BPF_RSH | unix.BPF_K:
		if in.k >= 32 {
			return fmt.Errorf("shift by %d bits", in.k)
		}
	default:
		return checkOther(in, after)
	}
	return nil
}

func checkOther(in instruction, after int) error {
	class, src := in.code&0x07, in.code&0x08
	switch class {
	case unix.BPF_JMP:
		switch in.code &^ src {
		case opEqual, opGreater, opAtLeast, unix.BPF_JMP | unix.BPF_JSET:
			if int(in.jt) >= after || int(in.jf) >= after {
				return fmt.Errorf("jump out of the program")
			}
			return nil
		}
	case unix.BPF_ALU:
		switch in.code &^ (class | src) {
		case unix.BPF_ADD, unix.BPF_SUB, unix.BPF_MUL, unix.BPF_DIV, unix.BPF_OR,
			unix.BPF_AND, unix.BPF_XOR, unix.BPF_LSH, unix.BPF_RSH:
			return nil
		case unix.BPF_NEG:
			if src == 0 {
				return nil
			}
		}
	default:
		switch in.code {
		case opReturn, opReturnA, unix.BPF_LD | unix.BPF_IMM, unix.BPF_LDX | unix.BPF_IMM,
			unix.BPF_LD | unix.BPF_W | unix.BPF_LEN, unix.BPF_LDX | unix.BPF_W | unix.BPF_LEN,
			unix.BPF_MISC | unix.BPF_TAX, unix.BPF_MISC | unix.BPF_TXA:
			return nil
		}
	}
	return fmt.Errorf("code %#x is not allowed in a seccomp filter", in.code)
}

// notifies tells whether some constant return of a program is USER_NOTIF.
func notifies(prog []instruction) bool {
	for _, in := range prog {
		if in.code == opReturn && in.k&unix.SECCOMP_RET_ACTION_FULL == unix.SECCOMP_RET_USER_NOTIF {
			return true
		}
	}
	return false
}
