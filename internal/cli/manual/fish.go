package main

import (
	_ "embed"
	"fmt"
	"strings"
)

//go:embed completion.fish
var fishFrame string

// fishCompletion adds a complete line to the frame for each option and each argument.
func fishCompletion(root command) string {
	var takes, lines strings.Builder
	for _, c := range withParts(root) {
		valued := ""
		for _, o := range c.options {
			if o.value != "" {
				valued += " " + strings.Join(o.typed(), " ")
			}
		}
		if valued != "" {
			fmt.Fprintf(&takes, "        case %s\n            string match -q -- $argv[2]%s\n", c.name, valued)
		}
		for _, o := range c.options {
			fmt.Fprintf(&lines, "complete -c tare -n '__tare_options %s'%s -d %s\n", c.name, fishOption(o), quote(o.text))
		}
		for i, a := range c.args {
			if a.kind == commands {
				continue // described one by one below
			}
			fmt.Fprintf(&lines, "complete -c tare -n '__tare_operand %s %d'%s\n", c.name, i, fishOffer(a.kind, a.statuses, a.choices))
		}
	}
	for _, c := range root.commands {
		fmt.Fprintf(&lines, "complete -c tare -n '__tare_operand tare 0; or __tare_operand help 0' -a %s -d %s\n", c.name, quote(c.usage))
	}
	text := strings.NewReplacer("        # TAKES\n", takes.String(), "SIGNALS", strings.Join(signalNames(), " ")).Replace(fishFrame)
	return text + lines.String()
}

func fishOption(o option) string {
	s := ""
	for _, n := range o.names {
		if len(n) == 1 {
			s += " -s " + n
		} else {
			s += " -l " + n
		}
	}
	if o.value != "" {
		s += " -r" + fishOffer(o.kind, "", o.choices)
		if o.kind != file && o.kind != logs {
			s += " -f"
		}
	}
	return s
}

// fishOffer is the part of a complete line that says where the words come from.
func fishOffer(k kind, statuses string, choices []string) string {
	switch k {
	case file:
		return " -F"
	case dir:
		return " -a '(__fish_complete_directories)'"
	case choice:
		return " -a " + quote(strings.Join(choices, " "))
	case container:
		return " -a " + quote("("+strings.TrimSpace("__tare_ids "+statuses)+")")
	case signals:
		return " -a '(__tare_signals)'"
	case logs:
		return " -F -a 'file: journald: syslog:'"
	}
	return ""
}
