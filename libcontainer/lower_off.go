//go:build tarecover

package libcontainer

// lower: in a coverage build all steps are the Go lane's, whose counters show which of them ran.
func (d *driver) lower(bool) []byte { return nil }
