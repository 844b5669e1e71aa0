package step

import "strconv"

// AppendJSON appends the JSON form of steps: an array of objects with "step" (the kind), "at" (the
// config path, absent when there is none) and the fields that are not zero. Bit sets are arrays of
// names, byte strings that are not text have base 16.
func AppendJSON(b []byte, steps []Step) []byte {
	b = append(b, '[')
	for i, s := range steps {
		if i > 0 {
			b = append(b, ',')
		}
		j := &jsoner{b: append(b, `{"step":`...)}
		j.b = appendJSONString(j.b, s.Kind().String())
		at := s.Where()
		j.str("at", &at)
		s.walk(j)
		b = append(j.b, '}')
	}
	return append(b, ']')
}

type jsoner struct {
	b     []byte
	first bool // nothing stands before the next key
}

func (j *jsoner) key(name string) {
	if !j.first {
		j.b = append(j.b, ',')
	}
	j.first = false
	j.b = append(appendJSONString(j.b, name), ':')
}

func (j *jsoner) str(name string, v *string) {
	if *v != "" {
		j.key(name)
		j.b = appendJSONString(j.b, *v)
	}
}

func (j *jsoner) strs(name string, v *[]string) {
	j.array(name, len(*v), func(i int) { j.b = appendJSONString(j.b, (*v)[i]) })
}

func (j *jsoner) array(name string, n int, at func(i int)) {
	if n == 0 {
		return
	}
	j.key(name)
	j.b = append(j.b, '[')
	for i := range n {
		if i > 0 {
			j.b = append(j.b, ',')
		}
		at(i)
	}
	j.b = append(j.b, ']')
}

func (j *jsoner) blob(name string, v *[]byte) {
	if len(*v) == 0 {
		return
	}
	j.key(name)
	if printable(*v) {
		j.b = appendJSONString(j.b, string(*v))
		return
	}
	const hex = "0123456789abcdef"
	j.b = append(j.b, '"')
	for _, c := range *v {
		j.b = append(j.b, hex[c>>4], hex[c&15])
	}
	j.b = append(j.b, '"')
}

func (j *jsoner) flag(name string, v *bool) {
	if *v {
		j.key(name)
		j.b = append(j.b, "true"...)
	}
}

func (j *jsoner) u32(name string, v *uint32) {
	u := uint64(*v)
	j.u64(name, &u)
}

func (j *jsoner) u64(name string, v *uint64) {
	if *v != 0 {
		j.key(name)
		j.b = strconv.AppendUint(j.b, *v, 10)
	}
}

func (j *jsoner) i64(name string, v *int64) {
	if *v != 0 {
		j.key(name)
		j.b = strconv.AppendInt(j.b, *v, 10)
	}
}

func (j *jsoner) bits(name string, v *uint64, names bitNames) {
	if *v == 0 {
		return
	}
	var set []string
	for n := range 64 {
		bit := uint64(1) << n
		if *v&bit != 0 {
			set = append(set, string(appendBits(nil, bit, names)))
		}
	}
	j.strs(name, &set)
}

func (j *jsoner) word(name string, v *uint32, names func(uint32) string) {
	if s := names(*v); s != "" && *v != 0 {
		j.str(name, &s)
		return
	}
	j.u32(name, v)
}

func (j *jsoner) octal(name string, v *uint32) {
	if *v != 0 {
		s := "0" + strconv.FormatUint(uint64(*v), 8)
		j.str(name, &s)
	}
}

func (j *jsoner) u32s(name string, v *[]uint32) {
	j.array(name, len(*v), func(i int) { j.b = strconv.AppendUint(j.b, uint64((*v)[i]), 10) })
}

func (j *jsoner) fd(name string, v *FD) {
	u := uint64(*v)
	j.u64(name, &u)
}

func (j *jsoner) fds(name string, v *[]FD) {
	j.array(name, len(*v), func(i int) { j.b = strconv.AppendUint(j.b, uint64((*v)[i]), 10) })
}

func (j *jsoner) steps(name string, v *[]Step) {
	if len(*v) > 0 {
		j.key(name)
		j.b = AppendJSON(j.b, *v)
	}
}

func (j *jsoner) list(name string, n int, _ func(int), at func(int, walker)) {
	j.array(name, n, func(i int) {
		j.b = append(j.b, '{')
		j.first = true
		at(i, j)
		j.first = false
		j.b = append(j.b, '}')
	})
}

// appendJSONString quotes s for JSON; bytes that are no UTF-8 become U+FFFD, as in encoding/json.
func appendJSONString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s { // an invalid byte ranges as U+FFFD
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, `\n`...)
		case r == '\t':
			b = append(b, `\t`...)
		case r < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = append(b, string(r)...)
		}
	}
	return append(b, '"')
}
