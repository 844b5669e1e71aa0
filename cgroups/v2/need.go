package v2

import (
	"slices"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Need is a controller that a limit needs, and the limit's place in
// config.json.
type Need struct {
	Controller, At string
}

// Needed lists the controllers without which r cannot be applied.
func Needed(r *specs.LinuxResources) []Need {
	if r == nil {
		return nil
	}
	var n []Need
	for _, c := range steps() {
		if c.isSet(r) {
			n = append(n, Need{c.controller, c.at})
		}
	}
	for _, key := range unifiedKeys(r.Unified) {
		if c, _, _ := strings.Cut(key, "."); c != "cgroup" {
			n = append(n, Need{c, "linux.resources.unified." + key})
		}
	}
	return n
}

func unifiedKeys(u map[string]string) []string {
	keys := make([]string, 0, len(u))
	for k := range u {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
