// Package nsenter is the door of the init stage. A program that makes containers imports it for its
// effect in its main package:
//
//	import _ "tare/nsenter"
//
// When the program is executed again as the init stage, the C constructor enters the namespaces it
// was asked to and makes the system calls that the host has lowered the plain steps of the plan to; most
// containers' program is executed from there. What is left of the plan init below carries out, and never
// returns: main is not reached. In any other case both do nothing.
package nsenter

// #cgo CFLAGS: -Os -Wall -Wextra -Werror
// #include "door.h"
// #include "lane.h"
import "C"

import (
	"tare/internal/initstage"
	"tare/internal/step"
)

// The only init function of the project: packages that wake after this one would cost each container
// its start.
func init() {
	if early {
		dispatch()
	}
}

// dispatch carries out the plan in an init stage, or what the fast lane has left of it.
func dispatch() {
	if C.tare_is_init == 0 {
		return
	}
	nofile := [2]uint64{uint64(C.tare_nofile[0]), uint64(C.tare_nofile[1])}
	if C.tare_rest.have != 0 {
		initstage.Resume(rest(), nofile)
	}
	initstage.Main(step.SocketFD, nofile)
}
