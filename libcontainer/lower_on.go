//go:build !tarecover

package libcontainer

import "tare/internal/calls"

// fastLane tells whether the init gets a program for its fast lane.
func (d *driver) fastLane() bool { return calls.Fits(d.plan.Init, len(d.fds)) }
