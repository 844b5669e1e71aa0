#!/usr/bin/env bash
# guest.sh [podman|cri|crio]... - engines over tare in a guest with systemd and cgroup v2 (tests/guest), by default all:
# Podman as root and as an ordinary user, systemd as process 1 of a container; containerd's CRI service (Debian stable's,
# 1.7) and CRI-O with the systemd driver, as a kubelet drives them. Makes an image of its own the first time.
set -euo pipefail
cd "$(dirname "$0")/../.."
guest=tests/guest/guest.sh
export GUEST_DIR=${GUEST_DIR:-/var/lib/tare-guest-engines} GUEST_KERNELS=trixie GUEST_SHARE=$PWD GUEST_MEM=${GUEST_MEM:-3072}
export GUEST_EXTRA='podman conmon buildah netavark aardvark-dns passt catatonit fuse-overlayfs libsubid5 iptables nftables'
GUEST_EXTRA+=' containerd containernetworking-plugins'
engines=("$@")
[[ ${#engines[@]} -gt 0 ]] || engines=(podman cri crio)

if ! why=$(tests/guest/run-tests.sh can 2>&1); then
	echo "engines in the guest: skipped: $why"
	exit 0
fi
export GUEST_TIMEOUT=${GUEST_TIMEOUT:-1800} # it is emulated

# client: what drives a CRI service, for the guest to see.
client() {
	mkdir -p out/engines
	(cd tests/engines/cri && CGO_ENABLED=0 "${GO:-go}" build -o ../../../out/engines/cri-suite .)
}

# crio: built for the engines' root, from where the guest gets it.
crio() {
	local why=''
	if ! why=$({ tests/engines/root.sh can && tests/engines/root.sh make && tests/engines/root.sh crio; } 2>&1 | tail -n 1); then
		echo "crio in the guest: skipped: $why"
		return 1
	fi
	rm -rf out/engines/crio
	cp -a "$(tests/engines/root.sh path)/usr/local/lib/crio" out/engines/crio
}

"$guest" make
trap '"$guest" halt >/dev/null 2>&1' EXIT
bad=0
# Each in a guest of its own: they share folders that another leaves marks in.
for engine in "${engines[@]}"; do
	case $engine in
	podman | cri) ;;
	crio) crio || continue ;;
	*) echo "guest.sh: no engine $engine" >&2; exit 2 ;;
	esac
	[[ $engine = podman ]] || client
	"$guest" boot
	if [[ $engine = podman ]]; then
		"$guest" run /tare/tests/engines/guest/cases.sh root </dev/null || bad=1
		"$guest" as-user /tare/tests/engines/guest/cases.sh user </dev/null || bad=1
	else
		"$guest" run /tare/tests/engines/guest/cri.sh "$engine" </dev/null || bad=1
	fi
	"$guest" halt
done
exit "$bad"
