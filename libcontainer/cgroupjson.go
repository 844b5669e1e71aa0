package libcontainer

import (
	"encoding/json"
	"strconv"

	"tare/cgroups"
)

// encodeCgroup is json.Marshal of a Config. The usual one, of files with plain names, is written by hand:
// learning the types costs encoding/json as long as writing the whole record.
func encodeCgroup(c *cgroups.Config) ([]byte, error) {
	if c.Unit != nil || !plainNames(c) {
		return json.Marshal(c)
	}
	b := make([]byte, 0, 1536)
	b = append(b, `{"kind":`...)
	b = strconv.AppendQuote(b, string(c.Kind))
	b = appendName(b, `,"path":`, c.Path)
	for i, d := range c.Dirs {
		sep := `,{"mount":`
		if i == 0 {
			sep = `,"dirs":[{"mount":`
		}
		b = strconv.AppendQuote(append(b, sep...), d.Mount)
		b = appendName(b, `,"root":`, d.Root)
		b = strconv.AppendInt(append(b, `,"version":`...), int64(d.Version), 10)
		for j, name := range d.Controllers {
			sep := `,`
			if j == 0 {
				sep = `,"controllers":[`
			}
			b = strconv.AppendQuote(append(b, sep...), name)
		}
		if len(d.Controllers) > 0 {
			b = append(b, ']')
		}
		if d.NoPrefix {
			b = append(b, `,"noPrefix":true`...)
		}
		b = append(strconv.AppendQuote(append(b, `,"path":`...), d.Path), '}')
	}
	if len(c.Dirs) > 0 {
		b = append(b, ']')
	}
	if c.Rootless {
		b = append(b, `,"rootless":true`...)
	}
	return append(b, '}'), nil
}

func appendName(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	return strconv.AppendQuote(append(b, key...), value)
}

// plainNames tells whether no string needs an escape, of which Go and JSON have different ones.
func plainNames(c *cgroups.Config) bool {
	ok := isPlain(c.Path) && isPlain(string(c.Kind))
	for _, d := range c.Dirs {
		ok = ok && isPlain(d.Mount) && isPlain(d.Root) && isPlain(d.Path)
		for _, name := range d.Controllers {
			ok = ok && isPlain(name)
		}
	}
	return ok
}

func isPlain(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
