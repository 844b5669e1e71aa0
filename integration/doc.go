// Package integration drives the real runtime binary (TARE_BIN, default ../bin/tare) on real bundles and checks what
// the kernel then says. Every case has its own bundle, state root, id and cgroup, runs in parallel with the others,
// and ends with a leak check: no process, mount, cgroup, state or file of it may be left.
//
// The facts about the inside of a container come from a small static program of our own (testprog) as JSON, so that
// cases compare exact values.
//
// Environment: TARE_BIN names the runtime, TARE_CRASHES how often each command is killed in the crash cases (200),
// TESTPROG a built testprog for a machine without Go (`go test -c` gives the rest). Other runtimes may be named too:
// a case that is known not to hold for one says so and is skipped. The number of cases and the reason of every
// skipped one are printed at the end (with -v, or when run from this directory).
package integration
