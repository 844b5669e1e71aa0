package step

// The door is the C constructor of package nsenter: it does before Go starts what a threaded
// process cannot do. With argv[1] = ModeDoor it reads one DoorRequest from the socket, a fixed
// struct that needs no parsing; nsenter's tests compare this layout with the one in C.

// Limits of the fixed struct.
const (
	DoorMaxJoins   = 16
	DoorMaxOffsets = 128
	DoorMagic      = 0x65726174 // "tare"
	DoorSize       = 4*8 + 2*8 + DoorMaxJoins*8 + DoorMaxOffsets
)

// Bits of DoorRequest.Flags.
const (
	DoorFork        uint32 = 1 << iota // clone once at the end; the child goes on
	DoorBecome                         // setresgid, setresuid to GID, UID after the user namespace
	DoorWaitMaps                       // the user namespace among Unshare: ask for its maps and wait
	DoorNonDumpable                    // PR_SET_DUMPABLE 0 first
)

// DoorRequest is what the host sends; the descriptors of Joins come with it, in order.
type DoorRequest struct {
	Flags    uint32
	UID, GID uint32
	Unshare  uint64
	Joins    []uint64 // CLONE_NEW* bits of each descriptor
	Offsets  string   // text for /proc/self/timens_offsets
}

// Encode gives the fixed struct, false when something does not fit in.
//
//	u32 magic, flags, uid, gid, njoins, noffsets, 0, 0; u64 unshare, 0; u64 joins[16]; char offsets[128]
func (r *DoorRequest) Encode() ([]byte, bool) {
	if len(r.Joins) > DoorMaxJoins || len(r.Offsets) > DoorMaxOffsets {
		return nil, false
	}
	b := make([]byte, 0, DoorSize)
	for _, v := range [...]uint32{DoorMagic, r.Flags, r.UID, r.GID, uint32(len(r.Joins)), uint32(len(r.Offsets)), 0, 0} {
		b = appendU32(b, v)
	}
	b = appendU64(appendU64(b, r.Unshare), 0)
	for i := range DoorMaxJoins {
		var t uint64
		if i < len(r.Joins) {
			t = r.Joins[i]
		}
		b = appendU64(b, t)
	}
	b = append(b, r.Offsets...)
	return b[:DoorSize], true
}

// The stages that a DoorReply names.
const (
	DoorJoin    uint32 = iota + 1 // setns of join number Index failed
	DoorUnshare                   // unshare failed
	DoorMaps                      // not an error: "write my id maps now"; the host answers one byte
	DoorUser                      // setresuid or setresgid failed
	DoorOffsets                   // timens_offsets could not be written
	DoorClone                     // clone failed
	DoorChild                     // not an error: Index is the pid of the process that goes on
	DoorRead                      // the request was not understood
	DoorDone                      // not an error: the door is passed, Go starts
)

// DoorReplySize is the length of a reply: u32 stage, u32 index or pid, u32 errno.
const DoorReplySize = 12

// DoorReply is what the door says.
type DoorReply struct {
	Stage, Index, Errno uint32
}

// ParseDoorReply reads a reply of DoorReplySize bytes.
func ParseDoorReply(b []byte) (DoorReply, bool) {
	if len(b) != DoorReplySize {
		return DoorReply{}, false
	}
	return DoorReply{getU32(b), getU32(b[4:]), getU32(b[8:])}, true
}
