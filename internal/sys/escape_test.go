package sys

import "testing"

func TestUnescape(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"": "", "/a": "/a", `/a\040b\134`: `/a b\`, `\012\011`: "\n\t", `\8`: `\8`, `\777`: `\777`, `\04`: `\04`, `\08x`: `\08x`, `a\`: `a\`,
	} {
		if got := Unescape(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
