package spec

import "github.com/opencontainers/runtime-spec/specs-go"

// MemoryPolicyModes lists the mode names in order of their numbers.
func MemoryPolicyModes() []string {
	return []string{
		string(specs.MpolDefault), string(specs.MpolPreferred), string(specs.MpolBind),
		string(specs.MpolInterleave), string(specs.MpolLocal), string(specs.MpolPreferredMany),
		string(specs.MpolWeightedInterleave),
	}
}

// MemoryPolicyMode gives the number of a memory policy mode, set_mempolicy(2);
// false if the name is unknown.
func MemoryPolicyMode(m specs.MemoryPolicyModeType) (uint32, bool) {
	switch m {
	case specs.MpolDefault:
		return 0, true
	case specs.MpolPreferred:
		return 1, true
	case specs.MpolBind:
		return 2, true
	case specs.MpolInterleave:
		return 3, true
	case specs.MpolLocal:
		return 4, true
	case specs.MpolPreferredMany:
		return 5, true
	case specs.MpolWeightedInterleave:
		return 6, true
	}
	return 0, false
}

// MemoryPolicyFlags lists the names of the mode flags.
func MemoryPolicyFlags() []string {
	return []string{
		string(specs.MpolFNumaBalancing), string(specs.MpolFRelativeNodes), string(specs.MpolFStaticNodes),
	}
}

// MemoryPolicyFlag gives the bit to or into the mode; false if the name is
// unknown.
func MemoryPolicyFlag(f specs.MemoryPolicyFlagType) (uint32, bool) {
	switch f {
	case specs.MpolFStaticNodes:
		return 1 << 15, true
	case specs.MpolFRelativeNodes:
		return 1 << 14, true
	case specs.MpolFNumaBalancing:
		return 1 << 13, true
	}
	return 0, false
}
