package seccomp

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	maxEntrySize = 1 << 20 // bytes of one cache file
	maxEntries   = 128     // files in the cache; the oldest go first
)

// cache is an open cache directory.
type cache struct {
	dir *os.File
}

// openCache opens the directory, making it if needed. It must be ours alone to
// write: whoever can write there decides what containers may do.
func openCache(path string) (*cache, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	dir, err := os.OpenFile(path, unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if _, err := ours(dir, fs.ModeDir, 0o022); err != nil {
		dir.Close()
		return nil, err
	}
	return &cache{dir: dir}, nil
}

func (c *cache) close() { c.dir.Close() }

// ours checks that an open file has the type, belongs to the effective user and
// grants others none of the forbidden permissions, and returns its size.
func ours(f *os.File, kind fs.FileMode, forbidden fs.FileMode) (size int64, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	owner := info.Sys().(*syscall.Stat_t).Uid
	switch {
	case info.Mode().Type() != kind:
		return 0, fmt.Errorf("%q is of the wrong type (%s)", f.Name(), info.Mode())
	case int(owner) != os.Geteuid():
		return 0, fmt.Errorf("%q belongs to user %d", f.Name(), owner)
	case info.Mode().Perm()&forbidden != 0:
		return 0, fmt.Errorf("%q is open to others (mode %04o)", f.Name(), info.Mode().Perm())
	}
	return info.Size(), nil
}

// load returns the program of a key, nil if there is none that can be trusted.
func (c *cache) load(key []byte) *Program {
	fd, err := openat(c.dir, entryName(key), unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	f := os.NewFile(uintptr(fd), "cache entry")
	defer f.Close()
	size, err := ours(f, 0, 0o077)
	if err != nil || size > maxEntrySize {
		return nil
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil
	}
	return decodeEntry(data, key)
}

// store puts a program in, whole or not at all.
func (c *cache) store(key []byte, p *Program) error {
	data := encodeEntry(key, p)
	if len(data) > maxEntrySize {
		return nil // would not be read back
	}
	temp := ".new-" + strconv.FormatUint(rand.Uint64(), 16)
	fd, err := openat(c.dir, temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o600)
	if err != nil {
		return &fs.PathError{Op: "openat", Path: temp, Err: err}
	}
	f := os.NewFile(uintptr(fd), temp)
	_, err = f.Write(data)
	err = errors.Join(err, f.Close())
	if err == nil {
		err = unix.Renameat(int(c.dir.Fd()), temp, int(c.dir.Fd()), entryName(key))
	}
	if err != nil {
		unix.Unlinkat(int(c.dir.Fd()), temp, 0)
		return err
	}
	c.prune()
	return nil
}

// prune removes the oldest files when there are too many. Errors are left to
// the next one: another tare may be doing the same.
func (c *cache) prune() {
	names, err := c.dir.ReadDir(-1)
	if err != nil || len(names) <= maxEntries {
		return
	}
	type aged struct {
		name string
		at   int64
	}
	var files []aged
	for _, n := range names {
		if info, err := n.Info(); err == nil && info.Mode().IsRegular() {
			files = append(files, aged{n.Name(), info.ModTime().UnixNano()})
		}
	}
	slices.SortFunc(files, func(a, b aged) int { return int(min(max(a.at-b.at, -1), 1)) })
	for _, f := range files[:max(len(files)-maxEntries, 0)] {
		unix.Unlinkat(int(c.dir.Fd()), f.name, 0)
	}
}

// openat opens a name in the directory, never through a symbolic link.
func openat(dir *os.File, name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(int(dir.Fd()), name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC, mode)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// encodeEntry writes key, notify, warnings and filter, each with its length,
// and a checksum of it all.
func encodeEntry(key []byte, p *Program) []byte {
	k := keyWriter{b: make([]byte, 0, len(key)+len(p.Filter)+1024)}
	k.text(string(key))
	k.flag(p.Notify)
	k.number(uint64(len(p.Warnings)))
	for _, w := range p.Warnings {
		k.text(w)
	}
	k.text(string(p.Filter))
	return binary.LittleEndian.AppendUint64(k.b, checksum(k.b))
}

func checksum(data []byte) uint64 {
	h := fnv.New64a()
	h.Write(data)
	return h.Sum64()
}

// decodeEntry is the reverse; nil if the entry is damaged or of another key.
func decodeEntry(data, key []byte) *Program {
	if len(data) < 8 {
		return nil
	}
	body := data[:len(data)-8]
	if binary.LittleEndian.Uint64(data[len(body):]) != checksum(body) {
		return nil
	}
	r := keyReader{b: body}
	if !bytes.Equal(r.bytes(), key) {
		return nil
	}
	p := &Program{Notify: r.number() == 1}
	for n := r.number(); n > 0 && !r.bad; n-- {
		p.Warnings = append(p.Warnings, string(r.bytes()))
	}
	p.Filter = r.bytes()
	prog, err := decode(p.Filter)
	if r.bad || len(r.b) > 0 || err != nil || check(prog) != nil {
		return nil
	}
	return p
}

// keyReader reads what keyWriter wrote; bad is set when it does not fit.
type keyReader struct {
	b   []byte
	bad bool
}

func (r *keyReader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *keyReader) bytes() []byte {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}
