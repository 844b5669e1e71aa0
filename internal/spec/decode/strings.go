package decode

import (
	"unicode/utf16"
	"unicode/utf8"
)

// string takes a string; the position is on its opening quote. Without escapes
// it is a part of the document and costs no memory.
func (r *reader) string() string {
	r.pos++
	start := r.pos
	for i := start; i < len(r.text); i++ {
		switch c := r.text[i]; {
		case c == '"':
			r.pos = i + 1
			return r.text[start:i]
		case c == '\\' || c >= utf8.RuneSelf:
			r.pos = i
			return r.stringSlow(start)
		case c < ' ':
			r.fail(i, "control character in a string")
			return ""
		}
	}
	r.fail(len(r.text), "unexpected end in a string")
	return ""
}

// stringSlow goes on at the first byte that may need another form.
func (r *reader) stringSlow(start int) string {
	buf := append(make([]byte, 0, 2*(r.pos-start)+16), r.text[start:r.pos]...)
	for r.pos < len(r.text) {
		switch c := r.text[r.pos]; {
		case c == '"':
			r.pos++
			return string(buf)
		case c == '\\':
			buf = r.escape(buf)
		case c < ' ':
			r.fail(r.pos, "control character in a string")
			return ""
		case c < utf8.RuneSelf:
			buf = append(buf, c)
			r.pos++
		default:
			char, size := utf8.DecodeRuneInString(r.text[r.pos:])
			buf = utf8.AppendRune(buf, char)
			r.pos += size
		}
	}
	r.fail(len(r.text), "unexpected end in a string")
	return ""
}

// escape takes one escape sequence and appends what it means.
func (r *reader) escape(buf []byte) []byte {
	if r.pos+1 >= len(r.text) {
		r.fail(len(r.text), "unexpected end in a string")
		return buf
	}
	c := r.text[r.pos+1]
	switch c {
	case '"', '\\', '/':
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'n':
		c = '\n'
	case 'r':
		c = '\r'
	case 't':
		c = '\t'
	case 'u':
		return r.unicode(buf)
	default:
		r.fail(r.pos, "unknown escape sequence in a string")
		return buf
	}
	r.pos += 2
	return append(buf, c)
}

// unicode takes \uXXXX, or two of them that form a surrogate pair. Half a pair
// becomes the replacement character.
func (r *reader) unicode(buf []byte) []byte {
	char, ok := hex4(r.text[r.pos:])
	if !ok {
		r.fail(r.pos, "unknown escape sequence in a string")
		return buf
	}
	r.pos += 6
	if utf16.IsSurrogate(char) {
		low, _ := hex4(r.text[r.pos:])
		if char = utf16.DecodeRune(char, low); char != utf8.RuneError {
			r.pos += 6
		}
	}
	return utf8.AppendRune(buf, char)
}

// hex4 reads \uXXXX at the beginning of s.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return utf8.RuneError, false
	}
	var n rune
	for _, c := range []byte(s[2:6]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return utf8.RuneError, false
		}
		n = n<<4 | rune(c)
	}
	return n, true
}
