package decode

import (
	"strconv"
	"strings"
)

// Error is the first thing wrong with a document.
type Error struct {
	// Line and Column count from 1; a column is a byte.
	Line, Column int
	// Offset is the byte's place in the document, from 0.
	Offset int
	// Path is the property there, such as "mounts[3].options"; empty at the
	// top.
	Path string
	// Reason says what is wrong.
	Reason string
}

// Error renders "LINE:COLUMN: PATH: REASON".
func (e *Error) Error() string {
	text := strconv.Itoa(e.Line) + ":" + strconv.Itoa(e.Column) + ": "
	if e.Path != "" {
		text += e.Path + ": "
	}
	return text + e.Reason
}

// locate fills in what Offset means in the text.
func (e *Error) locate(text string) {
	before := text[:e.Offset]
	e.Line = strings.Count(before, "\n") + 1
	e.Column = len(before) - strings.LastIndexByte(before, '\n')
	e.Path = pathTo(before)
}

// frame is a list or object that is open at some point of a document.
type frame struct {
	object bool
	named  bool // the key of the current member has been read
	key    string
	index  int
}

// pathTo finds out which property a document that is cut off after the text
// before was about to give. The text is sound up to there; knowing the path all
// the time would slow every read down for the sake of the rare failure.
func pathTo(before string) string {
	var open []frame
	r := reader{text: before}
	for r.pos < len(before) {
		switch c := r.peek(); c {
		case '{', '[':
			open = append(open, frame{object: c == '{'})
			r.pos++
		case '}', ']':
			if len(open) > 0 {
				open = open[:len(open)-1]
			}
			r.pos++
		case ',':
			if n := len(open); n > 0 {
				open[n-1].index++
				open[n-1].named = false
			}
			r.pos++
		case '"':
			text := r.string()
			if n := len(open); n > 0 && open[n-1].object && !open[n-1].named && r.err == nil {
				open[n-1].key, open[n-1].named = text, true
			}
		default:
			r.pos++
		}
	}
	return render(open)
}

func render(open []frame) string {
	var b strings.Builder
	for _, f := range open {
		switch {
		case !f.object:
			b.WriteString("[" + strconv.Itoa(f.index) + "]")
		case !f.named:
		case f.key == "" || strings.ContainsAny(f.key, ".[]\" \n"):
			b.WriteString("[" + strconv.Quote(f.key) + "]")
		default:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(f.key)
		}
	}
	return b.String()
}
