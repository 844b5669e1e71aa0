package host

import (
	"os"
	"os/exec"
	"os/user"
	"strconv"

	"tare/internal/step"
)

// OwnMaps are the id maps of a user who has asked for none: the own ids are 0 inside, and what /etc/subuid
// and /etc/subgid give follows from 1 on. Without the one, the other, or the programs that write such
// maps, it is the own ids alone.
func OwnMaps() (uids, gids []step.IDMap, err error) {
	uid, gid := uint32(os.Geteuid()), uint32(os.Getegid())
	name := ""
	if u, err := user.LookupId(strconv.Itoa(int(uid))); err == nil {
		name = u.Username
	}
	moreUIDs, err := SubIDs("/etc/subuid", name, uid)
	if err != nil {
		return nil, nil, err
	}
	moreGIDs, err := SubIDs("/etc/subgid", name, uid)
	if err != nil {
		return nil, nil, err
	}
	if len(moreUIDs) == 0 || len(moreGIDs) == 0 || !installed("newuidmap") || !installed("newgidmap") {
		moreUIDs, moreGIDs = nil, nil
	}
	return ownMap(uid, moreUIDs), ownMap(gid, moreGIDs), nil
}

func installed(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

// mostMapLines is what the kernel takes (user_namespaces(7)).
const mostMapLines = 340

// ownMap puts ranges one after the other, behind the own id; what would map an id twice is left out.
func ownMap(own uint32, ranges []SubID) []step.IDMap {
	maps := []step.IDMap{{Container: 0, Host: own, Size: 1}}
	next := uint64(1)
	for _, r := range ranges {
		if len(maps) == mostMapLines || next+uint64(r.Count) > 1<<32-1 || overlaps(r, maps) {
			continue
		}
		maps = append(maps, step.IDMap{Container: uint32(next), Host: r.Start, Size: r.Count})
		next += uint64(r.Count)
	}
	return maps
}

func overlaps(r SubID, maps []step.IDMap) bool {
	for _, m := range maps {
		if uint64(r.Start) < uint64(m.Host)+uint64(m.Size) && uint64(m.Host) < uint64(r.Start)+uint64(r.Count) {
			return true
		}
	}
	return false
}
