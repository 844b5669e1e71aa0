package spec

import (
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

const reasonNUL = "contains a NUL byte"

// quoted renders what, the quoted value and the reason as one sentence.
func quoted(what, value, reason string) string {
	return what + " " + strconv.Quote(value) + ": " + reason
}

// checker collects findings while it walks a configuration.
type checker struct {
	opts  Options
	found Findings
}

// fail reports a value that cannot be honoured.
func (c *checker) fail(at *node, value, reason string) {
	c.found = append(c.found, Finding{Path: at.String(), Value: value, Reason: reason})
}

// warn reports a value that is passed over or read in a way not obvious.
func (c *checker) warn(at *node, value, reason string) {
	c.found = append(c.found, Finding{Path: at.String(), Value: value, Reason: reason, Severity: SeverityWarning})
}

// text checks a string that the kernel will see: a NUL byte would cut it short.
func (c *checker) text(at *node, value string) bool {
	if strings.IndexByte(value, 0) < 0 {
		return true
	}
	c.fail(at, value, reasonNUL)
	return false
}

// line checks a string that is written to a control file.
func (c *checker) line(at *node, value string) bool {
	if !c.text(at, value) {
		return false
	}
	if strings.IndexByte(value, '\n') < 0 {
		return true
	}
	c.fail(at, value, "contains a line break")
	return false
}

// absolute checks a path that has to begin with a slash.
func (c *checker) absolute(at *node, value string) bool {
	switch {
	case value == "":
		c.fail(at, "", "must not be empty")
	case value[0] != '/':
		c.fail(at, value, "must be an absolute path")
	default:
		return c.text(at, value)
	}
	return false
}

// list checks a list of CPUs or memory nodes and returns it.
func (c *checker) list(at *node, value string) []Range {
	ranges, err := ParseList(value)
	if err != nil {
		c.fail(at, value, err.Error())
	}
	return ranges
}

// id checks a user or group id: the highest one means "no id" to the kernel.
func (c *checker) id(at *node, id uint32) {
	if id == ^uint32(0) {
		c.fail(at, strconv.FormatUint(uint64(id), 10), "not a valid id (the highest is 4294967294)")
	}
}

// environ checks a list of KEY=VALUE strings.
func (c *checker) environ(at *node, env []string) {
	for i, kv := range env {
		switch eq := strings.IndexByte(kv, '='); {
		case eq < 0:
			c.fail(at.at(i), kv, "environment variable without '='")
		case eq == 0:
			c.fail(at.at(i), kv, "environment variable with an empty name")
		default:
			c.text(at.at(i), kv)
		}
	}
}

// has tells whether the configuration lists a namespace of that type.
func has(s *specs.Spec, t specs.LinuxNamespaceType) bool { return Namespace(s, t) != nil }

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
