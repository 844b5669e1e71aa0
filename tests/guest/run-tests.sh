#!/usr/bin/env bash
# run-tests.sh - runs the tests that need a kernel inside guest.sh's guests, as root and
# as an unprivileged user, with bin/tare from this checkout. Test binaries are built here,
# run there; their streams go to out/test/guest-KERNEL-CGROUP[-user].json and into one
# report at the end.
#
#   run-tests.sh can                       is a guest possible here? (installs QEMU; says why not)
#   run-tests.sh core                      what core.list says: trixie's kernel, cgroup v2
#   run-tests.sh all                       everything on cgroup v2 (trixie), as root and as a user, 200 containers at once and
#                                          the smallest memory limits; labels, with SELinux in AppArmor's place; everything on
#                                          hybrid (bookworm); the core on the newest kernel (sid); what has to do with cgroups
#                                          on v1 (bookworm). Two guests side by side, where there is memory for them
#   run-tests.sh arm64                     everything on cgroup v2 (trixie) on an emulated arm64 machine, as root, and the core as a user
#   run-tests.sh one KERNEL CGROUP [PATTERN [PACKAGE...]]
#   run-tests.sh user KERNEL CGROUP [PATTERN]   the integration tests as an unprivileged user
#
# The guest is emulated: count on ten times the host's run time. GUEST_TIMEOUT is the
# longest that one package may take (7200 s; core: 450 s as root, 270 s as the user).
set -euo pipefail
cd "$(dirname "$0")/../.."

GO=${GO:-go}
tags=${TAGS:-netgo,osusergo}
guest=$PWD/tests/guest/guest.sh
bins=$PWD/out/guest
out=$PWD/out/test
report=$PWD/out/tools/report
# What is before a go command that compiles C, and the binary under test.
cross=() tare=bin/tare
# The copy of this checkout on the guest's own disk. A program run from the share is read anew each
# time, and what the emulator has translated of it is lost: a start takes fourteen times as long.
inside=/srv/tare

# The packages whose tests meet the kernel; the others are the same everywhere.
kernel_packages=(./integration/... ./cgroups/... ./seccomp/... ./nsenter/... ./libcontainer/...
	./internal/facts/... ./internal/host/... ./internal/hooks/... ./internal/initstage/...
	./internal/launch/... ./internal/rootfs/... ./internal/sys/... ./internal/tty/...)

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
	CGO_ENABLED=0 GOARCH=${GUEST_ARCH:-} "$GO" build -trimpath -ldflags '-s -w' -o "$bins/testprog" ./integration/testprog
	while read -r path dir; do
		bin=$bins/${path//\//_}.test
		"${cross[@]}" "$GO" test -c -tags "$tags" -ldflags '-s -w -linkmode external -extldflags "-static"' -o "$bin" "$path"
		printf '%s %s %s\n' "$path" "${dir#"$PWD"}" "$inside/out/guest/${bin##*/}"
	done < <(with_tests "$@")
}

# run_in WHO LIST NAME ARGS...: each binary of LIST in the guest; what fails there, if it is little, a second time.
run_in() {
	local who=$1 list=$2 name=$3 pattern
	once "$@"
	pattern=$("$report" -again "$out/guest-$name.json")
	[[ -z $pattern ]] || once "$who" "$list" "$name-again" -test.run "$pattern"
}

# once WHO LIST NAME ARGS...: each binary of LIST in the guest, in its own folder. WHO is guest.sh's
# run or as-user. TMPDIR is on ext4: the guest's /tmp is a small tmpfs, and nosuid.
once() {
	local who=$1 list=$2 name=$3 path dir bin
	shift 3
	while read -r path dir bin; do
		"$GO" tool test2json -t -p "$path" "$guest" "$who" -C "$inside$dir" -e TMPDIR=/var/tmp \
			-e "TARE_BIN=$inside/bin/tare" -e TARE_CRASHES="${TARE_CRASHES:-5}" -e "TARE_CONTENTION=${TARE_CONTENTION:-}" -e "TESTPROG=$inside/out/guest/testprog" \
			"$bin" -test.v=test2json -test.timeout "$((GUEST_TIMEOUT - 10))s" "$@" </dev/null || true
	done <<<"$list" | "$report" -live -save "$out/guest-$name.json" || true
}

# copy_in fills $inside: all but what was built, and of that what the tests run.
copy_in() {
	# shellcheck disable=SC2016 # expanded in the guest
	"$guest" run sh -euc 'mkdir -p "$1/out"
		cd /tare
		for f in *; do [ "$f" = out ] || cp -R "$f" "$1"; done
		cp -R out/guest "$1/out"
		[ "$2" = bin/tare ] || cp "$2" "$1/bin/tare"' sh "$inside" "$tare" </dev/null
}

# boot KERNEL CGROUP [WHAT]: false, with a failure on record, if it does not come up. A guest that does not
# boot must not look like one without tests.
boot() {
	say "" "== guest: $1, cgroup $2${3:+, $3}"
	began=$SECONDS
	if ! GUEST_SHARE=$PWD "$guest" boot --kernel "$1" --cgroup "$2" || ! copy_in; then
		printf '{"Action":"output","Package":"guest@%s","Output":"did not boot\\n"}\n{"Action":"fail","Package":"guest@%s"}\n' \
			"$1-$2" "$1-$2" >"$out/guest-$1-$2${3:+-$3}.json"
		return 1
	fi
	# No udev coldplug in there: the I/O scheduler that has weights is loaded by hand.
	"$guest" run modprobe bfq </dev/null || say "no bfq: its weights are not tested"
}

halt() {
	"$guest" halt
	say "-- guest: $1, cgroup $2: $((SECONDS - began)) s"
}

prepare() {
	[[ -x $tare ]] || { say "no $tare: run make"; exit 1; }
	mkdir -p "$out" "${report%/*}"
	rm -f "$out"/guest-*.json
	"$GO" build -o "$report" ./tests/report
	"$guest" make
	# Whatever happens, no emulator is left running.
	trap '"$guest" halt >/dev/null 2>&1; [[ -z ${others:-} ]] || GUEST_RUN=$second "$guest" halt >/dev/null 2>&1' EXIT
}

# limits searches the smallest memory limits at which tare and crun run and exec a program; tare's may not be larger.
limits() {
	local outcome=pass
	tests/bench/limits.sh --guest 3 | tee "$out/guest-limits.txt"
	awk -F ' *[|] *' '
		/^[|] command / { for (i = 2; i < NF; i++) at[$i] = i }
		/^[|] (run|exec) / { rows++; if (!$at["tare"] || $at["tare"] + 0 > $at["crun"] + 0) bad = 1 }
		END { exit bad || rows != 2 }' "$out/guest-limits.txt" || outcome=fail
	printf '{"Action":"%s","Package":"smallest-limits@trixie-v2"%s}\n' "$outcome" ',"Test":"AtOrBelowCrun"' "$outcome" '' >"$out/guest-limits.json"
}

# binaries PATTERN...: builds into list.
binaries() {
	list=$(build "$@")
	[[ -n $list ]] || { say "no such package has tests"; exit 1; }
}

# Of list, the integration tests, and the packages that manage cgroups.
integration() { grep '/integration ' <<<"$list"; }
managers() { grep '/cgroups[/ ]' <<<"$list"; }

# The integration tests that another hierarchy may make fail: what v1 alone has to show, after hybrid.
of_cgroups='Cgroup|Limit|Memory|CPU|Pids|BlockIO|Huge|Rdma|Network(Class|Prior)|Device|Update|Pause|Resume|Freez|Kill'
of_cgroups+='|Delete|OOM|Events|Stats|Systemd|Slice|Scope|Contention|Controller|Hierarch|Unified|Weight|Throttl|Cpuset'

# What `all` runs, in two rows of guests that take about as long.
v2_guests() {
	if boot trixie v2; then
		TARE_CONTENTION=200 run_in run "$list" trixie-v2
		run_in as-user "$(integration)" trixie-v2-user
		say "" "== the smallest memory limits, beside crun"
		limits
		halt trixie v2
	fi
	if GUEST_APPEND='lsm=landlock,lockdown,yama,selinux,bpf selinux=1 enforcing=0' boot trixie v2 selinux; then
		run_in run "$(integration)" trixie-v2-selinux -test.run 'Selinux|MountLabel|MountContext|ProcessLabel'
		halt trixie v2
	fi
}

other_guests() {
	if boot bookworm hybrid; then
		run_in run "$list" bookworm-hybrid
		halt bookworm hybrid
	fi
	if boot sid v2; then
		run_in run "$(integration)" sid-v2 -test.run "$as_root"
		run_in as-user "$(integration)" sid-v2-user -test.run "$as_user"
		halt sid v2
	fi
	if boot bookworm v1; then
		run_in run "$(managers)" bookworm-v1-managers
		run_in run "$(integration)" bookworm-v1 -test.run "$of_cgroups"
		halt bookworm v1
	fi
}

second=${GUEST_DIR:-/var/lib/tare-guest}/run-2
room_for_two() {
	[[ $(nproc) -gt 1 && $(awk '/^MemAvailable/ { print int($2 / 1024) }' /proc/meminfo) -gt $((2 * ${GUEST_MEM:-4096} + 3000)) ]]
}

finish() {
	say "" "== report: guest"
	"$report" "$out"/guest-*.json </dev/null
}

# core_pattern WHO: of core.list, as a pattern. A line that names no case is an error: it would
# promise what is not run.
core_pattern() {
	local who name names=()
	while read -r who name _; do
		[[ $who == "$1" ]] || continue
		grep -qE "^func $name" integration/*_test.go || { say "core.list: no case is called $name..." >&2; return 1; }
		names+=("$name")
	done <tests/guest/core.list
	(IFS='|' && printf '^(%s)' "${names[*]}")
}

# A guest of our own, so that one that somebody works in is left alone.
export GUEST_DIR=${GUEST_DIR:-/var/lib/tare-guest}
export GUEST_LIFE=${GUEST_LIFE:-21600}
given=${GUEST_TIMEOUT:-}
export GUEST_TIMEOUT=${given:-7200}

case ${1:-} in
can) exec "$guest" tools ;;
core)
	as_root=$(core_pattern root) as_user=$(core_pattern user)
	prepare
	binaries ./integration
	if GUEST_BOOT_TIMEOUT=${GUEST_BOOT_TIMEOUT:-150} boot trixie v2; then
		GUEST_TIMEOUT=${given:-450} run_in run "$list" trixie-v2 -test.run "$as_root"
		GUEST_TIMEOUT=${given:-270} run_in as-user "$list" trixie-v2-user -test.run "$as_user"
		halt trixie v2
	fi
	finish
	;;
all)
	as_root=$(core_pattern root) as_user=$(core_pattern user)
	prepare
	binaries "${kernel_packages[@]}"
	if room_for_two; then
		say "the other guests' output: ${out#"$PWD"/}/guest-others.txt"
		GUEST_RUN=$second other_guests </dev/null >"$out/guest-others.txt" 2>&1 &
		others=$!
		v2_guests
		wait "$others" || true
		cat "$out/guest-others.txt"
	else
		v2_guests
		other_guests
	fi
	finish
	;;
arm64)
	export GUEST_ARCH=arm64 GUEST_DIR=${GUEST_ARM64_DIR:-/var/lib/tare-guest-arm64}
	cross=(tests/arm64.sh) tare=bin/tare-arm64
	as_user=$(core_pattern user)
	prepare
	binaries "${kernel_packages[@]}"
	if boot trixie v2 arm64; then
		run_in run "$list" arm64-trixie-v2
		run_in as-user "$(integration)" arm64-trixie-v2-user -test.run "$as_user"
		halt trixie v2
	fi
	finish
	;;
one | user)
	[[ $# -ge 3 ]] || { say "$1 KERNEL CGROUP [PATTERN [PACKAGE...]]"; exit 2; }
	who=$1 kernel=$2 cgroup=$3 pattern=${4:-.}
	shift $(($# < 4 ? 3 : 4))
	[[ $who != user ]] || set -- ./integration
	[[ $# -gt 0 ]] || set -- "${kernel_packages[@]}"
	prepare
	binaries "$@"
	if boot "$kernel" "$cgroup"; then
		if [[ $who == user ]]; then
			run_in as-user "$list" "$kernel-$cgroup-user" -test.run "$pattern"
		else
			run_in run "$list" "$kernel-$cgroup" -test.run "$pattern"
		fi
		halt "$kernel" "$cgroup"
	fi
	finish
	;;
*)
	sed -n '2,/^set -e/{/^set -e/d;s/^# \{0,1\}//;p}' "$0" >&2
	exit 2
	;;
esac
