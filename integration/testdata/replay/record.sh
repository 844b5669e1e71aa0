#!/usr/bin/env bash
# record.sh - records again what runc answers to the calls of engines (../../replay_calls_test.go), with
# the runc of the engines' root (tests/engines/root.sh makes it).
set -euo pipefail
cd "$(dirname "$0")/../../.."
root=$(tests/engines/root.sh path)
tests/engines/root.sh make
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go test -c -o "$work/integration.test" ./integration
CGO_ENABLED=0 go build -trimpath -o "$work/testprog" ./integration/testprog
mkdir -p "$work/out/testdata/replay"
# Beside the test binary, the folder that it writes into. /tmp is the root's own: runtimes leave nothing on this machine.
PEERS_ROOT=$root PEERS_BIND="$work:/record" PEERS_CWD=/record/out PEERS_HYBRID=keep tests/bench/peers.sh in \
	env TARE_BIN=/usr/sbin/runc TESTPROG=/record/testprog /record/integration.test -test.run '^TestReplay$' \
	-record 'integration/testdata/replay/record.sh'
cp "$work"/out/testdata/replay/*.json integration/testdata/replay/
