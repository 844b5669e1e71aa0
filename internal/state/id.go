package state

import "errors"

// ErrID says that a container ID is not one: it becomes a directory name, so its characters are few.
var ErrID = errors.New("invalid container ID format")

// maxID is NAME_MAX: an ID is one path component.
const maxID = 255

// CheckID is nil when id may name a container: letters, digits, `_`, `+`, `.` and `-`, at least one
// of them, and neither `.` nor `..`.
func CheckID(id string) error {
	if id == "" || id == "." || id == ".." || len(id) > maxID {
		return ErrID
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '_', c == '+', c == '.', c == '-':
		default:
			return ErrID
		}
	}
	return nil
}
