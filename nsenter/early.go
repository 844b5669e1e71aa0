//go:build !tarecover

package nsenter

// The only init function of the project: packages that wake after this one would cost each container
// its start.
func init() { dispatch() }
