package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v3"
)

// plainWords rewrites what getopt(3) has taught people and scripts to type, and the parser does not take:
// short options in one word (-fr), a value in the word of its option (-u1000), and -? or --usage for help.
// A word that is the whole name of an option stays what it is: one dash is enough for long ones.
func plainWords(c *cli.Command, args []string) []string {
	out := slices.Clone(args[:min(1, len(args))])
	positional := 0
	for rest := args[len(out):]; len(rest) > 0; rest = rest[1:] {
		word := rest[0]
		switch {
		case word == "--":
			return append(out, rest...)
		case len(word) < 2 || word[0] != '-':
			out = append(out, word)
			if sub := c.Command(word); sub != nil && positional == 0 {
				c = sub
				continue
			}
			if positional++; c.StopOnNthArg != nil && positional >= *c.StopOnNthArg {
				return append(out, rest[1:]...)
			}
			continue
		}
		words, valueFollows := plainOption(c, word)
		out = append(out, words...)
		if valueFollows && len(rest) > 1 {
			rest = rest[1:]
			out = append(out, rest[0])
		}
	}
	return out
}

// plainOption makes the parser's words of one that begins with a dash.
func plainOption(c *cli.Command, word string) (words []string, valueFollows bool) {
	if word == "-?" || word == "--usage" {
		return []string{"--help"}, false
	}
	short := strings.TrimPrefix(word, "-")
	name, _, hasValue := strings.Cut(strings.TrimPrefix(short, "-"), "=")
	if known, takesValue := option(c, name); known {
		return []string{word}, takesValue && !hasValue
	}
	if short[0] == '-' {
		return []string{word}, false
	}
	for i := range len(short) {
		known, takesValue := option(c, short[i:i+1])
		switch {
		case !known:
			return []string{word}, false // the parser says what is wrong with it
		case !takesValue:
			words = append(words, "-"+short[i:i+1])
		case i+1 == len(short):
			return append(words, "-"+short[i:]), true
		default:
			return append(words, "-"+short[i:i+1]+"="+short[i+1:]), false
		}
	}
	return words, false
}

func option(c *cli.Command, name string) (known, takesValue bool) {
	for _, f := range c.Flags {
		if slices.Contains(f.Names(), name) {
			doc, ok := f.(cli.DocGenerationFlag)
			return true, ok && doc.TakesValue()
		}
	}
	return name == "help" || name == "h", false
}
