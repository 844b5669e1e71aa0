// Command tare is an OCI container runtime.
package main

import (
	"os"
	"runtime"

	"tare/internal/cli"
	_ "tare/nsenter" // the init stage never reaches main
)

// Set by the linker.
var (
	version = "unknown"
	commit  string
)

func main() {
	// One thing at a time: idle processors that look for work cost more than a command lasts.
	runtime.GOMAXPROCS(1)
	os.Exit(cli.Main(os.Args, cli.Build{Version: version, Commit: commit}))
}
