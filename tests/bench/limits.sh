#!/bin/sh
# limits.sh - the smallest memory limit at which each runtime runs `true`, and executes it in a
# container. In the peers' root of this machine (cgroups as they are here), or in a guest that is up:
#
#   limits.sh [N]           N of N starts must work (10)
#   limits.sh --guest [N]   with the guest's crun, by tests/guest/guest.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
guest=
[ "${1:-}" != --guest ] || { guest=1; shift; }
n=${1:-10}
[ -n "$guest" ] || exec "$here/run.sh" --limits "$n" --runs 0 --lone 0 --cycles 0 --rss 0

top=$(cd "$here/../.." && pwd)
out=$top/out/limits
mkdir -p "$out"
(cd "$here" && CGO_ENABLED=0 go build -trimpath -o "$out/bench" .)
cc -O2 -Wall -static -s -o "$out/payload" "$here/payload/payload.c"
# shellcheck disable=SC2016 # expanded in the guest
GUEST_TIMEOUT=${GUEST_TIMEOUT:-1800} "$top/tests/guest/guest.sh" run sh -ec '
	mkdir -p /var/tmp/bench && cp /tare/out/limits/bench /tare/out/limits/payload /tare/bin/tare /var/tmp/bench
	cd /var/tmp/bench
	./bench --dir /var/tmp/bench --tare /var/tmp/bench/tare --crun /usr/bin/crun --limits "$1" --runs 0 --lone 0 --cycles 0 --rss 0
' sh "$n" </dev/null
