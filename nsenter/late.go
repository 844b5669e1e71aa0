//go:build tarecover

package nsenter

const early = false

// Dispatch is what init does in other builds. A coverage build calls it from the main package, at
// whose initialisation the counters of all packages are registered: before that they cannot be saved.
func Dispatch() { dispatch() }
