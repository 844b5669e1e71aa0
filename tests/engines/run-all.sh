#!/usr/bin/env bash
# run-all.sh [SUITE...] - every suite over tare and, for comparison, runc and crun; then the table
# in docs/ENGINES.md. About 45 minutes; RUNTIMES=tare does it in 15 and leaves the others' columns.
# It exits 1 if a case failed on tare. Settings: TARE (bin/tare), RUNTIMES ("runc crun tare").
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
TARE=${TARE:-$top/bin/tare}
out=${ENGINES_OUT:-$top/out/engines}
read -ra runtimes <<<"${RUNTIMES:-runc crun tare}"
suites=("$@")
[[ ${#suites[@]} -gt 0 ]] || suites=(docker containerd cri crio podman)

if ! why=$("$here/root.sh" can); then
	echo "engines: skipped: $why"
	exit 0
fi
if ! "$here/root.sh" make; then
	echo "engines: skipped: their root could not be made (no Debian mirror?)"
	exit 0
fi
bad=0
for r in "${runtimes[@]}"; do
	spec=$r
	[[ $r != tare ]] || spec=tare=$TARE
	printf '\n== engines over %s\n' "$r"
	"$here/run.sh" --runtime "$spec" "${suites[@]}" || { [[ $r != tare ]] || bad=1; }
done
"$here/table.sh" "$out" "$top/docs/ENGINES.md"
exit "$bad"
