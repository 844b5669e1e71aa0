#!/usr/bin/env bash
# percent.sh DIR - what the coverage counters in DIR come to, package by package
# and in all.
set -euo pipefail

GO=${GO:-go}
if ! compgen -G "$1/covcounters.*" >/dev/null; then
	printf 'no coverage counters in %s\n' "$1"
	exit 0
fi
printf '\nstatements covered by the integration tests:\n'
"$GO" tool covdata percent -i="$1" | sed 's/^\t*//; s/\t*coverage: / /; s/ of statements//' |
	awk '{ printf "  %-48s %7s\n", $1, $2 }'
"$GO" tool covdata textfmt -i="$1" -o="$1.txt"
"$GO" tool cover -func="$1.txt" | awk 'END { printf "  %-48s %7s\n", "all", $NF }'
