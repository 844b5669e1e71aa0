package seccomp

import (
	"encoding/binary"
	"hash/fnv"
	"runtime"
	"strconv"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// codeVersion changes whenever the same profile would be compiled to other
// instructions; it is part of the cache key. A test notices.
const codeVersion = 2

// cacheKey serialises everything that the compiled filter depends on: fields in
// fixed order, each with its length, so that no two inputs look the same.
// Flags and listener are no part of the filter.
func cacheKey(s *specs.LinuxSeccomp, failUnknown bool) []byte {
	k := keyWriter{b: make([]byte, 0, 16<<10)} // a default profile has 8 KiB
	k.text("tare seccomp filter")
	k.number(codeVersion)
	k.number(tableVersion)
	k.text(libraryVersion())
	k.text(runtime.GOARCH)
	k.flag(failUnknown)
	k.text(string(s.DefaultAction))
	k.errno(s.DefaultErrnoRet)
	k.number(uint64(len(s.Architectures)))
	for _, a := range s.Architectures {
		k.text(string(a))
	}
	k.number(uint64(len(s.Syscalls)))
	for i := range s.Syscalls {
		k.entry(&s.Syscalls[i])
	}
	return k.b
}

type keyWriter struct{ b []byte }

func (k *keyWriter) number(n uint64) { k.b = binary.AppendUvarint(k.b, n) }

func (k *keyWriter) text(s string) {
	k.number(uint64(len(s)))
	k.b = append(k.b, s...)
}

func (k *keyWriter) flag(f bool) {
	if f {
		k.number(1)
	} else {
		k.number(0)
	}
}

func (k *keyWriter) errno(n *uint) {
	k.flag(n != nil)
	if n != nil {
		k.number(uint64(*n))
	}
}

func (k *keyWriter) entry(e *specs.LinuxSyscall) {
	k.number(uint64(len(e.Names)))
	for _, name := range e.Names {
		k.text(name)
	}
	k.text(string(e.Action))
	k.errno(e.ErrnoRet)
	k.number(uint64(len(e.Args)))
	for _, a := range e.Args {
		k.number(uint64(a.Index))
		k.text(string(a.Op))
		k.number(a.Value)
		k.number(a.ValueTwo)
	}
}

// entryName is the file name of a key. The hash only spreads the names: an
// entry holds its whole key, which is compared, so that a collision costs a
// compilation and never gives a foreign filter.
func entryName(key []byte) string {
	h := fnv.New64a()
	h.Write(key)
	return strconv.FormatUint(h.Sum64(), 16)
}
