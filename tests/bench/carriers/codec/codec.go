// Package codec is the binary form in which the ten steps travel to every carrier.
//
// A plan is a uint32 count of steps; a step is a uint16 operation, a uint16 count of strings, a
// uint64 number, and the strings, each a uint16 length and that many bytes of which the last is
// NUL, so that both languages hand it to the kernel where it lies.  Integers are little-endian.
package codec

import "encoding/binary"

// Op names a step; door/steps.h has the same numbers.
type Op uint16

// The operations, with what Num and Str mean for each.
const (
	SetHostname Op = 1 // Str: name
	Mount       Op = 2 // Num: MS_* flags; Str: source, target, type, data
	Pivot       Op = 3 // Str: new root, put old
	Umount      Op = 4 // Num: flags; Str: target
	Chdir       Op = 5 // Str: path
	Drop        Op = 6 // Num: capabilities that stay; also sets no_new_privs
	Exec        Op = 7 // Str: program, which is also its only argument
	Barrier     Op = 8 // say "r" on the socket and wait for one byte
)

// Step is one step of a plan.
type Step struct {
	Op  Op
	Num uint64
	Str []string
}

// Encode gives the steps' binary form.
func Encode(steps []Step) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(steps)))
	for _, s := range steps {
		b = binary.LittleEndian.AppendUint16(b, uint16(s.Op))
		b = binary.LittleEndian.AppendUint16(b, uint16(len(s.Str)))
		b = binary.LittleEndian.AppendUint64(b, s.Num)
		for _, str := range s.Str {
			b = binary.LittleEndian.AppendUint16(b, uint16(len(str)+1))
			b = append(append(b, str...), 0)
		}
	}
	return b
}
