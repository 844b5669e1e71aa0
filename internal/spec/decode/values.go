package decode

import (
	"strconv"
	"strings"
)

// The functions here take one value each, of the kind that the Go type wants.
// Like encoding/json they leave a scalar or struct alone when they meet null,
// and make a pointer, list or map nil.

// object enters an object; false for null and for anything else.
func (r *reader) object() bool {
	if r.peek() == '{' {
		return r.open()
	}
	r.wrongUnlessNull("an object")
	return false
}

// wrongUnlessNull takes null, and reports any other value as of the wrong type,
// or as no value at all.
func (r *reader) wrongUnlessNull(want string) {
	if r.null() || r.err != nil {
		return
	}
	start := r.pos
	if r.skip(); r.err != nil {
		return
	}
	got := "a number"
	switch r.text[start] {
	case '{':
		got = "an object"
	case '[':
		got = "a list"
	case '"':
		got = "a string"
	case 't', 'f':
		got = "a boolean"
	}
	r.fail(start, got+" where "+want+" is wanted")
}

func str[T ~string](r *reader, v *T) {
	if r.peek() == '"' {
		*v = T(r.string())
		return
	}
	r.wrongUnlessNull("a string")
}

func boolean(r *reader, v *bool) {
	switch r.peek() {
	case 't':
		if r.literal("true") {
			*v = true
		}
	case 'f':
		if r.literal("false") {
			*v = false
		}
	default:
		r.wrongUnlessNull("a boolean")
	}
}

// integer takes a number's text; "" if there is none or it is none that any
// integer type can hold.
func (r *reader) integer() (text string, start int) {
	c := r.peek()
	if start = r.pos; c != '-' && (c < '0' || '9' < c) {
		r.wrongUnlessNull("a number")
		return "", start
	}
	text, plain := r.number()
	if r.err == nil && !plain {
		r.fail(start, "number "+text+" where an integer is wanted")
		return "", start
	}
	return text, start
}

func signed[T ~int | ~int8 | ~int16 | ~int32 | ~int64](r *reader, v *T) {
	text, start := r.integer()
	if text == "" || r.err != nil {
		return
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || int64(T(n)) != n {
		r.fail(start, "number "+text+" is out of range")
		return
	}
	*v = T(n)
}

func unsigned[T ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64](r *reader, v *T) {
	text, start := r.integer()
	if text == "" || r.err != nil {
		return
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || uint64(T(n)) != n {
		r.fail(start, "number "+text+" is out of range")
		return
	}
	*v = T(n)
}

func pointer[T any](r *reader, v **T, value func(*reader, *T)) {
	*v = nil
	if r.null() || r.err != nil {
		return
	}
	to := new(T)
	value(r, to)
	*v = to
}

func list[T any](r *reader, v *[]T, value func(*reader, *T)) {
	*v = nil
	if r.peek() != '[' {
		r.wrongUnlessNull("a list")
		return
	}
	if !r.open() {
		return
	}
	all := []T{}
	for ok := r.element(true); ok; ok = r.element(false) {
		var zero T
		all = append(all, zero)
		value(r, &all[len(all)-1])
	}
	*v = all
}

func dict[T any](r *reader, v *map[string]T, value func(*reader, *T)) {
	*v = nil
	if !r.object() {
		return
	}
	all := make(map[string]T)
	for key, ok := r.member(true); ok; key, ok = r.member(false) {
		var one T
		value(r, &one)
		all[key] = one
	}
	*v = all
}

// other deals with a key that fits no member exactly: it returns the member
// that fits in another case, or skips the value.
func (r *reader) other(key string, members []string) (string, bool) {
	for _, m := range members {
		if strings.EqualFold(key, m) {
			return m, true
		}
	}
	r.skip()
	return "", false
}
