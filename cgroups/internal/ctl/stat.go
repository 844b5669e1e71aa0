package ctl

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ParseList parses a list of CPUs or memory nodes, such as "0-3,7". Numbers
// are below 65536.
func ParseList(s string) ([]uint16, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return nil, nil
	}
	var list []uint16
	for part := range strings.SplitSeq(s, ",") {
		lo, hi, isRange := strings.Cut(part, "-")
		if !isRange {
			hi = lo
		}
		a, err1 := strconv.ParseUint(lo, 10, 16)
		b, err2 := strconv.ParseUint(hi, 10, 16)
		if err1 != nil || err2 != nil || a > b || len(list)+int(b-a) > math.MaxUint16 {
			return nil, fmt.Errorf("%w: list %q", ErrFormat, s)
		}
		for v := a; v <= b; v++ {
			list = append(list, uint16(v))
		}
	}
	return list, nil
}

// ParseDevice parses the first field of a line: "MAJ:MIN".
func ParseDevice(f []string) (major, minor uint64, ok bool) {
	if len(f) == 0 {
		return 0, 0, false
	}
	a, b, found := strings.Cut(f[0], ":")
	major, err1 := strconv.ParseUint(a, 10, 32)
	minor, err2 := strconv.ParseUint(b, 10, 32)
	return major, minor, found && err1 == nil && err2 == nil
}

// EachHugetlb calls fn for every huge page size that the reader's directory
// has accounts of; suffix is how the version calls the usage (".current",
// ".usage_in_bytes").
func EachHugetlb(r *Reader, suffix string, fn func(size string, used uint64)) {
	if r.Err != nil || r.fd < 0 {
		return
	}
	var names []string
	if names, r.Err = hugeFiles(r.dir, suffix); r.Err != nil {
		return
	}
	for _, name := range names {
		v, _ := r.Uint(name)
		fn(name[len(hugePrefix):len(name)-len(suffix)], v)
	}
}

const hugePrefix = "hugetlb."

func hugeFiles(dir, suffix string) ([]string, error) {
	fd, errno := openAt(unix.AT_FDCWD, dir, unix.O_RDONLY|unix.O_DIRECTORY)
	if errno != 0 {
		if Gone(errno) {
			return nil, nil
		}
		return nil, fmt.Errorf("open %q: %w", dir, errno)
	}
	defer unix.Close(fd)
	var files []string
	var buf [4096]byte
	for {
		n, err := unix.Getdents(fd, buf[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return files, err
		}
		eachName(buf[:n], func(name []byte) {
			size, ok := bytes.CutPrefix(name, []byte(hugePrefix))
			if size, ok2 := bytes.CutSuffix(size, []byte(suffix)); ok && ok2 && bytes.IndexByte(size, '.') < 0 {
				files = append(files, string(name))
			}
		})
	}
}

// eachName calls fn for every name in a getdents64 buffer.
func eachName(b []byte, fn func([]byte)) {
	for len(b) > 19 {
		reclen := int(b[16]) | int(b[17])<<8
		if reclen < 20 || reclen > len(b) {
			return
		}
		name, _, _ := bytes.Cut(b[19:reclen], []byte{0})
		fn(name)
		b = b[reclen:]
	}
}

// StatRdma reads rdma.current and rdma.max, if there, and calls fn for each
// device.
func StatRdma(r *Reader, fn func(dev string, handles, objects, maxHandles, maxObjects uint64)) {
	now := string(r.Read("rdma.current"))
	if now == "" {
		return
	}
	limits := string(r.Read("rdma.max"))
	for line := range strings.SplitSeq(now, "\n") {
		if dev, h, o := parseRdma(line); dev != "" {
			_, maxH, maxO := parseRdma(lineOf(limits, dev))
			fn(dev, h, o, maxH, maxO)
		}
	}
}

func parseRdma(line string) (dev string, handles, objects uint64) {
	f := strings.Fields(line)
	if len(f) == 0 {
		return "", 0, 0
	}
	for _, kv := range f[1:] {
		key, val, _ := strings.Cut(kv, "=")
		switch key {
		case "hca_handle":
			handles, _ = ParseUint(val)
		case "hca_object":
			objects, _ = ParseUint(val)
		}
	}
	return f[0], handles, objects
}
