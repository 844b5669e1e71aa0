// Package integration drives the real runtime binary (TARE_BIN, default ../bin/tare) on real bundles and checks what
// the kernel then says. Every case has its own bundle, state root, id and cgroup, runs in parallel with the others,
// and ends with a leak check: no process, mount, cgroup, state or file of it may be left.
//
// The facts about the inside of a container come from a small static program of our own (testprog) as JSON, so that
// cases compare exact values.
package integration
