package step

import "strconv"

// AppendText appends the text form of steps, one line each: the kind, then the fields that are not
// zero, then the config path as a comment. Nested steps are indented. It is what golden tests hold
// and what `tare plan` prints.
func AppendText(b []byte, steps []Step) []byte { return appendText(b, steps, 0) }

// Text is the text form of one step without the line's end.
func Text(s Step) string {
	b := AppendText(nil, []Step{s})
	return string(b[:len(b)-1])
}

func appendText(b []byte, steps []Step, depth int) []byte {
	for _, s := range steps {
		for range depth {
			b = append(b, "    "...)
		}
		t := &texter{b: append(b, s.Kind().String()...), depth: depth}
		s.walk(t)
		b = t.b
		if at := s.Where(); at != "" {
			b = append(append(b, "  # "...), at...)
		}
		b = append(b, '\n')
		b = append(b, t.nested...)
	}
	return b
}

type texter struct {
	b      []byte
	nested []byte // lines of inner steps, printed after this one's
	depth  int
}

func (t *texter) key(name string) { t.b = append(append(append(t.b, ' '), name...), '=') }

// put writes s bare when that cannot be misread, else quoted.
func (t *texter) put(s string) {
	bare := s != ""
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == ',' || c == '[' || c == ']' || c == '#' || c == '=' {
			bare = false
			break
		}
	}
	if bare {
		t.b = append(t.b, s...)
		return
	}
	t.b = strconv.AppendQuote(t.b, s)
}

func (t *texter) str(name string, v *string) {
	if *v != "" {
		t.key(name)
		t.put(*v)
	}
}

func (t *texter) strs(name string, v *[]string) {
	if len(*v) == 0 {
		return
	}
	t.key(name)
	t.b = append(t.b, '[')
	for i, s := range *v {
		if i > 0 {
			t.b = append(t.b, ' ')
		}
		t.put(s)
	}
	t.b = append(t.b, ']')
}

// blob prints what a person can read as text; of the rest only its length and a checksum, which tell
// two apart.
func (t *texter) blob(name string, v *[]byte) {
	if len(*v) == 0 {
		return
	}
	t.key(name)
	if printable(*v) {
		t.b = strconv.AppendQuote(t.b, string(*v))
		return
	}
	t.b = strconv.AppendInt(t.b, int64(len(*v)), 10)
	t.b = append(t.b, " bytes, fnv "...)
	t.b = strconv.AppendUint(t.b, fnv(*v), 16)
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}

// fnv is the 64-bit FNV-1a hash.
func fnv(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return h
}

func (t *texter) flag(name string, v *bool) {
	if *v {
		t.b = append(append(t.b, ' '), name...)
	}
}

func (t *texter) u32(name string, v *uint32) {
	u := uint64(*v)
	t.u64(name, &u)
}

func (t *texter) u64(name string, v *uint64) {
	if *v != 0 {
		t.key(name)
		t.b = strconv.AppendUint(t.b, *v, 10)
	}
}

func (t *texter) i64(name string, v *int64) {
	if *v != 0 {
		t.key(name)
		t.b = strconv.AppendInt(t.b, *v, 10)
	}
}

func (t *texter) bits(name string, v *uint64, names bitNames) {
	if *v != 0 {
		t.key(name)
		t.b = appendBits(t.b, *v, names)
	}
}

func (t *texter) word(name string, v *uint32, names func(uint32) string) {
	if *v == 0 {
		return
	}
	if s := names(*v); s != "" {
		t.str(name, &s)
		return
	}
	t.u32(name, v)
}

func (t *texter) octal(name string, v *uint32) {
	if *v != 0 {
		t.key(name)
		t.b = strconv.AppendUint(append(t.b, '0'), uint64(*v), 8)
	}
}

// appendBits writes the names of the bits of v joined by commas, and in hexadecimal what has none.
func appendBits(b []byte, v uint64, names bitNames) []byte {
	start := len(b)
	for n := range 64 {
		bit := uint64(1) << n
		name := names(bit)
		if v&bit == 0 || name == "" {
			continue
		}
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(b, name...)
		v &^= bit
	}
	if v != 0 {
		if len(b) > start {
			b = append(b, ',')
		}
		b = strconv.AppendUint(append(b, "0x"...), v, 16)
	}
	return b
}

func (t *texter) u32s(name string, v *[]uint32) {
	if len(*v) == 0 {
		return
	}
	t.key(name)
	t.b = append(t.b, '[')
	for i, n := range *v {
		if i > 0 {
			t.b = append(t.b, ' ')
		}
		t.b = strconv.AppendUint(t.b, uint64(n), 10)
	}
	t.b = append(t.b, ']')
}

func (t *texter) fd(name string, v *FD) {
	u := uint64(*v)
	t.u64(name, &u)
}

func (t *texter) fds(name string, v *[]FD) {
	n := make([]uint32, len(*v))
	for i, f := range *v {
		n[i] = uint32(f)
	}
	t.u32s(name, &n)
}

func (t *texter) steps(name string, v *[]Step) {
	if len(*v) == 0 {
		return
	}
	for range t.depth {
		t.nested = append(t.nested, "    "...)
	}
	t.nested = append(append(append(t.nested, "  "...), name...), ":\n"...)
	t.nested = appendText(t.nested, *v, t.depth+1)
}

func (t *texter) list(name string, n int, _ func(int), at func(int, walker)) {
	if n == 0 {
		return
	}
	t.key(name)
	t.b = append(t.b, '[')
	for i := range n {
		t.b = append(t.b, '(')
		mark := len(t.b)
		at(i, t)
		if len(t.b) > mark && t.b[mark] == ' ' {
			t.b = append(t.b[:mark], t.b[mark+1:]...)
		}
		t.b = append(t.b, ')')
	}
	t.b = append(t.b, ']')
}
