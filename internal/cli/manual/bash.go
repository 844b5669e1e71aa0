package main

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed completion.bash
var bashFrame string

// bashCompletion fills the frame's functions, which say what the commands are.
func bashCompletion(root command) string {
	var b strings.Builder
	var names []string
	for _, c := range root.commands {
		names = append(names, c.name)
	}
	table(&b, "_tare_words", "WHAT: words that are always the same", func(row func(pattern, value string)) {
		row("commands", strings.Join(names, " "))
		row("signals", strings.Join(signalNames(), " "))
	})
	table(&b, "_tare_options", "COMMAND", func(row func(pattern, value string)) {
		for _, c := range withParts(root) {
			var typed []string
			for _, o := range c.options {
				typed = append(typed, o.typed()...)
			}
			row("'"+c.name+"'", strings.Join(typed, " "))
		}
	})
	table(&b, "_tare_value", "COMMAND OPTION: what its value is, nothing for one without", func(row func(pattern, value string)) {
		for _, c := range withParts(root) {
			for _, o := range c.options {
				for _, n := range o.names {
					if o.value != "" {
						row(fmt.Sprintf("'%s %s'", c.name, n), offer(o.kind, "", o.choices))
					}
				}
			}
		}
	})
	table(&b, "_tare_operand", "COMMAND NUMBER: what its argument is, counted from 0", func(row func(pattern, value string)) {
		for _, c := range withParts(root) {
			for i, a := range c.args {
				row(fmt.Sprintf("'%s %d'", c.name, i), offer(a.kind, a.statuses, a.choices))
			}
		}
	})
	return strings.Replace(bashFrame, "# TABLES\n", b.String(), 1)
}

// withParts are all commands; the parts of a command are treated as its arguments.
func withParts(root command) []command {
	return append([]command{root}, root.commands...)
}

// table writes a function that prints the value of the first pattern that fits its arguments.
func table(b *strings.Builder, name, doc string, rows func(row func(pattern, value string))) {
	fmt.Fprintf(b, "# %s %s\n%s() {\n\tcase \"$*\" in\n", name, doc, name)
	rows(func(pattern, value string) { fmt.Fprintf(b, "\t%s) echo '%s' ;;\n", pattern, value) })
	b.WriteString("\tesac\n}\n\n")
}

// offer names what is offered, for the frame to look up.
func offer(k kind, statuses string, choices []string) string {
	switch k {
	case file:
		return "file"
	case dir:
		return "dir"
	case choice:
		return "choice " + strings.Join(choices, " ")
	case container:
		return strings.TrimSpace("ids " + statuses)
	case commands:
		return "commands"
	case signals:
		return "signals"
	case logs:
		return "logs"
	}
	return "anything"
}
