package cli

import (
	"fmt"
	"runtime"

	"tare/seccomp"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// printVersion prints lines that engines look through for `commit:` and `spec:`.
func (a *app) printVersion() {
	fmt.Fprintf(a.stdout, "tare version %s\n", a.build.Version)
	if a.build.Commit != "" {
		fmt.Fprintf(a.stdout, "commit: %s\n", a.build.Commit)
	}
	fmt.Fprintf(a.stdout, "spec: %s\ngo: %s\nlibseccomp: %s\n", specs.Version, runtime.Version(), seccomp.LibraryVersion())
}
