//go:build !tarecover

package libcontainer

import "tare/internal/calls"

// lower gives the program for the fast lane of the init stage.
func (d *driver) lower(debug bool) *calls.Program { return calls.Lower(d.plan.Init, len(d.fds), debug) }
