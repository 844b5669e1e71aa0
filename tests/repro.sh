#!/usr/bin/env bash
# repro.sh BINARY - is BINARY what a second build, of the same files in another
# directory and with no build cache, comes to, byte for byte?
set -euo pipefail
cd "$(dirname "$0")/.."

binary=$1
dir=$(mktemp -d)
trap 'chmod -R u+w "$dir" && rm -rf "$dir"' EXIT
mkdir "$dir/elsewhere"
git ls-files -co --exclude-standard -z | while IFS= read -r -d '' f; do
	[[ ! -e $f ]] || printf '%s\0' "$f"
done | tar --null -T - -cf - | tar -C "$dir/elsewhere" -xf -
GOCACHE=$dir/cache make -s -C "$dir/elsewhere" COMMIT="$COMMIT" bin/tare
if ! cmp "$binary" "$dir/elsewhere/bin/tare"; then
	printf 'not reproducible: %s\n' "$(sha256sum "$binary" "$dir/elsewhere/bin/tare")" >&2
	exit 1
fi
printf 'reproducible: %s\n' "$(sha256sum "$binary")"
