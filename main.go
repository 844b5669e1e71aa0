// Command tare is an OCI container runtime.
package main

import (
	"os"

	"tare/internal/cli"
	_ "tare/nsenter" // the init stage never reaches main
)

// Set by the linker.
var (
	version = "unknown"
	commit  string
)

func main() {
	os.Exit(cli.Main(os.Args, cli.Build{Version: version, Commit: commit}))
}
