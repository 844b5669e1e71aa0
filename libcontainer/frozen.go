package libcontainer

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// patch replaces one property of a JSON document, at the given path of object keys, and leaves all
// others as they are, known or not. Objects that are missing on the way are made.
func patch(document []byte, value any, path ...string) ([]byte, error) {
	if len(path) == 0 {
		return marshal(value)
	}
	object := make(map[string]json.RawMessage)
	if len(document) > 0 {
		if err := json.Unmarshal(document, &object); err != nil {
			return nil, fmt.Errorf("%s: %w", path[0], err)
		}
	}
	if object == nil { // the document is `null`
		object = make(map[string]json.RawMessage)
	}
	inner, err := patch(object[path[0]], value, path[1:]...)
	if err != nil {
		return nil, err
	}
	object[path[0]] = inner
	return marshal(object)
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(b.Bytes()), nil
}
