#!/bin/sh
# Builds the carriers statically and runs them: run.sh [FLAG..] (see `carriers run --help`).  Needs root.
set -eu
cd "$(dirname "$0")"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
go build -trimpath -tags netgo,osusergo -ldflags '-s -w -linkmode external -extldflags "-static"' -o "$out/carriers" .
"$out/carriers" run "$@"
