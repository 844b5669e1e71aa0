package plan

import (
	"cmp"
	"maps"
	"slices"
)

// sorted gives the keys of a map in order: a plan is the same each time it is made.
func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }
