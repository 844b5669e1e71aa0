package main

import (
	"fmt"
	"strings"
)

// page collects the source of a manual page, in the language of man(7).
type page struct{ strings.Builder }

func newPage(name, date, version, usage string) *page {
	p := new(page)
	p.line(`.\" Made from the definitions of tare's commands: edit those.`)
	p.line(`.TH %s 8 %s "tare %s" "System Manager's Manual"`, strings.ToUpper(escape(name)), date, escape(version))
	p.section("NAME")
	p.line(`%s \- %s`, escape(name), escape(usage))
	return p
}

// line adds a line of source.
func (p *page) line(format string, args ...any) {
	fmt.Fprintf(p, format, args...)
	p.WriteByte('\n')
}

func (p *page) section(title string) { p.line(".SH %s", title) }

// escape makes text of any kind plain text of roff.
func escape(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`).Replace(s)
	if strings.HasPrefix(s, ".") {
		s = `\&` + s
	}
	return s
}

// prose adds text to be filled, wrapped in the source so that no line of it is long.
func (p *page) prose(text string) {
	const width = 76
	var line string
	flush := func() {
		if line != "" {
			p.line("%s", escape(line))
		}
		line = ""
	}
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			flush()
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	flush()
}

// description adds paragraphs; lines that are indented are examples, and stay as they are.
func (p *page) description(text string) {
	first := true
	for paragraph := range strings.SplitSeq(text, "\n\n") {
		if !first {
			p.line(".PP")
		}
		first = false
		if !strings.HasPrefix(paragraph, "   ") {
			p.prose(paragraph)
			continue
		}
		p.line(".RS 4")
		p.line(".nf")
		for l := range strings.SplitSeq(paragraph, "\n") {
			p.line("%s", escape(strings.TrimPrefix(l, "   ")))
		}
		p.line(".fi")
		p.line(".RE")
	}
}

// item adds a term and what it is to a list.
func (p *page) item(term, text string) {
	p.line(".TP")
	p.line("%s", term)
	p.prose(text)
}

// options adds a section for the options of a command.
func (p *page) options(c command) {
	p.section("OPTIONS")
	for _, o := range c.options {
		var names []string
		for _, n := range o.typed() {
			names = append(names, `\fB`+escape(n)+`\fR`)
		}
		term := strings.Join(names, ", ")
		if o.value != "" {
			term += ` \fI` + escape(o.value) + `\fR`
		}
		text := o.text
		if o.initial != "" {
			text += " (default: " + o.initial + ")"
		}
		p.item(term, text)
	}
}

// synopsis adds the forms of a command line, each on a line.
func (p *page) synopsis(words string, c command) {
	p.section("SYNOPSIS")
	for i, form := range c.synopsis {
		if i > 0 {
			p.line(".br")
		}
		p.line("%s", strings.TrimSpace(fmt.Sprintf(`\fB%s\fR [\fIOPTION\fR...] %s`, escape(words), escape(form))))
	}
}
