#!/usr/bin/env bash
# contention.sh - 200 containers put through their life by eight workers: none may
# fail, nothing may be left.
#
#   contention.sh [N]           here, with bin/tare
#   contention.sh --guest [N]   in the guest that is up (guest.sh boot), as it is
set -euo pipefail
cd "$(dirname "$0")/.."

GO=${GO:-go}
tags=${TAGS:-netgo,osusergo}
guest=
if [[ ${1:-} == --guest ]]; then
	guest=$PWD/tests/guest/guest.sh
	shift
fi
n=${1:-200}

bins=$PWD/out/contention
mkdir -p "$bins"
CGO_ENABLED=0 "$GO" build -trimpath -ldflags '-s -w' -o "$bins/testprog" ./integration/testprog
CGO_ENABLED=0 "$GO" test -c -tags "$tags" -o "$bins/integration.test" ./integration
args=(-test.run '^TestContention$' -test.v -test.timeout 3600s)
if [[ -n $guest ]]; then
	GUEST_TIMEOUT=3700 "$guest" run -C /tare/integration -e TARE_BIN=/tare/bin/tare \
		-e TESTPROG=/tare/out/contention/testprog -e "TARE_CONTENTION=$n" \
		/tare/out/contention/integration.test "${args[@]}" </dev/null
	exit
fi
cd integration
TARE_BIN=${TARE_BIN:-$PWD/../bin/tare} TESTPROG=$bins/testprog TARE_CONTENTION=$n exec "$bins/integration.test" "${args[@]}"
