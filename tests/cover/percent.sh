#!/usr/bin/env bash
# percent.sh DIR PROFILE - what the coverage counters in DIR come to, package by
# package and in all. PROFILE is left for `go tool cover -html=PROFILE`.
set -euo pipefail

GO=${GO:-go}
if ! compgen -G "$1/covcounters.*" >/dev/null; then
	printf 'no coverage counters in %s\n' "$1"
	exit 0
fi
printf '\nstatements covered by the integration tests:\n'
"$GO" tool covdata percent -i="$1" | sed 's/^\t*//; s/\t*coverage: / /; s/ of statements//' |
	awk '{ printf "  %-48s %7s\n", $1, $2 }'
"$GO" tool covdata textfmt -i="$1" -o="$2"
"$GO" tool cover -func="$2" | awk 'END { printf "  %-48s %7s\n", "all", $NF }'
