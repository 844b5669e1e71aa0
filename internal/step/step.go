// Package step holds the steps of a plan: small typed values that say what is to be done to the
// kernel, in which order, and which place in config.json asked for it.
//
// A plan is two flat lists of steps. The host's list is carried out by the runtime process, the
// init's by the re-exec'd init stage inside the new namespaces. The two lists meet at barriers: the
// init stops at Barrier, the host waits for it with Await, does what must be done meanwhile, and
// lets it go on with Release. Both lists name the barriers in the same order.
//
// Every kind describes its fields once, in walk; the binary codec, the text form and the JSON form
// are walkers over that one description. The package is a leaf and is linked into the init stage's
// early start: it imports neither fmt, nor reflect, nor encoding/json.
package step

// Step is one action of a plan. The concrete types are pointers to the structs of this package.
type Step interface {
	// Kind tells which struct it is; it is the tag of the binary form.
	Kind() Kind
	// Where is the place in config.json that asked for the step (`mounts[3]`), "" when none did.
	Where() string

	place() *Place
	walk(w walker)
}

// Place is embedded in every step: the config path that asked for it.
type Place struct{ At string }

// Where implements Step.
func (p *Place) Where() string { return p.At }

func (p *Place) place() *Place { return p }

// At makes a Place, for use in literals: &step.Hostname{Place: step.At("hostname"), …}.
func At(path string) Place { return Place{At: path} }

// FD names a descriptor that the host hands to the init: an index into the table that travels with
// the plan, counted from 1. 0 means none.
type FD uint32

// walker visits the fields of a step in order. Encoders read through the pointers, decoders write.
type walker interface {
	str(name string, v *string)
	strs(name string, v *[]string)
	blob(name string, v *[]byte)
	flag(name string, v *bool)
	u32(name string, v *uint32)
	u64(name string, v *uint64)
	i64(name string, v *int64)
	u32s(name string, v *[]uint32)
	fd(name string, v *FD)
	fds(name string, v *[]FD)
	// bits is a u64 whose text form names the bits that names knows.
	bits(name string, v *uint64, names bitNames)
	// word is a u32 whose values have names; octal one that people read in base 8.
	word(name string, v *uint32, names func(uint32) string)
	octal(name string, v *uint32)
	steps(name string, v *[]Step)
	// list visits n records; a decoder calls grow with the number it read first.
	list(name string, n int, grow func(n int), at func(i int, w walker))
}

// bitNames gives the name of each single bit, "" for one that it does not know.
type bitNames func(bit uint64) string
