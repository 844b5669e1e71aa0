#!/usr/bin/env bash
# peers.sh - other container runtimes to compare against, in a Debian sid root.
#
#   peers.sh make            make (or complete) the root; safe to repeat
#   peers.sh in CMD [ARG..]  run CMD in the root, in a mount namespace of its own
#   peers.sh versions        what the root holds
#   peers.sh path            print the root's path
#
# Needs root, debootstrap and a Debian mirror.  Settings (environment):
#   PEERS_ROOT      where the root is        (default /var/lib/tare-peers)
#   PEERS_MIRROR    Debian mirror            (default: the first http URI of this machine's apt sources)
#   PEERS_SUITE     Debian suite             (default sid)
#   PEERS_PACKAGES  packages it must hold    (default below)
#   PEERS_BIND      for `in`: files and folders of this machine to show inside, separated by
#                   blanks, each SRC, SRC:DST or SRC:DST:ro.  DST defaults to SRC.  For a runtime give
#                   its folder, not the file: runc >= 1.2 seals its own binary with an overlay of the
#                   folder it is in, and finds there the empty file that the bind mount covers.
#                   (Empty mount points for them stay in the root.)
#   PEERS_CWD       for `in`: working directory inside (default /)
#   PEERS_TMP       for `in`: folder of this machine that is /tmp inside (default /tmp)
#   PEERS_HYBRID    for `in`: hide (default), hugetlb or keep.  See below.
#   PEERS_CGROUP    for `in`: host (default: the cgroup mounts of this machine as they are) or
#                   v2 (only the cgroup2 hierarchy, mounted at /sys/fs/cgroup; it may have no controllers)
#
# What `in` does: unshare -m with private propagation, bind the root onto itself, /proc, /sys with
# every cgroup mount, /dev, /tmp and PEERS_BIND into it, pivot_root there and detach the old tree,
# so the runtime under test sees a real root (pivot_root(2) refuses to work from a plain chroot)
# and no mount outlives CMD.  Processes, network and cgroups are this machine's: a runtime that
# leaves a container behind leaves it on this machine.
#
# Hybrid cgroups.  Where the v1 controllers are mounted one by one and a cgroup2 hierarchy is beside
# them (/sys/fs/cgroup/unified), a controller that nobody mounted as v1 (often hugetlb) stays with
# cgroup2.  crun then stops with "cgroups in hybrid mode not supported, drop all controllers from
# cgroupv2" (runc does not mind).  PEERS_HYBRID says what `in` does about it, in its namespace only:
#   hide     unmount .../unified there, so that peers see plain v1 (nothing outside changes)
#   hugetlb  mount hugetlb as v1 beside the others.  That moves the controller for the whole kernel
#            (a new line in every /proc/PID/cgroup).  The hierarchy goes away with its last mount, but
#            only when no removed cgroup of it is still being freed by then; one that stayed is
#            removed by mounting it once more somewhere and unmounting it a second later
#   keep     leave it as it is
set -euo pipefail

PEERS_ROOT=${PEERS_ROOT:-/var/lib/tare-peers}
PEERS_SUITE=${PEERS_SUITE:-sid}
PEERS_PACKAGES=${PEERS_PACKAGES:-crun runc python3 time hyperfine jq busybox-static}
PEERS_CWD=${PEERS_CWD:-/}
PEERS_TMP=${PEERS_TMP:-/tmp}
PEERS_HYBRID=${PEERS_HYBRID:-hide}
PEERS_CGROUP=${PEERS_CGROUP:-host}
self=$(readlink -f -- "$0")

die() { echo "peers.sh: $*" >&2; exit 1; }
usage() { sed -n '2,/^set -e/p' "$self" | sed -n 's/^# \{0,1\}//p'; exit "${1:-2}"; }
need_root() { [ "$(id -u)" = 0 ] || die "must be root"; }

mirror() {
	if [ -n "${PEERS_MIRROR:-}" ]; then echo "$PEERS_MIRROR"; return; fi
	local u
	u=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
		grep -v '^[[:space:]]*#' | grep -oE 'https?://[^ ]+/debian/?( |$)' | head -n1 | tr -d ' ') || true
	[ -n "$u" ] || die "no Debian mirror found in apt's sources: set PEERS_MIRROR"
	echo "$u"
}

missing() { # packages the root lacks
	local p
	for p in $PEERS_PACKAGES; do
		# shellcheck disable=SC2016 # dpkg's own ${...}
		chroot "$PEERS_ROOT" dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null | grep -qx installed || echo "$p"
	done
}

cmd_make() {
	need_root
	exec 9>"${TMPDIR:-/tmp}/peers-make.lock"
	flock 9
	if [ ! -x "$PEERS_ROOT/usr/bin/dpkg" ] || [ -d "$PEERS_ROOT/debootstrap" ]; then # the folder: cut off midway
		command -v debootstrap >/dev/null || die "debootstrap is not installed"
		local script=/usr/share/debootstrap/scripts/$PEERS_SUITE
		[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
		mkdir -p "$PEERS_ROOT"
		debootstrap --variant=minbase "$PEERS_SUITE" "$PEERS_ROOT" "$(mirror)" "$script"
	fi
	local m
	m=$(missing)
	if [ -n "$m" ]; then
		# shellcheck disable=SC2086 # a list of packages
		# in the private namespace: maintainer scripts may want /proc and /dev.  A mirror that is a
		# snapshot has release files past their date.
		# shellcheck disable=SC2016,SC2086 # the inner shell's own $@; $m is a list of words
		"$self" in sh -c 'export DEBIAN_FRONTEND=noninteractive
			apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Check-Valid-Until=false update &&
			apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "$@"' sh $m
	fi
	m=$(missing)
	[ -z "$m" ] || die "still missing: $m"
	echo "$PEERS_ROOT is complete"
}

# runs inside the new mount namespace
inner() {
	local r=$PEERS_ROOT b src dst opt
	mount --bind "$r" "$r"
	mkdir -p "$r/proc" "$r/sys" "$r/dev" "$r/tmp" "$r/run"
	mount -t proc proc "$r/proc"
	mount --rbind /sys "$r/sys"
	mount --rbind /dev "$r/dev"
	mount --bind "$PEERS_TMP" "$r/tmp"
	mount -t tmpfs -o mode=755 tmpfs "$r/run" # state folders of the runtimes go with the namespace
	for b in ${PEERS_BIND:-}; do
		IFS=: read -r src dst opt <<<"$b"
		dst=$r${dst:-$src}
		[ -e "$src" ] || die "PEERS_BIND: no $src"
		if [ -d "$src" ]; then mkdir -p "$dst"
		elif [ ! -e "$dst" ]; then mkdir -p "${dst%/*}"; : >"$dst"; fi
		mount --bind "$src" "$dst"
		[ "${opt:-}" != ro ] || mount -o remount,bind,ro "$dst"
	done
	if [ "$PEERS_CGROUP" = v2 ]; then
		umount -R "$r/sys/fs/cgroup" 2>/dev/null || umount -lR "$r/sys/fs/cgroup"
		mount -t cgroup2 cgroup2 "$r/sys/fs/cgroup"
	elif [ -e "$r/sys/fs/cgroup/unified/cgroup.controllers" ] &&
		[ -n "$(cat "$r/sys/fs/cgroup/unified/cgroup.controllers")" ]; then
		case $PEERS_HYBRID in
		hide)
			umount "$r/sys/fs/cgroup/unified"
			# crun makes plain folders for its containers there: in a tmpfs that ends with us
			mount -t tmpfs -o mode=755 tmpfs "$r/sys/fs/cgroup/unified"
			;;
		hugetlb)
			# a tmpfs of our own, so that no empty folder stays in the machine's
			mount -t tmpfs -o mode=755 tmpfs "$r/sys/fs/cgroup"
			for b in /sys/fs/cgroup/*; do
				if [ -L "$b" ]; then cp -P "$b" "$r$b"; else mkdir "$r$b"; mount --bind "$b" "$r$b"; fi
			done
			mkdir "$r/sys/fs/cgroup/hugetlb"
			mount -t cgroup -o hugetlb cgroup "$r/sys/fs/cgroup/hugetlb"
			;;
		keep) ;;
		*) die "PEERS_HYBRID=$PEERS_HYBRID" ;;
		esac
	fi
	cp -f /etc/resolv.conf "$r/etc/resolv.conf" 2>/dev/null || true
	cd "$r"
	pivot_root . .
	umount -l .
	cd /
	export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TMPDIR=/tmp
	unset LD_LIBRARY_PATH LD_PRELOAD PYTHONHOME PYTHONPATH
	cd "$PEERS_CWD"
	exec "$@"
}

cmd_in() {
	need_root
	[ $# -gt 0 ] || usage
	[ -x "$PEERS_ROOT/usr/bin/dpkg" ] || die "no root at $PEERS_ROOT: run '$0 make' first"
	export PEERS_ROOT PEERS_CWD PEERS_TMP PEERS_HYBRID PEERS_CGROUP
	exec unshare -m --propagation private -- "$self" __inner "$@"
}

case "${1:-}" in
make) cmd_make ;;
in) shift; cmd_in "$@" ;;
__inner) shift; inner "$@" ;;
path) echo "$PEERS_ROOT" ;;
versions)
	# shellcheck disable=SC2016 # for the inner shell
	cmd_in sh -c 'echo "debian $(cat /etc/debian_version), kernel $(uname -r)"
		dpkg-query -W -f "\${Package} \${Version}\n" crun runc libseccomp2 2>/dev/null
		crun --version; echo; runc --version' ;;
-h | --help | help) usage 0 ;;
*) usage ;;
esac
