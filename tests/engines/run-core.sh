#!/usr/bin/env bash
# run-core.sh [can] - the core cases of every suite over tare, in some eight minutes (the first time
# makes the engines' root: four more). What this machine cannot run is skipped and says why; so is what
# would begin after ENGINES_MINUTES. `can` only says why nothing can run, if so.
# Settings: TARE (bin/tare), ENGINES_MINUTES (14).
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
TARE=${TARE:-$top/bin/tare}

can() {
	local why
	"$here/root.sh" can || return
	why=$(unshare --mount --net --pid --ipc --uts --cgroup --fork true 2>&1) || { echo "no new namespaces here: $why"; return 1; }
}
if [[ ${1:-} = can ]]; then can; exit; fi
if ! why=$(can); then
	echo "engines: skipped: $why"
	exit 0
fi
ENGINES_UNTIL=$(($(date +%s) + 60 * ${ENGINES_MINUTES:-14}))
export ENGINES_UNTIL
if ! "$here/root.sh" make; then
	echo "engines: skipped: their root could not be made (no Debian mirror?)"
	exit 0
fi
export ENGINES_OUT=${ENGINES_OUT:-$top/out/engines-core}
exec "$here/run.sh" --core --runtime "tare=$TARE" docker containerd cri podman
