package spec

import (
	"strconv"
	"strings"
)

// node is a place in the document. Places form a list from the leaf to the
// root, so that text is only made of them when there is something to report.
type node struct {
	up    *node
	name  string
	index int // ≥ 0: element of the list up; name is then unused
	key   bool
}

// field is the member name of the object at n (nil: of the whole document).
func (n *node) field(name string) *node { return &node{up: n, name: name, index: -1} }

// at is the element i of the list at n.
func (n *node) at(i int) *node { return &node{up: n, index: i} }

// entry is the value under a key that the user chose, in the map at n.
func (n *node) entry(key string) *node { return &node{up: n, name: key, index: -1, key: true} }

// String writes the path: linux.devices[2].path, linux.netDevices.eth0,
// linux.sysctl["a.b"]; package decode writes them alike.
func (n *node) String() string {
	if n == nil {
		return ""
	}
	var b strings.Builder
	n.write(&b)
	return b.String()
}

func (n *node) write(b *strings.Builder) {
	if n.up != nil {
		n.up.write(b)
	}
	switch {
	case n.key && (n.name == "" || strings.ContainsAny(n.name, ".[]\" \n")):
		b.WriteByte('[')
		b.WriteString(strconv.Quote(n.name))
		b.WriteByte(']')
	case n.index >= 0:
		b.WriteByte('[')
		b.WriteString(strconv.Itoa(n.index))
		b.WriteByte(']')
	default:
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(n.name)
	}
}
