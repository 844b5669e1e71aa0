#!/usr/bin/env bash
# root.sh - the Debian sid root that holds the engines.
#
#   root.sh can    say whether it can be made or is there; the reason on stdout if not
#   root.sh make   make or complete it; safe to repeat
#   root.sh crio   build CRI-O, which Debian has not, into it
#   root.sh path   print where it is
#
# Settings: ENGINES_ROOT (default /var/lib/tare-engines), PEERS_MIRROR, PEERS_SUITE as in
# tests/bench/peers.sh, which does the work.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
ENGINES_ROOT=${ENGINES_ROOT:-/var/lib/tare-engines}
peers=$here/../bench/peers.sh

base='busybox-static jq python3 iproute2 procps ca-certificates'
engines='docker.io docker-cli docker-buildx docker-compose containerd podman buildah conmon
	netavark aardvark-dns containernetworking-plugins iptables nftables tini criu libcriu2
	uidmap catatonit crun runc'

# The root is complete when its stamp holds the list of packages it was made with.
want() { printf '%s\n' "$base $engines" | tr -s ' \t\n' '\n'; }
complete() { [[ -f $ENGINES_ROOT/var/lib/engines-packages ]] && diff -q <(want) "$ENGINES_ROOT/var/lib/engines-packages" >/dev/null; }

can() {
	[[ $(id -u) = 0 ]] || { echo 'needs root'; return 1; }
	complete && return
	command -v debootstrap >/dev/null || command -v apt-get >/dev/null ||
		{ echo 'needs debootstrap, or apt-get to install it'; return 1; }
	[[ $(df --output=avail -k "$(dirname "$ENGINES_ROOT")" | tail -n 1) -gt 3000000 ]] ||
		{ echo "needs 3 GB of disk at $(dirname "$ENGINES_ROOT")"; return 1; }
}

make_root() {
	complete && return
	command -v debootstrap >/dev/null ||
		apt-get -q -o DPkg::Lock::Timeout=300 install -y --no-install-recommends debootstrap
	export PEERS_ROOT=$ENGINES_ROOT TMPDIR=${TMPDIR:-/var/tmp}
	PEERS_PACKAGES=$base "$peers" make
	# No maintainer script may start an engine: it would run on this machine, not in the lab.
	printf '#!/bin/sh\nexit 101\n' >"$ENGINES_ROOT/usr/sbin/policy-rc.d"
	chmod 0755 "$ENGINES_ROOT/usr/sbin/policy-rc.d"
	PEERS_PACKAGES=$engines "$peers" make
	want >"$ENGINES_ROOT/var/lib/engines-packages"
}

# make_crio: from its Go module, as that was published; a few minutes. Its pinns is C.
crio_version=v1.34.0
make_crio() {
	local dir=$ENGINES_ROOT/usr/local/lib/crio go=${GO:-go} source
	[[ $(cat "$dir/version" 2>/dev/null) != "$crio_version" ]] || return 0
	source=$(cd / && "$go" mod download -json "github.com/cri-o/cri-o@$crio_version" | sed -n 's/^\t"Dir": "\(.*\)",\{0,1\}$/\1/p') && [[ -n $source ]] ||
		{ echo "no CRI-O $crio_version from the Go module proxy"; return 1; }
	mkdir -p "$dir"
	gcc -std=gnu11 -O2 -static -o "$dir/pinns" "$source"/pinns/src/*.c
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	cp -r "$source" "$work/src"
	chmod -R u+w "$work/src"
	(cd "$work/src" && "$go" build -trimpath -buildvcs=false -o "$dir/crio" \
		-tags 'containers_image_openpgp containers_image_ostree_stub exclude_graphdriver_btrfs seccomp netgo osusergo' ./cmd/crio)
	echo "$crio_version" >"$dir/version"
}

case ${1:-} in
can) can ;;
crio) make_crio ;;
make) make_root ;;
path) echo "$ENGINES_ROOT" ;;
*) sed -n '2,/^set -e/p' "$0" | sed -n 's/^# \{0,1\}//p' >&2; exit 2 ;;
esac
