package host

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"tare/internal/step"
)

// SubID is a range of ids that a user may map: a line of subuid(5) or subgid(5).
type SubID struct{ Start, Count uint32 }

// SubIDs reads the ranges of a user, who is named or numbered, from /etc/subuid or /etc/subgid. A
// missing file has none.
func SubIDs(path, user string, uid uint32) ([]SubID, error) {
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseSubIDs(b, user, uid), nil
}

// parseSubIDs skips lines that are not of the form USER:START:COUNT, as newuidmap does.
func parseSubIDs(b []byte, user string, uid uint32) []SubID {
	number := strconv.FormatUint(uint64(uid), 10)
	var ids []SubID
	for line := range bytes.Lines(b) {
		f := bytes.Split(bytes.TrimRight(line, "\n"), []byte(":"))
		if len(f) != 3 {
			continue
		}
		owner := string(f[0])
		if owner != number && (owner != user || user == "") {
			continue
		}
		start, err1 := strconv.ParseUint(string(f[1]), 10, 32)
		count, err2 := strconv.ParseUint(string(f[2]), 10, 32)
		if err1 == nil && err2 == nil && count > 0 && start+count <= 1<<32 {
			ids = append(ids, SubID{uint32(start), uint32(count)})
		}
	}
	return ids
}

// covered tells whether ranges hold every host id of m. Ranges may adjoin each other.
func covered(m step.IDMap, ids []SubID) bool {
	next, end := uint64(m.Host), uint64(m.Host)+uint64(m.Size)
	for moved := true; moved && next < end; {
		moved = false
		for _, r := range ids {
			if last := uint64(r.Start) + uint64(r.Count); uint64(r.Start) <= next && next < last {
				next, moved = last, true
			}
		}
	}
	return next >= end
}

// missing names the first line of a map that the user may not have: neither in ranges nor their own id.
func missing(maps []step.IDMap, own uint32, ids []SubID, path string) string {
	for _, m := range maps {
		if m.Size == 1 && m.Host == own || covered(m, ids) {
			continue
		}
		return fmt.Sprintf("host ids %d-%d are not in %s", m.Host, uint64(m.Host)+uint64(m.Size)-1, path)
	}
	return ""
}
