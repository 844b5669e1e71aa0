package integration

import "os/exec"

// command prepares a call with exactly the given command line (no state root of the case).
func command(b *bundle, args ...string) *exec.Cmd {
	cmd := b.cmd()
	cmd.Args = append([]string{suite.bin}, args...)
	return cmd
}
