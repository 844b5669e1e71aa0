#!/bin/sh
# Compares tare with crun, runc and the kernel floor: builds the benchmark's programs, and starts
# them in the peers' root (peers.sh), where all runtimes see the same mounts and cgroups.
#
#   run.sh [--tare PATH] [--json FILE] [FLAG..]      FLAGs: see `go run ./tests/bench -h`
#
# The default for --tare is bin/tare, if it is there; with --tare '' only the peers are measured.  Needs root, Go, cc, and debootstrap with a Debian mirror
# for the first time (PEERS_ROOT keeps the root for the next).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
json=
tare=$here/../../bin/tare
[ -x "$tare" ] || tare=
n=$#
while [ "$n" -gt 0 ]; do
	a=$1
	shift
	n=$((n - 1))
	case $a in
	--tare | --json)
		[ "$n" -gt 0 ] || { echo "run.sh: $a needs a value" >&2; exit 2; }
		if [ "$a" = --tare ]; then tare=$1; else json=$1; fi
		shift
		n=$((n - 1))
		;;
	--tare=*) tare=${a#--tare=} ;;
	--json=*) json=${a#--json=} ;;
	*) set -- "$@" "$a" ;;
	esac
done
[ "$(id -u)" = 0 ] || { echo "run.sh: must be root" >&2; exit 1; }

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
(cd "$here" && CGO_ENABLED=0 go build -trimpath -o "$out/bench" .)
for p in floor payload; do cc -O2 -Wall -static -s -o "$out/$p" "$here/$p/$p.c"; done
[ -z "$json" ] || set -- "$@" --json /bench/json
if [ -n "$tare" ]; then
	mkdir "$out/tare"
	cp "$tare" "$out/tare/tare"
	set -- "$@" --tare /bench/tare/tare
fi
"$here/peers.sh" make >&2
PEERS_BIND="$out:/bench" "$here/peers.sh" in /bench/bench --dir /bench \
	--crun /usr/bin/crun --runc /usr/sbin/runc --floor /bench/floor "$@"
[ -z "$json" ] || cp "$out/json" "$json"
