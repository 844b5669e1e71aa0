//go:build tarecover

package libcontainer

// fastLane: in a coverage build all steps are the Go lane's, whose counters show which of them ran.
func (d *driver) fastLane() bool { return false }
