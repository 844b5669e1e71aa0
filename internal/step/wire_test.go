package step

import (
	"bytes"
	"testing"
)

func TestReportRoundTrip(t *testing.T) {
	want := Report{Index: 3, Step: KindHook, At: "hooks.x[0]", Op: "hook", Value: "/h", Errno: 110, Text: "out", Nanos: 1 << 60}
	got, err := DecodeReport(want.Encode())
	if err != nil || *got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for i := range want.Encode() {
		if _, err := DecodeReport(want.Encode()[:i]); err == nil {
			t.Errorf("prefix of %d bytes is accepted", i)
		}
	}
}

func TestHeader(t *testing.T) {
	for _, c := range []struct {
		name       string
		b          []byte
		kind       uint32
		size       int
		impossible bool
	}{
		{"plan", AppendHeader(nil, MsgPlan, 0x010203), MsgPlan, 0x010203, false},
		{"last kind, longest", AppendHeader(nil, MsgFD, MaxMessage), MsgFD, MaxMessage, false},
		{"too long", AppendHeader(nil, MsgPlan, MaxMessage+1), 0, 0, true},
		{"kind 0", AppendHeader(nil, 0, 1), 0, 0, true},
		{"kind unknown", AppendHeader(nil, MsgFD+1, 1), 0, 0, true},
		{"short", AppendHeader(nil, MsgPlan, 1)[:7], 0, 0, true},
		{"empty", nil, 0, 0, true},
	} {
		kind, size, ok := ParseHeader(c.b)
		if ok == c.impossible || ok && (kind != c.kind || size != c.size) {
			t.Errorf("%s: got %d %d %v", c.name, kind, size, ok)
		}
	}
}

func TestDoorRequestLayout(t *testing.T) {
	r := DoorRequest{Flags: DoorFork | DoorBecome, UID: 5, GID: 6, Unshare: 0x10000000, Joins: []uint64{0x20000000, 0x80}, Offsets: "boottime 1 0\n"}
	b, ok := r.Encode()
	if !ok || len(b) != DoorSize {
		t.Fatalf("got %d bytes, %v; want %d", len(b), ok, DoorSize)
	}
	for i, want := range []uint32{DoorMagic, DoorFork | DoorBecome, 5, 6, 2, 13, 0, 0} {
		if got := getU32(b[4*i:]); got != want {
			t.Errorf("word %d: got %#x, want %#x", i, got, want)
		}
	}
	if getU64(b[32:]) != 0x10000000 || getU64(b[48:]) != 0x20000000 || getU64(b[56:]) != 0x80 || getU64(b[64:]) != 0 {
		t.Errorf("wrong masks % x", b[32:80])
	}
	if !bytes.HasPrefix(b[48+8*DoorMaxJoins:], []byte("boottime 1 0\n\x00")) {
		t.Errorf("offsets: %q", b[48+8*DoorMaxJoins:])
	}
	for _, bad := range []DoorRequest{{Joins: make([]uint64, DoorMaxJoins+1)}, {Offsets: string(make([]byte, DoorMaxOffsets+1))}} {
		if _, ok := bad.Encode(); ok {
			t.Error("what does not fit is accepted")
		}
	}
}

func TestDoorReply(t *testing.T) {
	b := appendU32(appendU32(appendU32(nil, DoorClone), 9), 11)
	if r, ok := ParseDoorReply(b); !ok || r != (DoorReply{DoorClone, 9, 11}) {
		t.Errorf("got %+v %v", r, ok)
	}
	if _, ok := ParseDoorReply(b[:11]); ok {
		t.Error("short reply is accepted")
	}
}

func TestCapName(t *testing.T) {
	for n, want := range map[uint]string{0: "CAP_CHOWN", 21: "CAP_SYS_ADMIN", 40: "CAP_CHECKPOINT_RESTORE", 41: "", 1 << 31: ""} {
		if got := CapName(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}
