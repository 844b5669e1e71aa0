//go:build !tarecover

package nsenter

// early: the init stage is entered from this package's init, not from the main package.
const early = true
