package plan

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/internal/spec"
)

// NeedsOf says which facts the planning of s and of the process p depends on.
func NeedsOf(s *specs.Spec, p *specs.Process) Needs {
	n := Needs{Kcore: true}
	n.LSM = p != nil && (p.ApparmorProfile != "" || p.SelinuxLabel != "")
	if s.Linux == nil {
		return n
	}
	b := &builder{linux: s.Linux}
	for _, ns := range s.Linux.Namespaces {
		if ns.Path != "" {
			n.NamespacePaths = append(n.NamespacePaths, NamespacePath{At: b.nsPlace(ns.Type).At + ".path", Path: ns.Path,
				Types: spec.NamespaceFlag(ns.Type)})
		}
	}
	return n
}
