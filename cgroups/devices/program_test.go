package devices

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/cilium/ebpf/asm"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// run interprets the subset of eBPF that program uses, on one request.
func run(t testing.TB, prog []insn, typ Type, major, minor uint32, a Access) bool {
	ctx := [3]uint32{uint32(a)<<16 | uint32(typ), major, minor}
	var reg [11]uint64
	for pc, steps := 0, 0; ; pc++ {
		if pc < 0 || pc >= len(prog) || steps > 1<<20 {
			t.Fatalf("program runs away at %d", pc)
		}
		steps++
		in := prog[pc]
		dst, src := in.regs&15, in.regs>>4
		switch in.code {
		case opLoad32:
			reg[dst] = uint64(ctx[in.off/4])
		case opMovReg:
			reg[dst] = uint64(uint32(reg[src]))
		case opMovImm:
			reg[dst] = uint64(int64(in.imm))
		case opAndImm:
			reg[dst] = uint64(uint32(reg[dst]) & uint32(in.imm))
		case opShrImm:
			reg[dst] = uint64(uint32(reg[dst]) >> uint32(in.imm))
		case opJneImm:
			if uint32(reg[dst]) != uint32(in.imm) {
				pc += int(in.off)
			}
		case opJsetImm:
			if uint32(reg[dst])&uint32(in.imm) != 0 {
				pc += int(in.off)
			}
		case opJump:
			pc += int(in.off)
		case opExit:
			return reg[regRet] == 1
		default:
			t.Fatalf("unknown instruction %#x at %d", in.code, pc)
		}
	}
}

// oracle decides one request from the plain list, operation by operation: the
// last rule that mentions it, else deny.
func oracle(rules []Rule, typ Type, major, minor uint32, a Access) bool {
	for _, bit := range []Access{Mknod, Read, Write} {
		if a&bit == 0 {
			continue
		}
		allowed := false
		for _, r := range rules {
			if r.Type&typ != 0 && r.Access&bit != 0 &&
				(r.Major == Any || r.Major == int64(major)) && (r.Minor == Any || r.Minor == int64(minor)) {
				allowed = r.Allow
			}
		}
		if !allowed {
			return false
		}
	}
	return true
}

// numbers in which the random rules and requests meet often.
var numbers = []int64{Any, 0, 1, 3, 136, 1<<32 - 1}

func ruleFrom(b []byte) Rule {
	return Rule{
		Allow:  b[0]&1 == 0,
		Type:   Type(b[0]>>1%3 + 1),
		Major:  numbers[int(b[1])%len(numbers)],
		Minor:  numbers[int(b[2])%len(numbers)],
		Access: Access(b[3]%7 + 1),
	}
}

// compare checks normal form, program and, where it is expressible, v1 state
// against the oracle, over every class of requests.
func compare(t testing.TB, rules []Rule) {
	p := New(rules)
	prog := p.program()
	state, v1err := p.v1()
	for _, typ := range []Type{Block, Char} {
		for _, major := range numbers {
			for _, minor := range numbers {
				if major == Any {
					major = 77 // a number that no rule names
				}
				if minor == Any {
					minor = 78
				}
				for a := Access(1); a <= Full; a++ {
					want := oracle(rules, typ, uint32(major), uint32(minor), a)
					if got := p.Allowed(typ, uint32(major), uint32(minor), a); got != want {
						t.Fatalf("rules %v, normal %v: Allowed(%d %d:%d %d) = %v", rules, p.rules, typ, major, minor, a, got)
					}
					if got := run(t, prog, typ, uint32(major), uint32(minor), a); got != want {
						t.Fatalf("rules %v: program(%d %d:%d %d) = %v", rules, typ, major, minor, a, got)
					}
					if v1err == nil && a&(a-1) == 0 {
						if got := state.allows(Rule{Type: typ, Major: major, Minor: minor, Access: a}); got != want {
							t.Fatalf("rules %v: v1 state %+v allows %d %d:%d %d = %v", rules, state, typ, major, minor, a, got)
						}
					}
				}
			}
		}
	}
	if p.AllowsAll() != (len(rules) > 0 && allowsEverything(rules)) {
		t.Fatalf("rules %v: AllowsAll = %v", rules, p.AllowsAll())
	}
}

// allows decides one operation as the kernel's v1 controller does.
func (s v1State) allows(r Rule) bool {
	for _, e := range s.exceptions {
		if e.covers(r) {
			return !s.allow
		}
	}
	return s.allow
}

// allowsEverything looks for a full allow with no deny after it.
func allowsEverything(rules []Rule) bool {
	p := false
	for _, r := range rules {
		if !r.Allow {
			p = false
		} else if r == (Rule{true, All, Any, Any, Full}) {
			p = true
		}
	}
	return p
}

func FuzzPolicy(f *testing.F) {
	f.Add([]byte{0, 0, 0, 6, 1, 1, 1, 2})
	f.Add([]byte{4, 0, 0, 6, 3, 2, 3, 6, 2, 2, 3, 6})
	f.Add([]byte{5, 0, 0, 6, 2, 2, 3, 1, 2, 2, 3, 2, 3, 2, 3, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		var rules []Rule
		for ; len(b) >= 4 && len(rules) < 40; b = b[4:] {
			rules = append(rules, ruleFrom(b))
		}
		// A full allow that later denies leave whole must stay recognised; the
		// plain test below cannot tell a deny of nothing, so skip those lists.
		for i, r := range rules {
			if !r.Allow && i > 0 {
				compareLoose(t, rules)
				return
			}
		}
		compare(t, rules)
	})
}

// compareLoose is compare for lists in which later rules undo earlier ones,
// where AllowsAll may be less than perfect but never wrong.
func compareLoose(t testing.TB, rules []Rule) {
	p := New(rules)
	if p.AllowsAll() && !oracle(rules, Char, 77, 78, Full) {
		t.Fatalf("rules %v: AllowsAll", rules)
	}
	prog := p.program()
	for range 64 {
		typ, a := Type(rand.IntN(2)+1), Access(rand.IntN(7)+1)
		major, minor := uint32(numbers[rand.IntN(len(numbers))]), uint32(numbers[rand.IntN(len(numbers))])
		want := oracle(rules, typ, major, minor, a)
		if got := p.Allowed(typ, major, minor, a); got != want {
			t.Fatalf("rules %v, normal %v: Allowed(%d %d:%d %d) = %v", rules, p.rules, typ, major, minor, a, got)
		}
		if got := run(t, prog, typ, major, minor, a); got != want {
			t.Fatalf("rules %v: program(%d %d:%d %d) = %v", rules, typ, major, minor, a, got)
		}
	}
}

func TestRandomPolicies(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var rules []Rule
		for range rnd.IntN(9) {
			var b [4]byte
			binary.LittleEndian.PutUint32(b[:], rnd.Uint32())
			r := ruleFrom(b[:])
			if rnd.IntN(12) == 0 {
				r = Rule{r.Allow, All, Any, Any, Full}
			}
			rules = append(rules, r)
		}
		compareLoose(t, rules)
		full := rules[:0:0]
		for _, r := range rules {
			r.Allow = true
			full = append(full, r)
		}
		compare(t, full)
	}
}

// TestEncoding compares the bytes with those of the cilium assembler.
func TestEncoding(t *testing.T) {
	t.Parallel()
	p := &Policy{[]Rule{ // not through New, which sees that two of them say nothing
		{true, Char, 1, 1<<32 - 1, Full}, {false, Block, Any, 3, Full}, {true, All, Any, Any, Read}, {false, Char, 5, Any, Write},
	}}
	next := func(n int) string { return "next" + string(rune('0'+n)) }
	want := asm.Instructions{
		asm.LoadMem(asm.R2, asm.R1, 0, asm.Word),
		asm.Mov.Reg32(asm.R3, asm.R2),
		asm.And.Imm32(asm.R2, 0xffff),
		asm.RSh.Imm32(asm.R3, 16),
		asm.And.Imm32(asm.R3, 7),
		asm.LoadMem(asm.R4, asm.R1, 4, asm.Word),
		asm.LoadMem(asm.R5, asm.R1, 8, asm.Word),

		asm.JNE.Imm32(asm.R2, 2, next(1)), // deny c 5:* w
		asm.JNE.Imm32(asm.R4, 5, next(1)),
		asm.JSet.Imm32(asm.R3, 4, "deny"),
		asm.Ja.Label(next(1)),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("deny"),
		asm.Return(),
		asm.And.Imm32(asm.R3, 5).WithSymbol(next(1)), // allow a *:* r
		asm.JNE.Imm32(asm.R3, 0, next(2)),
		asm.Mov.Imm(asm.R0, 1),
		asm.Return(),
		asm.JNE.Imm32(asm.R2, 1, next(3)).WithSymbol(next(2)), // deny b *:3 rwm
		asm.JNE.Imm32(asm.R5, 3, next(3)),
		asm.Mov.Imm(asm.R0, 0),
		asm.Return(),
		asm.JNE.Imm32(asm.R2, 2, next(4)).WithSymbol(next(3)), // allow c 1:4294967295 rwm
		asm.JNE.Imm32(asm.R4, 1, next(4)),
		asm.JNE.Imm32(asm.R5, -1, next(4)),
		asm.Mov.Imm(asm.R0, 1),
		asm.Return(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol(next(4)),
		asm.Return(),
	}
	var theirs, ours bytes.Buffer
	if err := want.Marshal(&theirs, binary.LittleEndian); err != nil {
		t.Fatal(err)
	}
	for _, in := range p.program() {
		if err := binary.Write(&ours, binary.LittleEndian, struct {
			Code, Regs uint8
			Off        int16
			Imm        int32
		}{in.code, in.regs, in.off, in.imm}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(theirs.Bytes(), ours.Bytes()) {
		t.Errorf("program\n%x\nwant\n%x", ours.Bytes(), theirs.Bytes())
	}
}

func TestCompile(t *testing.T) {
	t.Parallel()
	p, err := Compile(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		typ          Type
		major, minor uint32
		access       Access
		want         bool
	}{
		{Block, 8, 0, Read, false}, {Block, 8, 0, Mknod, true}, {Char, 1, 3, Full, true}, {Char, 136, 7, Read | Write, true},
		{Char, 1, 11, Read, false}, {Char, 10, 200, Full, true}, {Char, 5, 1, Write, false}, {Char, 5, 2, Full, true},
	} {
		if got := p.Allowed(c.typ, c.major, c.minor, c.access); got != c.want {
			t.Errorf("default policy: %+v: %v", c, got)
		}
	}
	all, err := Compile([]specs.LinuxDeviceCgroup{{Allow: true, Access: "rwm"}})
	if err != nil || !all.AllowsAll() {
		t.Errorf("allow all: %v, %v", all, err)
	}
	neg := int64(-2)
	for want, d := range map[string]specs.LinuxDeviceCgroup{
		`linux.resources.devices[0].type: "u" is not a, b or c`:                {Type: "u", Access: "r"},
		`linux.resources.devices[0].access: is empty, want some of r, w and m`: {Type: "c"},
		`linux.resources.devices[0].access: "rx" is not of r, w and m`:         {Type: "c", Access: "rx"},
		`linux.resources.devices[0].major: -2 is not a device number`:          {Type: "c", Access: "r", Major: &neg},
	} {
		if _, err := Compile([]specs.LinuxDeviceCgroup{d}); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// TestLoad has the kernel's verifier read programs, also a long one.
func TestLoad(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to load eBPF programs")
	}
	long := builtin()
	for i := range int64(1000) {
		long = append(long, Rule{i%3 != 0, Char, i, i % 7, Access(i%7 + 1)})
	}
	all := append([]Rule{{true, All, Any, Any, Full}, {false, Char, 1, 11, Read | Write}}, builtin()...)
	lists := [][]Rule{nil, builtin(), long, all}
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		var rules []Rule
		for range rnd.IntN(6) {
			var b [4]byte
			binary.LittleEndian.PutUint32(b[:], rnd.Uint32())
			r := ruleFrom(b[:])
			if rnd.IntN(4) == 0 {
				r = Rule{r.Allow, All, Any, Any, Full}
			}
			rules = append(rules, r)
		}
		lists = append(lists, rules)
	}
	for _, rules := range lists {
		p := New(rules)
		fd, err := loadProgram(p.program())
		if err != nil {
			t.Fatalf("%d rules: %v, of %v", len(rules), err, p.Rules()[:min(len(p.Rules()), 9)])
		}
		closeAll([]int{fd})
	}
}
