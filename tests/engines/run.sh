#!/usr/bin/env bash
# run.sh - runs engine suites over one runtime, in a lab that leaves this machine as it was.
#
#   run.sh --runtime NAME[=PATH] [--cgroup hybrid|v1|v2] [--only REGEX] [--core] SUITE...
#   run.sh --runtime NAME[=PATH] [--cgroup ...] --shell [CMD...]
#
# SUITE is docker, containerd, cri, crio or podman. Each SUITE gets a lab of its own: namespaces for mounts,
# network, processes, IPC, host name and cgroups; the engines' root under an overlay whose
# changes are in memory; a cgroup of its own in every hierarchy, removed afterwards. Its
# processes end with its pid namespace.
# NAME=PATH shows PATH of this machine as /usr/local/sbin/NAME inside; without PATH the root's own is used.
# Lines `STATUS<TAB>SUITE<TAB>CASE<TAB>SECONDS<TAB>REASON` go to OUT/RUNTIME-SUITE.tsv and the
# logs of cases that failed beside it; OUT is ENGINES_OUT (default out/engines). It exits 1 if a case failed.
# crun refuses the hybrid layout: it gets v1 by default, every other runtime the machine's.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)

die() { printf 'run.sh: %s\n' "$*" >&2; exit 2; }
usage() { sed -n '2,/^set -e/p' "$here/run.sh" | sed -n 's/^# \{0,1\}//p' >&2; exit 2; }

runtime='' cgroup='' only='' core='' shell=''
while [[ $# -gt 0 ]]; do
	case $1 in
	--runtime) runtime=$2; shift 2 ;;
	--cgroup) cgroup=$2; shift 2 ;;
	--only) only=$2; shift 2 ;;
	--core) core=1; shift ;;
	--shell) shell=1; shift; break ;;
	-*) usage ;;
	*) break ;;
	esac
done
[[ -n $runtime ]] || usage
[[ -n $shell || $# -gt 0 ]] || usage
[[ $(id -u) = 0 ]] || die 'must be root'
name=${runtime%%=*} path=''
[[ $runtime != *=* ]] || path=$(readlink -f -- "${runtime#*=}")
[[ -z $path || -x $path ]] || die "no program at ${runtime#*=}"

# The machine's layout, as mounted under /sys/fs/cgroup.
machine_cgroup() {
	if [[ $(stat -fc %T /sys/fs/cgroup) = cgroup2fs ]]; then echo v2
	elif [[ -e /sys/fs/cgroup/unified/cgroup.procs ]]; then echo hybrid
	else echo v1; fi
}
machine=$(machine_cgroup)
if [[ -z $cgroup ]]; then
	cgroup=$machine
	[[ $name != crun || $machine != hybrid ]] || cgroup=v1
fi
[[ $cgroup = "$machine" || $machine = hybrid ]] || die "--cgroup $cgroup on a machine with $machine"

"$here/root.sh" make
root=$("$here/root.sh" path)
out=${ENGINES_OUT:-$top/out/engines}
mkdir -p "$out"
out=$(cd "$out" && pwd)

# Where hierarchies are mounted on this machine.
hierarchies() { awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/self/mounts | grep '^/sys/fs/cgroup' | sort -u; }

group=tare-engines-$$
enter_groups() {
	local h
	for h in $(hierarchies); do
		mkdir "$h/$group"
		if [[ -e $h/cpuset.cpus && -z $(cat "$h/$group/cpuset.cpus") ]]; then
			cat "$h/cpuset.cpus" >"$h/$group/cpuset.cpus"
			cat "$h/cpuset.mems" >"$h/$group/cpuset.mems"
		fi
		echo "$BASHPID" >"$h/$group/cgroup.procs"
	done
}
leave_groups() {
	local h
	for h in $(hierarchies); do
		[[ -d $h/$group ]] || continue
		# A dead process is counted until it is reaped: ask again for a while.
		for _ in {1..50}; do
			find "$h/$group" -depth -type d -exec rmdir {} \; 2>/dev/null
			[[ -d $h/$group ]] || break
			sleep 0.1
		done
		[[ ! -d $h/$group ]] || printf 'run.sh: left over: %s\n' "$h/$group" >&2
	done
	return 0
}
dir=$(mktemp -d)
trap 'leave_groups; rmdir "$dir"' EXIT

export LAB_DIR=$dir LAB_ROOT=$root LAB_OUT=$out LAB_HERE=$here LAB_CGROUP=$cgroup LAB_PATH=$path
export RT=$name ONLY=$only CORE=$core
lab() { # SUITE or shell...
	local status=0
	(
		enter_groups
		export LAB_GROUP=$group LAB_HIERARCHIES
		LAB_HIERARCHIES=$(hierarchies)
		exec unshare --cgroup "$here/lab.sh" start "$@"
	) || status=$?
	leave_groups
	return "$status"
}

if [[ -n $shell ]]; then lab shell "$@"; exit; fi
bad=0
for suite in "$@"; do
	[[ -d $here/$suite ]] || die "no suite $suite"
	if [[ $suite = crio ]] && ! why=$("$here/root.sh" crio); then
		printf 'crio on %s: skipped: %s\n' "$name" "${why:-it could not be built}"
		continue
	fi
	if [[ $suite = cri || $suite = crio ]]; then
		(cd "$here/cri" && CGO_ENABLED=0 "${GO:-go}" build -o "$out/cri-suite" .)
	fi
	lab suite "$suite" || bad=1
done
exit "$bad"
