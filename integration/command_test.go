package integration

import "os/exec"

// warningsTo are the global options that log warnings too (others than tare log them by default).
func warningsTo(log string) []string {
	if suite.subject == "runc" {
		return []string{"--log", log}
	}
	return []string{"--log", log, "--log-level", "warning"}
}

// command prepares a call with exactly the given command line (no state root of the case).
func command(b *bundle, args ...string) *exec.Cmd {
	cmd := b.cmd()
	cmd.Args = append([]string{suite.bin}, args...)
	return cmd
}
