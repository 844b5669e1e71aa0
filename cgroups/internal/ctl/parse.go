package ctl

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// ErrFormat is wrapped by every error about the content of a kernel file.
var ErrFormat = errors.New("unexpected content")

// ParseUint parses a number as control files write it. "max" and every value
// out of range are math.MaxUint64, negative numbers are 0 (v1 statistics may
// dip below zero for a moment).
func ParseUint(s string) (uint64, error) {
	s = strings.TrimSpace(s)
	if s == "max" {
		return math.MaxUint64, nil
	}
	v, err := strconv.ParseUint(s, 10, 64)
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, strconv.ErrRange):
		return math.MaxUint64, nil
	}
	if i, ierr := strconv.ParseInt(s, 10, 64); i < 0 && (ierr == nil || errors.Is(ierr, strconv.ErrRange)) {
		return 0, nil
	}
	return 0, fmt.Errorf("%w: number %q", ErrFormat, s)
}

// parseBytes is ParseUint without an error to make up, and in the usual case
// without a string.
func parseBytes(b []byte) (v uint64, ok bool) {
	b = bytes.TrimSpace(b)
	if len(b) == 0 || len(b) > 19 {
		return parseSlow(b)
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return parseSlow(b)
		}
		v = v*10 + uint64(c-'0')
	}
	return v, true
}

func parseSlow(b []byte) (uint64, bool) {
	if string(b) == "max" {
		return math.MaxUint64, true
	}
	if len(b) == 0 || b[0] != '-' && b[0] != '+' && (b[0] < '0' || b[0] > '9') {
		return 0, false
	}
	v, err := ParseUint(string(b))
	return v, err == nil
}

// Uint reads a control file that holds one number. See ParseUint.
func Uint(dir, name string) (uint64, error) {
	var a [64]byte
	b, err := Read(dir, name, a[:0])
	if err != nil {
		return 0, err
	}
	v, err := ParseUint(string(b))
	if err != nil {
		return 0, fmt.Errorf("read %q: %w", dir+"/"+name, err)
	}
	return v, nil
}

// EachPair calls fn for every "key value" line of b. Lines of another shape
// are skipped: new kernels add some. A key is only valid during the call.
func EachPair(b []byte, fn func(key []byte, value uint64)) {
	for len(b) > 0 {
		var line []byte
		line, b = cutLine(b)
		key, val, ok := bytes.Cut(line, []byte{' '})
		if !ok || len(key) == 0 {
			continue
		}
		if v, ok := parseBytes(val); ok {
			fn(key, v)
		}
	}
}

// Pair returns the value of key in a file of "key value" lines.
func Pair(b []byte, key string) (value uint64, ok bool) {
	EachPair(b, func(k []byte, v uint64) {
		if string(k) == key {
			value, ok = v, true
		}
	})
	return value, ok
}

// NextUint parses the number at the start of b and returns what follows it and
// the blanks after it.
func NextUint(b []byte) (v uint64, rest []byte, ok bool) {
	i := 0
	for i < len(b) && b[i] != ' ' && b[i] != '\n' {
		i++
	}
	v, ok = parseBytes(b[:i])
	return v, bytes.TrimLeft(b[i:], " \n"), ok
}

// EachLine calls fn with every non-empty line of b, without its newline.
func EachLine(b []byte, fn func(line []byte)) {
	for len(b) > 0 {
		var line []byte
		line, b = cutLine(b)
		if len(line) > 0 {
			fn(line)
		}
	}
}

func cutLine(b []byte) (line, rest []byte) {
	line, rest, _ = bytes.Cut(b, []byte{'\n'})
	return line, rest
}

// ParsePids parses a cgroup.procs file. A process outside the reader's pid
// namespace shows as 0 and is left out.
func ParsePids(pids []int, b []byte) ([]int, error) {
	var bad error
	EachLine(b, func(line []byte) {
		n, err := strconv.Atoi(string(line))
		if err != nil || n < 0 {
			bad = fmt.Errorf("%w: pid %q", ErrFormat, line)
			return
		}
		if n > 0 {
			pids = append(pids, n)
		}
	})
	return pids, bad
}
