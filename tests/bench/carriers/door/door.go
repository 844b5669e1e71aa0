// Package door starts children that carry out a plan, and is what such a child meets first.
//
// Its import path sorts before nearly every other package's, and it needs few of them, so its
// init() runs before most of the program's packages are initialised.
package door

/*
#include "steps.h"
#include <stdlib.h>
*/
import "C"

import (
	"runtime"
	"syscall"
	"unsafe"

	"carriers/lane"
)

func init() {
	if C.carry_mode == C.CARRY_GO {
		lane.Run(3)
	}
}

// Carrier says how a child carries out its plan.
type Carrier int

// The carriers.
const (
	Go    Carrier = C.CARRY_GO    // re-exec'd image, Go lane
	Ctor  Carrier = C.CARRY_CTOR  // re-exec'd image, C constructor, Go never starts
	Vfork Carrier = C.CARRY_VFORK // no second image, shares the parent's memory
	Fork  Carrier = C.CARRY_FORK  // no second image, copy of the parent's memory
)

// Slot holds one start: its request and stack, in C memory, because a child may share it.
type Slot struct{ r *C.struct_spawn_req }

// NewSlot prepares a start.  sock is the child's end of the socket, procs are open cgroup.procs
// files that the child writes itself into before anything else.
func NewSlot(c Carrier, sock int, plan []byte, procs []int) *Slot {
	r := (*C.struct_spawn_req)(C.calloc(1, C.sizeof_struct_spawn_req))
	r.carrier = C.int(c)
	r.sock = C.int(sock)
	r.plan = C.CBytes(plan)
	r.len = C.size_t(len(plan))
	for i, fd := range procs {
		r.cgfd[i] = C.int(fd)
	}
	r.ncg = C.int(len(procs))
	r.stack = C.malloc(C.STACK_SIZE)
	return &Slot{r}
}

// Start makes the child.  With Vfork it returns only when the child has reached its execve.
func (s *Slot) Start() error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if n := C.spawn_child(s.r); n < 0 {
		return syscall.Errno(-n)
	}
	return nil
}

// PID is the child's, 0 before it exists; it may be asked while Start is still busy.
func (s *Slot) PID() int { return int(*(*int32)(unsafe.Pointer(&s.r.tid))) }

// Free releases the memory; the child must have been reaped.
func (s *Slot) Free() {
	C.free(unsafe.Pointer(s.r.plan))
	C.free(s.r.stack)
	C.free(unsafe.Pointer(s.r))
}
