package ctl

import (
	"errors"
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

// EachHugetlb calls fn for every huge page size that dir has accounts of;
// suffix is how the version calls the usage (".current", ".usage_in_bytes").
func EachHugetlb(dir, suffix string, fn func(size string, used uint64)) error {
	names, err := hugeFiles(dir, suffix)
	if err != nil {
		return err
	}
	for _, size := range names {
		v, err := Uint(dir, "hugetlb."+size+suffix)
		if err != nil {
			return err
		}
		fn(size, v)
	}
	return nil
}

func hugeFiles(dir, suffix string) ([]string, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", dir, err)
	}
	defer unix.Close(fd)
	var sizes []string
	var buf [4096]byte
	for {
		n, err := unix.Getdents(fd, buf[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return sizes, err
		}
		eachName(buf[:n], func(name string) {
			size, ok := strings.CutPrefix(name, "hugetlb.")
			if size, ok2 := strings.CutSuffix(size, suffix); ok && ok2 && !strings.Contains(size, ".") {
				sizes = append(sizes, size)
			}
		})
	}
}

// eachName calls fn for every name in a getdents64 buffer.
func eachName(b []byte, fn func(string)) {
	for len(b) > 19 {
		reclen := int(b[16]) | int(b[17])<<8
		if reclen < 20 || reclen > len(b) {
			return
		}
		name, _, _ := strings.Cut(string(b[19:reclen]), "\x00")
		fn(name)
		b = b[reclen:]
	}
}

// StatRdma reads rdma.current and rdma.max, if there, and calls fn for each
// device.
func StatRdma(dir string, fn func(dev string, handles, objects, maxHandles, maxObjects uint64)) error {
	now, err := Read(dir, "rdma.current", nil)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	limits, err := Read(dir, "rdma.max", nil)
	if err != nil {
		return err
	}
	type pair struct{ handles, objects uint64 }
	limit := make(map[string]pair)
	EachLine(limits, func(line []byte) {
		dev, h, o := parseRdma(string(line))
		limit[dev] = pair{h, o}
	})
	EachLine(now, func(line []byte) {
		if dev, h, o := parseRdma(string(line)); dev != "" {
			fn(dev, h, o, limit[dev].handles, limit[dev].objects)
		}
	})
	return nil
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
