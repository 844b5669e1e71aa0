#!/usr/bin/env bash
# run-core.sh - the core cases of every suite over tare, in some eight minutes (the first time
# makes the engines' root: four more). What this machine cannot run is skipped and says why.
# Settings: TARE (bin/tare).
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
TARE=${TARE:-$top/bin/tare}

if ! why=$("$here/root.sh" can); then
	echo "engines: skipped: $why"
	exit 0
fi
if ! why=$(unshare --mount --net --pid --ipc --uts --cgroup --fork true 2>&1); then
	echo "engines: skipped: no new namespaces here: $why"
	exit 0
fi
if ! "$here/root.sh" make; then
	echo "engines: skipped: their root could not be made (no Debian mirror?)"
	exit 0
fi
export ENGINES_OUT=${ENGINES_OUT:-$top/out/engines-core}
exec "$here/run.sh" --core --runtime "tare=$TARE" docker containerd cri podman
