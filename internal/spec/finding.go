package spec

import (
	"errors"
	"strconv"
	"strings"
)

// Severity tells whether a Finding forbids running the configuration.
type Severity uint8

const (
	// SeverityError marks a value that cannot be honoured.
	SeverityError Severity = iota
	// SeverityWarning marks a value that is ignored, deprecated or read in
	// another way than it looks, but does not stop the container.
	SeverityWarning
)

// Finding is one thing that validation has to say about a configuration.
type Finding struct {
	// Path is the place in the document, such as "mounts[3].options".
	Path string
	// Value is the offending text, empty if the reason says it all.
	Value string
	// Reason says what is wrong, in lower case and without a full stop.
	Reason string
	// Severity is SeverityError in the zero value.
	Severity Severity
}

// String renders the finding on one line: path, quoted value (its first 200
// bytes), reason.
func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(f.Path)
	if f.Value != "" {
		b.WriteByte(' ')
		b.WriteString(strconv.Quote(clip(f.Value)))
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(f.Reason)
	return b.String()
}

// clip keeps a message readable whose value is a page long.
func clip(value string) string {
	const most = 200
	if len(value) <= most {
		return value
	}
	return value[:most] + "..."
}

// Findings is what a validation found, in the order of the document's type
// definition; the order is the same on each run.
type Findings []Finding

// Err joins all findings of SeverityError into one error, joined by semicolons. It is
// nil if there are none.
func (fs Findings) Err() error {
	var lines []string
	for _, f := range fs {
		if f.Severity == SeverityError {
			lines = append(lines, f.String())
		}
	}
	if lines == nil {
		return nil
	}
	return errors.New(strings.Join(lines, "; "))
}

// Warnings renders the findings of SeverityWarning, one string each.
func (fs Findings) Warnings() []string {
	var lines []string
	for _, f := range fs {
		if f.Severity == SeverityWarning {
			lines = append(lines, f.String())
		}
	}
	return lines
}
