package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// Update writes the schemata to the control group dir, which is there. back writes those in force before
// again; it is never nil, and when Update fails it has something to do only if a part was written.
func (r *Rdt) Update(dir string) (back func() error, err error) {
	path := filepath.Join(dir, "schemata")
	back = func() error { return nil }
	old, err := os.ReadFile(path)
	if err != nil {
		return back, err
	}
	var restore []string
	for _, l := range r.lines() {
		name, _ := schema(l)
		before := schemaLine(string(old), name)
		if err := writeFile(path, l+"\n"); err != nil {
			return undoSchemata(path, restore), r.explain(err)
		}
		if before != "" {
			restore = append(restore, before)
		}
	}
	return undoSchemata(path, restore), nil
}

func undoSchemata(path string, lines []string) func() error {
	return func() error {
		var errs []error
		for _, l := range lines {
			errs = append(errs, writeFile(path, l+"\n"))
		}
		return errors.Join(errs...)
	}
}

// schemaLine is the line of a resource in the text of a schemata file, "" when it has none.
func schemaLine(text, resource string) string {
	for line := range strings.Lines(text) {
		if name, _ := schema(line); name == resource {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
