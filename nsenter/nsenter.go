// Package nsenter is the door of the init stage. A program that makes containers imports it for its
// effect in its main package:
//
//	import _ "tare/nsenter"
//
// When the program is executed again as the init stage, the C constructor enters the namespaces it
// was asked to, and init below carries out the plan and never returns: main is not reached. In any
// other case both do nothing.
package nsenter

// #cgo CFLAGS: -Os -Wall -Wextra -Werror
// #include "door.h"
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

// dispatch carries out the plan in an init stage.
func dispatch() {
	if C.tare_is_init != 0 {
		initstage.Main(step.SocketFD, [2]uint64{uint64(C.tare_nofile[0]), uint64(C.tare_nofile[1])})
	}
}
