#!/usr/bin/env bash
# percent.sh DIR PROFILE - what the coverage counters in DIR come to, package by
# package and in all. PROFILE is left for `go tool cover -html=PROFILE`.
set -euo pipefail

GO=${GO:-go}
dir=$1 profile=$2
if ! compgen -G "$dir/covcounters.*" >/dev/null; then
	printf 'no coverage counters in %s\n' "$dir"
	exit 1
fi

# A process that a test killed while it wrote its counters leaves a file cut short:
# such files are set aside, one at a time, as covdata names them.
textfmt() {
	local message cut=0
	until message=$("$GO" tool covdata textfmt -i="$dir" -o="$profile" 2>&1); do
		[[ $message =~ reading\ counter\ data\ file\ ([^:]*): && -f ${BASH_REMATCH[1]} ]] || {
			printf '%s\n' "$message" >&2
			return 1
		}
		rm -- "${BASH_REMATCH[1]}"
		cut=$((cut + 1))
	done
	[[ $cut -eq 0 ]] || printf '(%d counter files of killed processes left out)\n' "$cut"
}

textfmt
printf '\nstatements covered by the integration tests:\n'
"$GO" tool covdata percent -i="$dir" | sed 's/^\t*//; s/\t*coverage: / /; s/ of statements//' |
	awk '{ printf "  %-48s %7s\n", $1, $2 }'
"$GO" tool cover -func="$profile" | awk 'END { printf "  %-48s %7s\n", "all", $NF }'
