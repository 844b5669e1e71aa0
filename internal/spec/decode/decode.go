package decode

import "github.com/opencontainers/runtime-spec/specs-go"

// Spec reads a config.json document. The error of this and the other functions
// is an *Error.
func Spec(raw []byte) (*specs.Spec, error) {
	var s specs.Spec
	if err := document(raw, &s, readSpec); err != nil {
		return nil, err
	}
	return &s, nil
}

// Process reads the document of a process.
func Process(raw []byte) (*specs.Process, error) {
	var p specs.Process
	if err := document(raw, &p, readProcess); err != nil {
		return nil, err
	}
	return &p, nil
}

// Resources reads the document of cgroup limits.
func Resources(raw []byte) (*specs.LinuxResources, error) {
	var res specs.LinuxResources
	if err := document(raw, &res, readLinuxResources); err != nil {
		return nil, err
	}
	return &res, nil
}

// Mounts reads a list of mounts.
func Mounts(raw []byte) ([]specs.Mount, error) {
	var m []specs.Mount
	err := document(raw, &m, func(r *reader, v *[]specs.Mount) { list(r, v, readMount) })
	if err != nil {
		return nil, err
	}
	return m, nil
}

func document[T any](raw []byte, to *T, value func(*reader, *T)) error {
	// One copy as a string, of which the strings in the result are parts.
	r := reader{text: string(raw)}
	value(&r, to)
	r.finish()
	if r.err != nil {
		r.err.locate(r.text)
		return r.err
	}
	return nil
}
