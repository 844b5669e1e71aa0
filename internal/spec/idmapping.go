package spec

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/opencontainers/runtime-spec/specs-go"
)

// IDMapping is the mapping of an id-mapped mount written into its option:
// idmap=uids=0-1-10#10-11-10;gids=0-1-20.
type IDMapping struct {
	UIDs, GIDs []IDRange
}

// IDRange maps Size ids that begin at FSID on the filesystem to ids of the
// host.
type IDRange struct {
	FSID uint32
	// HostID is the first id on the host or, if Relative, in the container's
	// user namespace.
	HostID   uint32
	Size     uint32
	Relative bool
}

// ParseIDMapping reads "uids=RANGES;gids=RANGES". RANGES are FS-HOST-LENGTH
// triplets joined by '#'; one that begins with '@' counts HOST from the
// container's user namespace. Both lists have to be there: without one of them
// the kernel would show those ids as the overflow id.
func ParseIDMapping(text string) (*IDMapping, error) {
	var m IDMapping
	for part := range strings.SplitSeq(text, ";") {
		name, ranges, found := strings.Cut(part, "=")
		if !found {
			return nil, fmt.Errorf("id mapping part %q: no '='", part)
		}
		list := &m.UIDs
		switch name {
		case "uids":
		case "gids":
			list = &m.GIDs
		default:
			return nil, fmt.Errorf("id mapping part %q: neither uids nor gids", part)
		}
		if *list != nil {
			return nil, fmt.Errorf("id mapping part %q: given twice", part)
		}
		var err error
		if *list, err = parseIDRanges(ranges); err != nil {
			return nil, err
		}
	}
	if m.UIDs == nil || m.GIDs == nil {
		return nil, errors.New("id mapping needs both uids and gids")
	}
	return &m, nil
}

func parseIDRanges(text string) ([]IDRange, error) {
	var list []IDRange
	for triplet := range strings.SplitSeq(text, "#") {
		var r IDRange
		numbers := triplet
		numbers, r.Relative = strings.CutPrefix(numbers, "@")
		fields := strings.Split(numbers, "-")
		if len(fields) != 3 {
			return nil, fmt.Errorf("id range %q: not of the form FS-HOST-LENGTH", triplet)
		}
		for i, to := range []*uint32{&r.FSID, &r.HostID, &r.Size} {
			n, err := strconv.ParseUint(fields[i], 10, 32)
			if err != nil {
				return nil, fmt.Errorf("id range %q: %w", triplet, numError(err))
			}
			*to = uint32(n)
		}
		list = append(list, r)
	}
	return list, nil
}

// Resolve turns the ranges into mappings (containerID on the filesystem, hostID
// on the host), translating relative ones through the container's own uid and
// gid mappings. A range that is not wholly inside one entry of those is split;
// ids that they do not map are an error.
func (m *IDMapping) Resolve(uids, gids []specs.LinuxIDMapping) (u, g []specs.LinuxIDMapping, err error) {
	if u, err = resolveRanges(m.UIDs, uids); err != nil {
		return nil, nil, fmt.Errorf("uids: %w", err)
	}
	if g, err = resolveRanges(m.GIDs, gids); err != nil {
		return nil, nil, fmt.Errorf("gids: %w", err)
	}
	return u, g, nil
}

func resolveRanges(ranges []IDRange, through []specs.LinuxIDMapping) ([]specs.LinuxIDMapping, error) {
	var out []specs.LinuxIDMapping
	for _, r := range ranges {
		if !r.Relative {
			out = append(out, specs.LinuxIDMapping{ContainerID: r.FSID, HostID: r.HostID, Size: r.Size})
			continue
		}
		fs, id, left := uint64(r.FSID), uint64(r.HostID), uint64(r.Size)
		for left > 0 {
			host, n := translateID(through, id)
			if n == 0 {
				return nil, fmt.Errorf("id %d is not mapped in the container's user namespace", id)
			}
			n = min(n, left)
			out = append(out, specs.LinuxIDMapping{ContainerID: uint32(fs), HostID: uint32(host), Size: uint32(n)})
			fs, id, left = fs+n, id+n, left-n
		}
		if fs > math.MaxUint32 {
			return nil, fmt.Errorf("id range at %d: ends above the highest id", r.FSID)
		}
	}
	return out, nil
}

// translateID gives the host id of a container id and how many ids from there
// on the same entry maps (0: not mapped).
func translateID(mappings []specs.LinuxIDMapping, id uint64) (host, n uint64) {
	for _, m := range mappings {
		first := uint64(m.ContainerID)
		if id >= first && id-first < uint64(m.Size) {
			return uint64(m.HostID) + id - first, uint64(m.Size) - (id - first)
		}
	}
	return 0, 0
}

// HostID translates an id of the container to the host's; false if no mapping
// covers it.
func HostID(mappings []specs.LinuxIDMapping, id uint32) (uint32, bool) {
	host, n := translateID(mappings, uint64(id))
	return uint32(host), n > 0
}

// numError takes the function name and the repeated input out of an error of
// strconv.
func numError(err error) error {
	var ne *strconv.NumError
	if errors.As(err, &ne) {
		return ne.Err
	}
	return err
}
