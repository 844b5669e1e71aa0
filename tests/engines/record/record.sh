#!/usr/bin/env bash
# record.sh [DIR] - lets every engine make containers of many kinds with `recorder` as their runtime and
# keeps what each handed over: DIR/NAME.json (a config.json, or NAME.exec.json: a process.json) and
# DIR/NAME.cmd (what the user typed, what the runtime was called with). DIR is by default
# internal/plan/testdata/engines. Ids and process numbers are replaced by fixed ones.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../../.." && pwd)
dir=${1:-$top/internal/plan/testdata/engines}
export ENGINES_OUT=$top/out/engines-record
mkdir -p "$dir" "$ENGINES_OUT"
rm -rf "${ENGINES_OUT:?}"/*
(cd "$here/../cri" && CGO_ENABLED=0 "${GO:-go}" build -o "$ENGINES_OUT/cri-suite" .)
for engine in docker containerd cri podman; do
	"$here/../run.sh" --runtime "recorder=$here/recorder" --shell bash -c ". /suite/lib.sh; . /suite/record/scenarios.sh $engine"
done
cp "$ENGINES_OUT"/*.json "$ENGINES_OUT"/*.cmd "$dir/"
printf '%s recorded in %s\n' "$(find "$dir" -name '*.json' | wc -l)" "$dir"
