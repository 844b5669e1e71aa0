//go:build tarecover

package libcontainer

import "tare/internal/calls"

// lower: in a coverage build all steps are the Go lane's, whose counters show which of them ran.
func (d *driver) lower(bool) *calls.Program { return nil }
