package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed completion.zsh
var zshFrame string

// zshCompletion fills the frame with a call of _arguments for each command.
func zshCompletion(root command) string {
	var options, described, cases strings.Builder
	for _, o := range root.options {
		zshOption(&options, "\t\t", o)
	}
	for _, c := range root.commands {
		fmt.Fprintf(&described, "\t\t%s\n", quote(c.name+":"+c.usage))
		stop := ""
		if slices.Contains([]string{"exec", "ps", "kill", "plan"}, c.name) {
			stop = " -A '-*'" // from the first argument on, options are those of the container's program
		}
		fmt.Fprintf(&cases, "\t%s)\n\t\t_arguments -s -S%s \\\n", c.name, stop)
		for _, o := range c.options {
			zshOption(&cases, "\t\t\t", o)
		}
		for i, a := range c.args {
			fmt.Fprintf(&cases, "\t\t\t%s \\\n", quote(fmt.Sprintf("%d: :%s", i+1, zshAction(a.kind, a.statuses, a.choices))))
		}
		cases.WriteString("\t\t\t&& ret=0\n\t\t;;\n")
	}
	signals := strings.Join(signalNames(), " ")
	return strings.NewReplacer("\t\t# OPTIONS\n", options.String(), "\t\t# COMMANDS\n", described.String(),
		"\t# CASES\n", cases.String(), "SIGNALS", signals).Replace(zshFrame)
}

// zshOption writes the specs of an option, one for each of its names, which exclude each other unless it
// may be given several times.
func zshOption(b *strings.Builder, indent string, o option) {
	text := strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, ":", `\:`).Replace(o.text)
	several := strings.HasSuffix(o.text, "(several times)")
	for _, name := range o.typed() {
		spec := "(" + strings.Join(o.typed(), " ") + ")"
		if several {
			spec = "*"
		}
		spec += name
		if o.value != "" {
			if strings.HasPrefix(name, "--") {
				spec += "="
			} else {
				spec += "+"
			}
		}
		spec += "[" + text + "]"
		if o.value != "" {
			spec += ":" + strings.NewReplacer(":", `\:`).Replace(o.value) + ":" + zshAction(o.kind, "", o.choices)
		}
		fmt.Fprintf(b, "%s%s \\\n", indent, quote(spec))
	}
}

// zshAction is the last part of a spec: what offers the words.
func zshAction(k kind, statuses string, choices []string) string {
	switch k {
	case file:
		return "_files"
	case dir:
		return "_files -/"
	case choice:
		return "(" + strings.Join(choices, " ") + ")"
	case container:
		// The space keeps _arguments from adding arguments of its own.
		return strings.TrimRight(" _tare_ids "+statuses, " ")
	case commands:
		return "_tare_commands"
	case signals:
		return "_tare_signals"
	case logs:
		return "_tare_logs"
	}
	return " "
}

// quote makes one word of s for a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
