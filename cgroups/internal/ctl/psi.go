package ctl

import (
	"bytes"
	"strconv"
)

// Pressure is one line of a pressure file: percentages and microseconds.
type Pressure struct {
	Avg10, Avg60, Avg300 float64
	Total                uint64
}

// ParsePressure parses a pressure file; ok is false if it has not the shape
// of one. A missing "full" line (cpu, before Linux 5.13) is all zero.
func ParsePressure(b []byte) (some, full Pressure, ok bool) {
	EachLine(b, func(line []byte) {
		kind, rest, _ := bytes.Cut(line, []byte{' '})
		switch string(kind) {
		case "some":
			some, ok = pressureLine(rest), true
		case "full":
			full = pressureLine(rest)
		}
	})
	return some, full, ok
}

func pressureLine(b []byte) (p Pressure) {
	for len(b) > 0 {
		var field []byte
		field, b, _ = bytes.Cut(b, []byte{' '})
		key, val, _ := bytes.Cut(field, []byte{'='})
		switch string(key) {
		case "avg10":
			p.Avg10, _ = strconv.ParseFloat(string(val), 64)
		case "avg60":
			p.Avg60, _ = strconv.ParseFloat(string(val), 64)
		case "avg300":
			p.Avg300, _ = strconv.ParseFloat(string(val), 64)
		case "total":
			p.Total, _ = ParseUint(string(val))
		}
	}
	return p
}
