#!/usr/bin/env bash
# guest.sh - Podman over tare in a guest with systemd and cgroup v2 (tests/guest): as root and as an
# ordinary user, systemd as process 1 of a container. Makes an image of its own the first time.
set -euo pipefail
cd "$(dirname "$0")/../.."
guest=tests/guest/guest.sh
export GUEST_DIR=${GUEST_DIR:-/var/lib/tare-guest-engines} GUEST_KERNELS=trixie GUEST_SHARE=$PWD GUEST_MEM=${GUEST_MEM:-3072}
export GUEST_EXTRA='podman conmon buildah netavark aardvark-dns passt catatonit fuse-overlayfs libsubid5 iptables nftables'

if ! why=$(tests/guest/run-tests.sh can 2>&1); then
	echo "engines in the guest: skipped: $why"
	exit 0
fi
export GUEST_TIMEOUT=${GUEST_TIMEOUT:-1800} # it is emulated
"$guest" make
"$guest" boot
trap '"$guest" halt' EXIT
bad=0
"$guest" run /tare/tests/engines/guest/cases.sh root </dev/null || bad=1
"$guest" as-user /tare/tests/engines/guest/cases.sh user </dev/null || bad=1
exit "$bad"
