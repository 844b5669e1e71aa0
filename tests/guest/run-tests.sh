#!/usr/bin/env bash
# run-tests.sh - runs the tests that need a kernel inside guest.sh's guest, as root,
# with bin/tare from this checkout. Test binaries are built here, run there; their
# streams go to out/test/guest-KERNEL-CGROUP.json and into one report at the end.
#
#   run-tests.sh can                       is a guest possible here? (installs QEMU; says why not)
#   run-tests.sh core                      a short run: trixie's kernel, cgroup v2
#   run-tests.sh all                       everything: trixie v2, sid v2, bookworm v1 and hybrid
#   run-tests.sh one KERNEL CGROUP [PATTERN [PACKAGE...]]
#
# The guest is emulated: count on ten times the host's run time.
set -euo pipefail
cd "$(dirname "$0")/../.."

GO=${GO:-go}
tags=${TAGS:-netgo,osusergo}
guest=$PWD/tests/guest/guest.sh
bins=$PWD/out/guest
out=$PWD/out/test
report=$PWD/out/tools/report

# The packages whose tests meet the kernel; the others are the same everywhere.
kernel_packages=(./integration/... ./cgroups/... ./seccomp/... ./nsenter/... ./libcontainer/...
	./internal/facts/... ./internal/host/... ./internal/hooks/... ./internal/initstage/...
	./internal/launch/... ./internal/rootfs/... ./internal/sys/... ./internal/tty/...)
# What core runs of them: where a machine with cgroup v2 and systemd differs most.
core_packages=(./cgroups/... ./integration/...)
core_pattern='^Test(Limit|Unified|MemoryLimit|PidsLimit|ProcessIsIn|DeleteRemoves|CgroupsPath|CgroupMount|CgroupN|ExecJoinsTheCgroup|ExecAfterInit|Pause|Events|Update|DeviceAccess)'

integration_pattern=

say() { printf '%s\n' "$@"; }

# with_tests PATTERN...: import path and folder of the packages that have tests.
with_tests() {
	"$GO" list -e -tags "$tags" \
		-f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}} {{.Dir}}{{end}}' "$@" 2>/dev/null
}

# build PATTERN...: one static test binary per package; prints "path folder binary".
build() {
	local path dir bin
	rm -rf "$bins"
	mkdir -p "$bins"
	# What the integration tests run in their containers: there is no Go in the guest.
	CGO_ENABLED=0 "$GO" build -trimpath -ldflags '-s -w' -o "$bins/testprog" ./integration/testprog
	while read -r path dir; do
		bin=$bins/${path//\//_}.test
		"$GO" test -c -tags "$tags" -ldflags '-s -w -linkmode external -extldflags "-static"' -o "$bin" "$path"
		printf '%s %s %s\n' "$path" "${dir#"$PWD"}" "/tare/out/guest/${bin##*/}"
	done < <(with_tests "$@")
}

# run_in LIST NAME ARGS...: each binary of LIST in the guest, in its own folder.
run_in() {
	local list=$1 name=$2 path dir bin only
	shift 2
	while read -r path dir bin; do
		only=()
		[[ $path != */integration || -z $integration_pattern ]] || only=(-test.run "$integration_pattern")
		"$GO" tool test2json -t -p "$path" "$guest" run -C "/tare$dir" \
			-e TARE_BIN=/tare/bin/tare -e TARE_CRASHES="${TARE_CRASHES:-5}" -e TESTPROG=/tare/out/guest/testprog \
			"$bin" -test.v=test2json -test.timeout "$((GUEST_TIMEOUT - 10))s" "${only[@]}" "$@" </dev/null || true
	done <<<"$list" | "$report" -live -save "$out/guest-$name.json" || true
}

# in_guest KERNEL CGROUP LIST ARGS...
in_guest() {
	local kernel=$1 cgroup=$2 list=$3 began=$SECONDS
	shift 3
	say "" "== guest: $kernel, cgroup $cgroup"
	GUEST_SHARE=$PWD "$guest" boot --kernel "$kernel" --cgroup "$cgroup" || {
		# A guest that does not boot must not look like one without tests.
		printf '{"Action":"output","Package":"guest@%s","Output":"did not boot\\n"}\n{"Action":"fail","Package":"guest@%s"}\n' \
			"$kernel-$cgroup" "$kernel-$cgroup" >"$out/guest-$kernel-$cgroup.json"
		return 0
	}
	run_in "$list" "$kernel-$cgroup" "$@"
	"$guest" halt
	say "-- guest: $kernel, cgroup $cgroup: $((SECONDS - began)) s"
}

prepare() {
	[[ -x bin/tare ]] || { say "no bin/tare: run make"; exit 1; }
	mkdir -p "$out" "${report%/*}"
	rm -f "$out"/guest-*.json
	"$GO" build -o "$report" ./tests/report
	"$guest" make
	# Whatever happens, no emulator is left running.
	trap '"$guest" halt >/dev/null 2>&1' EXIT
}

finish() {
	say "" "== report: guest"
	"$report" "$out"/guest-*.json </dev/null
}

# A guest of our own, so that one that somebody works in is left alone.
export GUEST_DIR=${GUEST_DIR:-/var/lib/tare-guest}
export GUEST_TIMEOUT=${GUEST_TIMEOUT:-1800}

case ${1:-} in
can) exec "$guest" tools ;;
core)
	export GUEST_TIMEOUT=${GUEST_CORE_TIMEOUT:-780}
	prepare
	list=$(build "${core_packages[@]}")
	[[ -n $list ]] || { say "no package has tests for the guest"; exit 1; }
	integration_pattern=$core_pattern
	in_guest trixie v2 "$list"
	finish
	;;
all)
	prepare
	list=$(build "${kernel_packages[@]}")
	[[ -n $list ]] || { say "no package has tests for the guest"; exit 1; }
	for pair in 'trixie v2' 'sid v2' 'bookworm v1' 'bookworm hybrid'; do
		read -r kernel cgroup <<<"$pair"
		in_guest "$kernel" "$cgroup" "$list"
	done
	finish
	;;
one)
	[[ $# -ge 3 ]] || { say "one KERNEL CGROUP [PATTERN [PACKAGE...]]"; exit 2; }
	kernel=$2 cgroup=$3 pattern=${4:-.}
	shift $(($# < 4 ? 3 : 4))
	[[ $# -gt 0 ]] || set -- "${kernel_packages[@]}"
	prepare
	list=$(build "$@")
	[[ -n $list ]] || { say "no such package has tests"; exit 1; }
	in_guest "$kernel" "$cgroup" "$list" -test.run "$pattern"
	finish
	;;
*)
	sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//;p}' "$0" >&2
	exit 2
	;;
esac
