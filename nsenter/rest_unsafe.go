package nsenter

// #include "lane.h"
import "C"

import (
	"syscall"
	"unsafe"

	"tare/internal/initstage"
)

// rest is what the fast lane has left, in the Go lane's terms. The plan stays where it was read.
func rest() *initstage.Rest {
	c := &C.tare_rest
	r := &initstage.Rest{
		Plan:  unsafe.Slice((*byte)(c.plan), int(c.size)),
		Index: int(c.index), Half: c.half != 0, Errno: syscall.Errno(c.err),
		Conn: int(c.conn), Started: c.started != 0, Umask: int(c.umask),
		Root: int(c.slot[C.LANE_ROOT]), Null: int(c.slot[C.LANE_NULL]), Empty: int(c.slot[C.LANE_EMPTY]),
		Table: make([]int, int(c.ntable)),
	}
	for i := range r.Table {
		r.Table[i] = int(c.slot[C.LANE_TABLE+i])
	}
	return r
}
