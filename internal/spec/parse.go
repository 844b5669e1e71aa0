package spec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// Parse reads a configuration from memory, by the rules of Load. Its error
// begins with line and column: "12:5: mounts[3].options: …".
func Parse(raw []byte) (*specs.Spec, error) {
	var s specs.Spec
	if err := unmarshal(raw, &s); err != nil {
		return nil, err
	}
	return &s, nil
}

// ParseProcess reads a process document from memory.
func ParseProcess(raw []byte) (*specs.Process, error) {
	var p specs.Process
	if err := unmarshal(raw, &p); err != nil {
		return nil, err
	}
	return &p, nil
}

// ParseResources reads a resources document from memory.
func ParseResources(raw []byte) (*specs.LinuxResources, error) {
	var r specs.LinuxResources
	if err := unmarshal(raw, &r); err != nil {
		return nil, err
	}
	return &r, nil
}

// ParseMounts reads a list of mounts from memory.
func ParseMounts(raw []byte) ([]specs.Mount, error) {
	var m []specs.Mount
	if err := unmarshal(raw, &m); err != nil {
		return nil, err
	}
	return m, nil
}

func unmarshal(raw []byte, to any) error {
	err := json.Unmarshal(raw, to)
	var syntax *json.SyntaxError
	var typ *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return fmt.Errorf("%s: %w", position(raw, syntax.Offset), err)
	case errors.As(err, &typ):
		return fmt.Errorf("%s: %s: %s where %s is wanted", position(raw, typ.Offset), typ.Field, typ.Value, typ.Type)
	}
	return err
}

func position(raw []byte, offset int64) string {
	before := raw[:min(int(offset), len(raw))]
	line := bytes.Count(before, []byte{'\n'}) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return fmt.Sprintf("%d:%d", line, column)
}
