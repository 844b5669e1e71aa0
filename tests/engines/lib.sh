# shellcheck shell=bash
# lib.sh - what every suite and case uses. Sourced, in the lab.
#
# A suite is a folder: `suite.sh` in it defines up, reset, down (all optional) and the
# helpers of its cases; the other *.sh files hold cases. A case is a function announced by
#   it 'TITLE' FUNCTION [core]
# and runs in a process of its own under `set -e`: it passes when it ends with 0.

SUITE=${SUITE:-} CASES=() WORK=${WORK:-/tmp} SKIP_FILE=${SKIP_FILE:-/tmp/skip}

it() { CASES+=("$2"$'\t'"$1"$'\t'"${3:-}"); }

# skip REASON: ends the case; the reason must be one that the machine gives.
skip() { printf '%s\n' "$*" >"$SKIP_FILE"; exit 77; }
# fail WHAT: also from within a $(...), where an exit would end only that, and its errors may be caught.
fail() { printf 'FAIL: %s\n' "$*" >&"${LOG_FD:-2}"; : >"$SKIP_FILE.failed"; exit 1; }

# eq GOT WANT [WHAT]
eq() { [[ $1 == "$2" ]] || fail "${3:-value}: got $(printf %q "$1"), want $(printf %q "$2")"; }
# has TEXT PART, hasnt TEXT PART
has() { [[ $1 == *"$2"* ]] || fail "no $(printf %q "$2") in: $1"; }
hasnt() { [[ $1 != *"$2"* ]] || fail "unwanted $(printf %q "$2") in: $1"; }
# gives STATUS CMD...: the command's output on stdout and its errors; its status must be STATUS.
gives() {
	local want=$1 got=0
	shift
	"$@" || got=$?
	[[ $got = "$want" ]] || fail "status $got, want $want: $*"
}
# soon SECONDS CMD...: until CMD succeeds; fails after SECONDS.
soon() {
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[[ $SECONDS -lt $end ]] || fail "not within the time: $*"
		sleep 0.1
	done
}
# soon_eq SECONDS WANT CMD...: until CMD prints WANT.
soon_eq() {
	local end=$((SECONDS + $1)) want=$2 got=
	shift 2
	while :; do
		got=$("$@" 2>&1) || true
		[[ $got != "$want" ]] || return 0
		[[ $SECONDS -lt $end ]] || fail "got $(printf %q "$got"), want $(printf %q "$want"): $*"
		sleep 0.1
	done
}

# shipped FILE NAME: a configuration as contrib/ has it, for the runtime under test under that name.
shipped() { sed -E "s,/usr/local/sbin/tare,$RT_PATH,g; s,(\"|^|\.runtimes\.)tare(\"|\]|\.| =),\1$2\2,g" "/contrib/$1"; }

# cgroup_dir PID CONTROLLER: the folder in this lab of the process's group.
cgroup_dir() {
	local line
	if [[ $LAB_CGROUP = v2 ]]; then line=$(sed -n 's/^0:://p' "/proc/$1/cgroup")
	else line=$(awk -F: -v c="$2" '{ n = split($2, a, ","); for (i = 1; i <= n; i++) if (a[i] == c) print $3 }' "/proc/$1/cgroup"); fi
	[[ -n $line ]] || fail "process $1 is in no group of $2"
	if [[ $LAB_CGROUP = v2 ]]; then echo "/sys/fs/cgroup$line"; else echo "/sys/fs/cgroup/$2$line"; fi
}

# knob PID V1-FILE V2-FILE: the content of the control file of that process's group.
knob() {
	if [[ $LAB_CGROUP = v2 ]]; then cat "$(cgroup_dir "$1" '')/$3"
	else cat "$(cgroup_dir "$1" "${2%%.*}")/$2"; fi
}

# on_tty CMD...: CMD on a terminal of its own, its output on stdout.
on_tty() { script -qefc "$(printf '%q ' "$@")" /dev/null; }

# The processes that a container's init stage or the runtime has left: none, ever.
runtime_processes() {
	local p
	for p in /proc/[0-9]*; do
		[[ $(readlink "$p/exe" 2>/dev/null) != "$RT_PATH" ]] || printf '%s %s\n' "${p#/proc/}" "$(tr '\0' ' ' <"$p/cmdline" 2>/dev/null)"
	done
}
no_runtime_processes() { [[ -z $(runtime_processes) ]]; }
