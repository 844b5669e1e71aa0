package state

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// reader takes JSON apart from left to right. After the first error it reads no more; err says where
// it was.
type reader struct {
	b   []byte
	pos int
	err error
}

func (d *reader) fail(what string) {
	if d.err == nil {
		d.err = fmt.Errorf("byte %d: %s expected", d.pos, what)
		d.pos = len(d.b)
	}
}

// peek gives the next byte that is not blank, 0 at the end.
func (d *reader) peek() byte {
	for ; d.pos < len(d.b); d.pos++ {
		switch c := d.b[d.pos]; c {
		case ' ', '\n', '\t', '\r':
		default:
			return c
		}
	}
	return 0
}

// accept skips c if it is next.
func (d *reader) accept(c byte) bool {
	if d.peek() != c || c == 0 {
		return false
	}
	d.pos++
	return true
}

func (d *reader) expect(c byte) {
	if !d.accept(c) {
		d.fail(strconv.QuoteRune(rune(c)))
	}
}

func (d *reader) end() {
	if d.err == nil && d.peek() != 0 || d.pos < len(d.b) {
		d.fail("the end")
	}
}

// object calls member for each key; member reads the value.
func (d *reader) object(member func(key string)) {
	d.expect('{')
	if d.accept('}') {
		return
	}
	for d.err == nil {
		key := d.str()
		d.expect(':')
		if d.err == nil {
			member(key)
		}
		if d.accept('}') {
			return
		}
		d.expect(',')
	}
}

func (d *reader) strs() []string {
	var v []string
	d.expect('[')
	if d.accept(']') {
		return v
	}
	for d.err == nil {
		v = append(v, d.str())
		if d.accept(']') {
			return v
		}
		d.expect(',')
	}
	return nil
}

func (d *reader) strMap() map[string]string {
	m := make(map[string]string)
	d.object(func(key string) { m[key] = d.str() })
	return m
}

func (d *reader) flag() bool {
	switch word := d.word(); word {
	case "true", "false":
		return word == "true"
	}
	d.fail("true or false")
	return false
}

func (d *reader) uint(bits int) uint64 {
	v, err := strconv.ParseUint(d.word(), 10, bits)
	if err != nil {
		d.fail("a whole number")
	}
	return v
}

func (d *reader) time() time.Time {
	t, err := time.Parse(time.RFC3339Nano, d.str())
	if err != nil {
		d.fail("a time (RFC 3339)")
	}
	return t
}

// word reads a number, true, false or null.
func (d *reader) word() string {
	d.peek()
	start := d.pos
	for d.pos < len(d.b) && bytes.IndexByte([]byte(" \n\t\r,:]}[{\""), d.b[d.pos]) < 0 {
		d.pos++
	}
	return string(d.b[start:d.pos])
}

// raw skips a value of any kind and returns its text.
func (d *reader) raw() []byte {
	d.peek()
	start := d.pos
	for depth := 0; ; {
		switch c := d.peek(); c {
		case '{', '[':
			depth++
			d.pos++
		case '}', ']':
			depth--
			d.pos++
		case ',', ':':
			if depth == 0 {
				d.fail("a value")
			}
			d.pos++
		case '"':
			d.str()
		default:
			if d.word() == "" {
				d.fail("a value")
			}
		}
		if d.err != nil || depth < 0 {
			d.fail("a value")
			return nil
		}
		if depth == 0 {
			return d.b[start:d.pos]
		}
	}
}

// str reads a string. Bytes that are not UTF-8 are kept.
func (d *reader) str() string {
	d.expect('"')
	start := d.pos
	for ; d.pos < len(d.b); d.pos++ {
		switch d.b[d.pos] {
		case '"':
			d.pos++
			return string(d.b[start : d.pos-1])
		case '\\':
			return d.escaped(start)
		}
	}
	d.fail("'\"'")
	return ""
}

// escaped goes on with a string that began at start, at its first backslash.
func (d *reader) escaped(start int) string {
	s := append([]byte(nil), d.b[start:d.pos]...)
	for d.pos < len(d.b) {
		c := d.b[d.pos]
		d.pos++
		switch c {
		case '"':
			return string(s)
		case '\\':
			s = d.escape(s)
		default:
			s = append(s, c)
		}
	}
	d.fail("'\"'")
	return ""
}

func (d *reader) escape(s []byte) []byte {
	if d.pos >= len(d.b) {
		d.fail("an escape")
		return s
	}
	c := d.b[d.pos]
	d.pos++
	switch c {
	case '"', '\\', '/':
		return append(s, c)
	case 'n':
		return append(s, '\n')
	case 't':
		return append(s, '\t')
	case 'r':
		return append(s, '\r')
	case 'b':
		return append(s, '\b')
	case 'f':
		return append(s, '\f')
	case 'u':
		r := d.hex()
		if utf16.IsSurrogate(r) && d.pos+1 < len(d.b) && d.b[d.pos] == '\\' && d.b[d.pos+1] == 'u' {
			d.pos += 2
			r = utf16.DecodeRune(r, d.hex())
		}
		return utf8.AppendRune(s, r)
	}
	d.fail("an escape")
	return s
}

func (d *reader) hex() rune {
	if d.pos+4 > len(d.b) {
		d.fail("four hexadecimal digits")
		return 0
	}
	v, err := strconv.ParseUint(string(d.b[d.pos:d.pos+4]), 16, 16)
	if err != nil {
		d.fail("four hexadecimal digits")
		return 0
	}
	d.pos += 4
	return rune(v)
}
