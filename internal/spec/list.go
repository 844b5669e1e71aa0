package spec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Range is an inclusive range of CPU or memory node numbers.
type Range struct{ First, Last uint32 }

// maxListID bounds the numbers in a list, so that a mask made of one stays
// small. It is four times the most CPUs a kernel can be built for.
const maxListID = 32767

// ParseList reads a list like "0-3,7": comma-separated numbers and ranges,
// blanks around them allowed. An empty string is an empty list.
func ParseList(text string) ([]Range, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var list []Range
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		low, high, isRange := strings.Cut(part, "-")
		first, err := parseListID(low)
		if err != nil {
			return nil, fmt.Errorf("list element %q: %w", part, err)
		}
		last := first
		if isRange {
			if last, err = parseListID(high); err != nil {
				return nil, fmt.Errorf("list element %q: %w", part, err)
			}
		}
		if last < first {
			return nil, fmt.Errorf("list element %q: ends before it begins", part)
		}
		list = append(list, Range{first, last})
	}
	return list, nil
}

func parseListID(text string) (uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	switch {
	case err != nil:
		return 0, numError(err)
	case n > maxListID:
		return 0, errors.New("above " + strconv.Itoa(maxListID))
	}
	return uint32(n), nil
}

// Mask turns ranges into a bit mask, bit n of the mask in word n/64, the layout
// that sched_setaffinity(2) and set_mempolicy(2) take. It has as many words as
// the highest number needs; none for an empty list.
func Mask(list []Range) []uint64 {
	var words []uint64
	for _, r := range list {
		for n := int(r.First); n <= int(r.Last); n++ {
			for n/64 >= len(words) {
				words = append(words, 0)
			}
			words[n/64] |= 1 << (n % 64)
		}
	}
	return words
}
