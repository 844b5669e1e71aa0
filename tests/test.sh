#!/usr/bin/env bash
# test.sh LANE... - runs test lanes, each to its end whatever the others did, and
# closes with one report over all of them: skips and why, packages, failures, total.
#   unit          every package but integration, with the race detector where it can
#   integration   bin/tare driven for real on this machine
#   arm64         the packages that make no process or namespace, emulated
#   cover         the same tests with bin/tare-cover, and what they covered (alone it
#                 fails if nothing could be counted, not if a test failed)
# The streams of `go test -json` stay in out/test/LANE.json.
set -euo pipefail
cd "$(dirname "$0")/.."

GO=${GO:-go}
tags=${TAGS:-netgo,osusergo}
out=$PWD/out/test
report=$PWD/out/tools/report

# live LANE: shows a stream while keeping it. A failure shows in the end report.
live() { "$report" -live -save "$out/$1.json" || true; }

# The race detector starts threads before main, which the init stage's door
# (nsenter) must not find when it enters a user namespace, and links with a loader that the
# root file systems of initstage's tests do not have: these go without.
unit_packages() { "$GO" list -e -tags "$tags" ./... | grep -v '/integration'; }
no_race='/nsenter$|/internal/initstage$|^tare$'

lane_unit() {
	local pkgs
	pkgs=$(unit_packages)
	{
		# shellcheck disable=SC2046,SC2086 # lists of import paths
		"$GO" test -json -count=1 -timeout 5m -race -tags "$tags" $(grep -vE "$no_race" <<<"$pkgs") 2>&1 || true
		# shellcheck disable=SC2046
		if grep -qE "$no_race" <<<"$pkgs"; then
			"$GO" test -json -count=1 -timeout 5m -tags "$tags" $(grep -E "$no_race" <<<"$pkgs") 2>&1 || true
		fi
	} | live unit
}

# What depends on numbers and layouts, and needs no system call that the emulator lacks.
arm64_packages=(./seccomp ./internal/plan ./internal/spec ./internal/state ./internal/step ./internal/sys)

lane_arm64() {
	local pkgs
	pkgs=$("$GO" list -e -tags "$tags" -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' "${arm64_packages[@]}" 2>/dev/null)
	# shellcheck disable=SC2086 # a list of import paths
	# qemu-user is not good at threads that are interrupted.
	GODEBUG=asyncpreemptoff=1 tests/arm64.sh "$GO" test -json -timeout 5m -exec qemu-aarch64-static -tags "$tags" \
		-ldflags '-linkmode external -extldflags "-static"' $pkgs 2>&1 | live arm64 || true
}

# integration BINARY LANE ARGS...
integration() {
	local binary=$1 lane=$2
	shift 2
	TARE_BIN=$binary "$GO" test -json -tags "$tags" -count=1 -timeout 20m "$@" ./integration/... 2>&1 | live "$lane" || true
}

# The few that fail, as on a machine with other work they may, get a second try, alone; the report says so.
lane_integration() {
	local pattern
	rm -f "$out/integration-again.json"
	integration "$PWD/bin/tare" integration
	pattern=$("$report" -again "$out/integration.json")
	[[ -z $pattern ]] || integration "$PWD/bin/tare" integration-again -run "$pattern"
}

# What fails here and not in integration fails by the counting (it needs
# descriptors, and may write to stderr): it is shown, and not counted again.
lane_cover() {
	make -s bin/tare-cover
	GOCOVERDIR=$(mktemp -d)
	# A container in a user namespace counts, too, wherever this checkout is.
	chmod 1777 "$GOCOVERDIR"
	export GOCOVERDIR
	integration "$PWD/bin/tare-cover" cover
	mv "$out/cover.json" "$out/cover.stream"
	tests/cover/percent.sh "$GOCOVERDIR" "$out/cover.txt"
	rm -rf "$GOCOVERDIR"
	unset GOCOVERDIR
}

mkdir -p "$out" "${report%/*}"
"$GO" build -o "$report" ./tests/report
streams=()
for lane in "$@"; do
	began=$SECONDS
	stream=$out/$lane.json
	rm -f "$stream"
	printf '\n== %s\n' "$lane"
	set +e
	(
		set -e
		"lane_$lane"
	)
	status=$?
	set -e
	# A lane that broke (its binary did not build) must not look like one without tests.
	[[ $status -eq 0 && (-s $stream || $lane == cover) ]] ||
		printf '{"Action":"output","Package":"lane","Output":"the lane broke, see above\\n"}\n{"Action":"fail","Package":"lane"}\n' >>"$stream"
	printf -- '-- %s: %d s\n' "$lane" $((SECONDS - began))
	[[ ! -f $stream ]] || streams+=("$stream")
	[[ ! -f $out/$lane-again.json ]] || streams+=("$out/$lane-again.json")
done
[[ ${#streams[@]} -gt 0 ]] || exit 0
printf '\n== report: %s, kernel %s, %s\n' "$*" "$(uname -r)" "$([[ $EUID -eq 0 ]] && echo root || echo "not root: most of integration is skipped")"
"$report" "${streams[@]}" </dev/null
