package spec

import (
	"github.com/opencontainers/runtime-spec/specs-go"

	"tare/internal/spec/decode"
)

// Parse reads a configuration from memory, by the rules of Load. The error of
// this and the other functions is a *decode.Error, which begins with line and
// column: "12:5: mounts[3].options: …".
func Parse(raw []byte) (*specs.Spec, error) { return decode.Spec(raw) }

// ParseProcess reads a process document from memory.
func ParseProcess(raw []byte) (*specs.Process, error) { return decode.Process(raw) }

// ParseResources reads a resources document from memory.
func ParseResources(raw []byte) (*specs.LinuxResources, error) { return decode.Resources(raw) }

// ParseMounts reads a list of mounts from memory.
func ParseMounts(raw []byte) ([]specs.Mount, error) { return decode.Mounts(raw) }
