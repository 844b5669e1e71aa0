package step

import "errors"

// The binary form of a list is the number of its steps, then each step: its kind, its config path,
// its fields in walk's order. Numbers are little-endian; strings and lists carry their length first,
// in 32 bits, so no length can overflow into another (CVE-2021-43784).

// ErrCodec is returned for bytes that no Encode has written.
var ErrCodec = errors.New("plan: malformed step list")

// MaxDepth is how deep Fallback steps may nest.
const MaxDepth = 4

// Encode gives the binary form of steps.
func Encode(steps []Step) []byte {
	e := &encoder{b: make([]byte, 0, 4096)}
	e.stepList(steps)
	return e.b
}

// Decode reads what Encode has written. Byte slices and strings of the result do not alias b.
func Decode(b []byte) ([]Step, error) {
	d := &decoder{b: b}
	steps := d.stepList()
	if d.bad || len(d.b) != 0 {
		return nil, ErrCodec
	}
	return steps, nil
}

type encoder struct{ b []byte }

func (e *encoder) num(n int) { e.b = appendU32(e.b, uint32(n)) }

func (e *encoder) stepList(steps []Step) {
	e.num(len(steps))
	for _, s := range steps {
		e.b = append(e.b, byte(s.Kind()))
		at := s.Where()
		e.str("at", &at)
		s.walk(e)
	}
}

func (e *encoder) str(_ string, v *string) {
	e.num(len(*v))
	e.b = append(e.b, *v...)
}

func (e *encoder) strs(_ string, v *[]string) {
	e.num(len(*v))
	for i := range *v {
		e.str("", &(*v)[i])
	}
}

func (e *encoder) blob(_ string, v *[]byte) {
	e.num(len(*v))
	e.b = append(e.b, *v...)
}

func (e *encoder) flag(_ string, v *bool) {
	var b byte
	if *v {
		b = 1
	}
	e.b = append(e.b, b)
}

func (e *encoder) u32(_ string, v *uint32) { e.b = appendU32(e.b, *v) }
func (e *encoder) u64(_ string, v *uint64) { e.b = appendU64(e.b, *v) }
func (e *encoder) i64(_ string, v *int64) {
	e.b = appendU64(e.b, uint64(*v))
}

func (e *encoder) bits(_ string, v *uint64, _ bitNames) { e.u64("", v) }

func (e *encoder) word(_ string, v *uint32, _ func(uint32) string) { e.u32("", v) }

func (e *encoder) octal(_ string, v *uint32) { e.u32("", v) }

func (e *encoder) u32s(_ string, v *[]uint32) {
	e.num(len(*v))
	for _, n := range *v {
		e.num(int(n))
	}
}

func (e *encoder) fd(_ string, v *FD) { e.num(int(*v)) }

func (e *encoder) fds(_ string, v *[]FD) {
	e.num(len(*v))
	for _, n := range *v {
		e.num(int(n))
	}
}

func (e *encoder) steps(_ string, v *[]Step) { e.stepList(*v) }

func (e *encoder) list(_ string, n int, _ func(int), at func(int, walker)) {
	e.num(n)
	for i := range n {
		at(i, e)
	}
}

// decoder stops at the first thing that does not fit: bad is set and every later read gives zero.
type decoder struct {
	b     []byte
	depth int
	bad   bool
}

func (d *decoder) take(n int) []byte {
	if d.bad || n < 0 || n > len(d.b) {
		d.bad = true
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) num() uint32 {
	b := d.take(4)
	if b == nil {
		return 0
	}
	return getU32(b)
}

// count reads the length of a list whose entries take at least least bytes each, so that a hostile
// length cannot make us allocate.
func (d *decoder) count(least int) int {
	n := uint64(d.num())
	if n*uint64(least) > uint64(len(d.b)) {
		d.bad = true
		return 0
	}
	return int(n)
}

func (d *decoder) stepList() []Step {
	if d.depth++; d.depth > MaxDepth {
		d.bad = true
	}
	n := d.count(5)
	var steps []Step
	if n > 0 {
		steps = make([]Step, 0, n)
	}
	for range n {
		k := d.take(1)
		if k == nil {
			break
		}
		s := newStep(Kind(k[0]))
		if s == nil {
			d.bad = true
			break
		}
		d.str("at", &s.place().At)
		s.walk(d)
		steps = append(steps, s)
	}
	d.depth--
	return steps
}

func (d *decoder) str(_ string, v *string) { *v = string(d.take(d.count(1))) }

func (d *decoder) strs(_ string, v *[]string) {
	n := d.count(4)
	if n == 0 {
		return
	}
	*v = make([]string, n)
	for i := range *v {
		d.str("", &(*v)[i])
	}
}

func (d *decoder) blob(_ string, v *[]byte) {
	if b := d.take(d.count(1)); len(b) > 0 {
		*v = append([]byte(nil), b...)
	}
}

func (d *decoder) flag(_ string, v *bool) {
	b := d.take(1)
	if b == nil {
		return
	}
	if b[0] > 1 {
		d.bad = true
	}
	*v = b[0] == 1
}

func (d *decoder) u32(_ string, v *uint32) { *v = d.num() }

func (d *decoder) u64(_ string, v *uint64) {
	if b := d.take(8); b != nil {
		*v = getU64(b)
	}
}

func (d *decoder) i64(_ string, v *int64) {
	var u uint64
	d.u64("", &u)
	*v = int64(u)
}

func (d *decoder) bits(_ string, v *uint64, _ bitNames) { d.u64("", v) }

func (d *decoder) word(_ string, v *uint32, _ func(uint32) string) { d.u32("", v) }

func (d *decoder) octal(_ string, v *uint32) { d.u32("", v) }

func (d *decoder) u32s(_ string, v *[]uint32) {
	n := d.count(4)
	if n == 0 {
		return
	}
	*v = make([]uint32, n)
	for i := range *v {
		(*v)[i] = d.num()
	}
}

func (d *decoder) fd(_ string, v *FD) { *v = FD(d.num()) }

func (d *decoder) fds(_ string, v *[]FD) {
	n := d.count(4)
	if n == 0 {
		return
	}
	*v = make([]FD, n)
	for i := range *v {
		(*v)[i] = FD(d.num())
	}
}

func (d *decoder) steps(_ string, v *[]Step) { *v = d.stepList() }

func (d *decoder) list(_ string, _ int, grow func(int), at func(int, walker)) {
	n := d.count(4)
	if n == 0 {
		return
	}
	grow(n)
	for i := range n {
		at(i, d)
	}
}

// encoding/binary would bring reflect into the init stage.

func appendU32(b []byte, v uint32) []byte {
	return append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
}

func appendU64(b []byte, v uint64) []byte { return appendU32(appendU32(b, uint32(v)), uint32(v>>32)) }

func getU32(b []byte) uint32 {
	return uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
}

func getU64(b []byte) uint64 { return uint64(getU32(b)) | uint64(getU32(b[4:]))<<32 }
