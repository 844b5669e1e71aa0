#!/usr/bin/env bash
# suite.sh NAME        run a suite, in the lab
# suite.sh NAME CASE   run one case's function, started by the former
# Environment: RT, RT_PATH, LAB_CGROUP, ONLY, CORE, ENGINES_UNTIL (no case begins after this second).
set -uo pipefail
export SUITE=$1
# shellcheck source=tests/engines/lib.sh
. /suite/lib.sh
for f in /suite/"$SUITE"/*.sh; do
	# shellcheck source=/dev/null
	. "$f"
done
for f in up reset down; do declare -F "$f" >/dev/null || eval "$f() { :; }"; done

if [[ $# -gt 1 ]]; then
	set -e
	exec 2>&1
	exec {LOG_FD}>&1
	"$2"
	[[ ! -e $SKIP_FILE.failed ]]
	exit
fi

results=/out/$RT-$SUITE.tsv
logs=/out/$RT-$SUITE.logs
mkdir -p "$logs"
if [[ -z $ONLY ]]; then rm -rf "${logs:?}"/*; fi
: >"$results.new"

# line STATUS TITLE SECONDS REASON
line() {
	printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$SUITE" "$2" "$3" "${4//$'\t'/ }" >>"$results.new"
	printf '%-4s %s: %s (%ss)%s\n' "$1" "$SUITE" "$2" "$3" "${4:+ - $4}"
}

# In a process of its own: under `set -e`.
clear_up() { timeout 60 "$BASH" /suite/suite.sh "$SUITE" reset; }

# try FUNCTION LOG: in a process group of its own, with a deadline.
try() {
	mkdir -p "$WORK"
	(cd "$WORK" && timeout -k 5 "${CASE_TIMEOUT:-120}" "$BASH" /suite/suite.sh "$SUITE" "$1" </dev/null >"$2" 2>&1)
}

# one FUNCTION TITLE: a case. Among the core's, which run beside whatever else the machine does, one that fails
# gets a second try, and its line says so.
one() {
	local began=$SECONDS status=0 log=$logs/$1.log reason unsteady=''
	export WORK=/tmp/case-$1 SKIP_FILE=/tmp/skip-$1
	try "$1" "$log" || status=$?
	if [[ -n $CORE && $status != 0 && $status != 77 ]]; then
		unsteady="unsteady, at first: $(tail -n 1 "$log" | tr -d '\r' | cut -c -200)"
		rm -f "$SKIP_FILE.failed"
		clear_up >/dev/null 2>&1 || clear_up >/dev/null 2>&1 || true
		rm -rf --one-file-system "$WORK"
		status=0
		try "$1" "$log" || status=$?
	fi
	case $status in
	0) passed=$((passed + 1)); line pass "$2" $((SECONDS - began)) "$unsteady" ; rm -f "$log" ;;
	77) skipped=$((skipped + 1)); line skip "$2" $((SECONDS - began)) "$(cat "$SKIP_FILE")"; rm -f "$log" ;;
	*)
		[[ $status != 124 && $status != 137 ]] || echo "FAIL: cut off after ${CASE_TIMEOUT:-120} s" >>"$log"
		reason=$(grep -a '^FAIL: ' "$log" | tail -n 1 | cut -c 7-300)
		line fail "$2" $((SECONDS - began)) "${reason:-$(tail -n 1 "$log" | tr -d '\r' | cut -c -300)}"
		failed=$((failed + 1))
		tail -n 15 "$log" | sed 's/^/     | /'
		;;
	esac
	rm -f "$SKIP_FILE.failed"
	if ! clear_up >"$log.reset" 2>&1; then
		# A container that is going by itself may have been in the way.
		sed 's/^/     | clearing up: /' "$log.reset"
		clear_up >"$log.reset" 2>&1 || true
	fi
	rm -rf --one-file-system "$WORK" "$SKIP_FILE" "$log.reset"
}

# What ran, for the table.
"$RT_PATH" --version | sed -n '1s/ version / /p' >"/out/$RT.version"
dpkg-query -W -f '${Package} ${Version}\n' docker.io containerd podman buildah conmon docker-buildx docker-compose criu >/out/engines.version 2>/dev/null
[[ ! -e /usr/local/lib/crio/version ]] || echo "crio $(cat /usr/local/lib/crio/version)" >>/out/engines.version
[[ $RT = crun ]] || echo "$LAB_CGROUP" >/out/cgroup

passed=0 failed=0 skipped=0
if (up) >"$logs/up.log" 2>&1; then
	for c in "${CASES[@]}"; do
		IFS=$'\t' read -r func title core <<<"$c"
		[[ -z $CORE || $core = core ]] || continue
		[[ -z $ONLY || $func =~ $ONLY ]] || continue
		if [[ -n ${ENGINES_UNTIL:-} && $(date +%s) -ge $ENGINES_UNTIL ]]; then
			skipped=$((skipped + 1))
			line skip "$title" 0 'its time is over'
			continue
		fi
		one "$func" "$title"
	done
	down >"$logs/down.log" 2>&1 || true
else
	tail -n 20 "$logs/up.log"
	line fail 'the engine starts' 0 "$(tail -n 1 "$logs/up.log")"
	failed=1
fi
# The table is of whole runs.
if [[ -n $ONLY || -n $CORE ]]; then rm -f "$results.new"; else mv "$results.new" "$results"; fi
printf '%s on %s: %s passed, %s failed, %s skipped\n' "$SUITE" "$RT" "$passed" "$failed" "$skipped"
[[ $failed = 0 ]]
