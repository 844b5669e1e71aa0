package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"
)

// command is one command as pages and completions need it.
type command struct {
	name        string
	usage       string
	synopsis    []string // what follows the name, a line for each form
	description string
	options     []option
	commands    []command
	args        []operand // what its arguments are, one after the other
}

// option is one option of a command.
type option struct {
	names   []string // without dashes, the long one first
	value   string   // what the value is called, "" for an option without
	text    string   // what it does
	initial string   // its value when not given, "" for none worth a word
	kind    kind     // what completes the value
	choices []string // for kind choice
}

// describe turns the definitions into the model. Hidden commands stay hidden.
func describe(root *cli.Command) (command, error) {
	c, err := one(root, "")
	if err != nil {
		return c, err
	}
	for _, sub := range root.Commands {
		if sub.Hidden {
			continue
		}
		s, err := one(sub, "")
		if err != nil {
			return c, err
		}
		for _, part := range sub.Commands {
			p, err := one(part, sub.Name+" ")
			if err != nil {
				return c, err
			}
			s.commands = append(s.commands, p)
		}
		c.commands = append(c.commands, s)
	}
	return c, nil
}

func one(def *cli.Command, parent string) (command, error) {
	c := command{name: def.Name, usage: def.Usage, description: def.Description}
	if def.Usage == "" {
		return c, fmt.Errorf("command %q has no usage", def.Name)
	}
	for form := range strings.SplitSeq(def.ArgsUsage, "  or  ") {
		c.synopsis = append(c.synopsis, strings.TrimSpace(form))
	}
	for _, f := range def.Flags {
		o, err := describeFlag(f, parent+def.Name)
		if err != nil {
			return c, err
		}
		c.options = append(c.options, o)
	}
	c.options = append(c.options, option{names: []string{"help", "h"}, text: "show help"})
	var known bool
	if c.args, known = operands(parent + def.Name); !known {
		return c, fmt.Errorf("command %q: nothing says what completes its arguments", parent+def.Name)
	}
	return c, nil
}

func describeFlag(f cli.Flag, command string) (option, error) {
	doc, ok := f.(cli.DocGenerationFlag)
	if !ok || doc.GetUsage() == "" {
		return option{}, fmt.Errorf("%s: option %q has no usage", command, f.Names()[0])
	}
	o := option{names: f.Names()}
	o.value, o.text = placeholder(doc.GetUsage())
	if !doc.TakesValue() {
		o.value = ""
		return o, nil
	}
	if o.value == "" {
		return o, fmt.Errorf("%s --%s takes a value that its usage does not name", command, o.names[0])
	}
	if v := doc.GetValue(); v != "" && v != "0" && v != "[]" {
		o.initial = strings.Trim(v, `"`)
	}
	o.kind, o.choices = values(o.names[0], o.value)
	return o, nil
}

// placeholder takes the name of the value, between backquotes, out of a usage text.
func placeholder(usage string) (name, text string) {
	before, rest, ok := strings.Cut(usage, "`")
	if !ok {
		return "", usage
	}
	name, after, ok := strings.Cut(rest, "`")
	if !ok {
		return "", usage
	}
	return name, before + name + after
}

// typed returns the option's names as they are typed.
func (o option) typed() []string {
	var all []string
	for _, n := range o.names {
		if len(n) == 1 {
			all = append(all, "-"+n)
		} else {
			all = append(all, "--"+n)
		}
	}
	return all
}
