package decode

import "strconv"

// maxDepth bounds the nesting of lists and objects, as encoding/json does.
const maxDepth = 10000

// reader is a position in a document. The first error sticks: it moves the
// position to the end, and everything after it is a no-op.
type reader struct {
	text  string
	pos   int
	depth int
	err   *Error
}

// fail records what is wrong at the offset.
func (r *reader) fail(at int, reason string) {
	if r.err == nil {
		r.err = &Error{Offset: at, Reason: reason}
	}
	r.pos = len(r.text)
}

// unexpected reports the byte at the position as out of place.
func (r *reader) unexpected(want string) {
	if r.pos >= len(r.text) {
		r.fail(len(r.text), "unexpected end, "+want+" is wanted")
		return
	}
	r.fail(r.pos, "unexpected "+strconv.QuoteRuneToASCII(rune(r.text[r.pos]))+", "+want+" is wanted")
}

// peek skips white space and returns the next byte, 0 at the end.
func (r *reader) peek() byte {
	for r.pos < len(r.text) {
		switch c := r.text[r.pos]; c {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return c
		}
	}
	return 0
}

// open enters a list or an object.
func (r *reader) open() bool {
	if r.depth++; r.depth > maxDepth {
		r.fail(r.pos, "nested too deeply")
		return false
	}
	r.pos++
	return true
}

// element moves to the next element of a list; false at its end. The first
// call comes right after open.
func (r *reader) element(first bool) bool { return r.next(first, ']', "',' or ']'") }

// member moves to the next member of an object and past its key and colon;
// false at the object's end.
func (r *reader) member(first bool) (key string, ok bool) {
	if !r.next(first, '}', "',' or '}'") {
		return "", false
	}
	if r.peek() != '"' {
		r.unexpected("a key in double quotes")
		return "", false
	}
	key = r.string()
	if r.peek() != ':' {
		r.unexpected("':'")
		return "", false
	}
	r.pos++
	return key, r.err == nil
}

func (r *reader) next(first bool, end byte, want string) bool {
	c := r.peek()
	switch {
	case r.err != nil:
		return false
	case c == end:
		r.pos++
		r.depth--
		return false
	case first:
		return true
	case c != ',':
		r.unexpected(want)
		return false
	}
	r.pos++
	return true
}

// null takes the literal null if it is next.
func (r *reader) null() bool {
	return r.peek() == 'n' && r.literal("null")
}

// literal takes one of the three words.
func (r *reader) literal(word string) bool {
	if len(r.text)-r.pos >= len(word) && r.text[r.pos:r.pos+len(word)] == word {
		r.pos += len(word)
		return true
	}
	r.fail(r.pos, "not a value (only "+word+" begins so)")
	return false
}

// number takes a number's text; plain tells that it has neither fraction nor
// exponent.
func (r *reader) number() (text string, plain bool) {
	start := r.pos
	if r.at('-') {
		r.pos++
	}
	if r.at('0') {
		r.pos++
	} else if !r.digits() {
		return "", false
	}
	plain = true
	if r.at('.') {
		r.pos++
		plain = false
		if !r.digits() {
			return "", false
		}
	}
	if r.at('e') || r.at('E') {
		r.pos++
		plain = false
		if r.at('+') || r.at('-') {
			r.pos++
		}
		if !r.digits() {
			return "", false
		}
	}
	return r.text[start:r.pos], plain
}

func (r *reader) at(c byte) bool { return r.pos < len(r.text) && r.text[r.pos] == c }

func (r *reader) digits() bool {
	start := r.pos
	for r.pos < len(r.text) && '0' <= r.text[r.pos] && r.text[r.pos] <= '9' {
		r.pos++
	}
	if r.pos == start {
		r.unexpected("a digit")
		return false
	}
	return true
}

// skip takes any value unread, checking that it is JSON.
func (r *reader) skip() {
	switch c := r.peek(); {
	case c == '{':
		if !r.open() {
			return
		}
		for _, ok := r.member(true); ok; _, ok = r.member(false) {
			r.skip()
		}
	case c == '[':
		if !r.open() {
			return
		}
		for ok := r.element(true); ok; ok = r.element(false) {
			r.skip()
		}
	case c == '"':
		r.string()
	case c == 't':
		r.literal("true")
	case c == 'f':
		r.literal("false")
	case c == 'n':
		r.literal("null")
	case c == '-' || '0' <= c && c <= '9':
		r.number()
	default:
		r.unexpected("a value")
	}
}

// finish checks that nothing but white space is left.
func (r *reader) finish() {
	if r.peek(); r.err == nil && r.pos < len(r.text) {
		r.fail(r.pos, "unexpected text after the document's end")
	}
}
