#!/usr/bin/env bash
# fuzz.sh [PATTERN] - runs every fuzz target (or those that PATTERN matches) for
# FUZZTIME, 10 s by default, one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."

GO=${GO:-go}
pattern=${1:-.}
ran=0
failed=()
while read -r file; do
	pkg=./$(dirname "$file")
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(f \*testing\.F).*/\1/p' "$file" | grep -E "$pattern" || true); do
		printf -- '--- %s %s\n' "$pkg" "$target"
		ran=$((ran + 1))
		"$GO" test -tags "${TAGS:-netgo,osusergo}" -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-10s}" "$pkg" ||
			failed+=("$pkg $target")
	done
done < <(git ls-files -co --exclude-standard -- '*_test.go' | xargs -r grep -l '^func Fuzz' || true)
printf '%d fuzz targets ran, %d failed\n' "$ran" "${#failed[@]}"
[[ ${#failed[@]} -eq 0 ]] || { printf 'FAIL %s\n' "${failed[@]}"; exit 1; }
[[ $ran -gt 0 ]]
