package seccomp

import (
	"encoding/base64"
	"fmt"
)

// DecodeRawBPF decodes the value of annotation run.oci.seccomp_bpf_data, a
// whole filter in base64, for Options.RawBPF.
func DecodeRawBPF(value string) ([]byte, error) {
	code, err := base64.StdEncoding.DecodeString(value)
	if err != nil {
		return nil, fmt.Errorf("seccomp BPF data: %w", err)
	}
	if _, err := rawProgram(code); err != nil {
		return nil, err
	}
	return code, nil
}

// rawProgram checks a filter that comes ready.
func rawProgram(code []byte) (*Program, error) {
	prog, err := decode(code)
	if err == nil {
		err = check(prog)
	}
	if err != nil {
		return nil, fmt.Errorf("seccomp BPF data: %w", err)
	}
	return &Program{Filter: code, Notify: notifies(prog)}, nil
}
