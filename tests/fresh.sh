#!/usr/bin/env bash
# fresh.sh [--keep] SUITE CMD - is the README right? Makes the smallest Debian
# SUITE (bookworm, trixie), clones this checkout's last commit into it, and there
# runs CMD (README's commands) as root. Debian's mirror, certificates and proxy
# settings are this machine's own. Nothing is left behind unless --keep is given.
set -euo pipefail

keep=
[[ ${1:-} != --keep ]] || { keep=yes && shift; }
[[ $# -eq 2 && $EUID -eq 0 ]] || {
	printf 'usage (as root): fresh.sh [--keep] SUITE CMD\n' >&2
	exit 2
}
suite=$1 cmd=$2
source=$(cd "$(dirname "$0")/.." && git rev-parse --show-toplevel)
# shellcheck source=/dev/null
codename=$(. /etc/os-release && printf '%s' "$VERSION_CODENAME")
# shellcheck disable=SC2016 # apt's own $(...)
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $codename" | sort -u | grep -v security | head -n 1)
root=$(mktemp -d "${TMPDIR:-/var/tmp}/tare-fresh.XXXXXX")
chmod 755 "$root" # apt works as a user of its own

cleanup() {
	if [[ -n $keep ]]; then
		printf 'fresh.sh: kept %s\n' "$root"
		return
	fi
	# Its mounts were in a namespace that is gone; --one-file-system all the same.
	rm -rf --one-file-system "$root"
}
trap cleanup EXIT

debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$root.log" 2>&1 || {
	tail -n 20 "$root.log"
	exit 1
}
rm "$root.log"
printf 'deb %s %s main\n' "$mirror" "$suite" >"$root/etc/apt/sources.list"
apt-config dump | grep -E '^Acquire::(Check|http|https)' >"$root/etc/apt/apt.conf.d/90machine" || true
mkdir -p "$root/usr/local/share/ca-certificates" "$root/src"
cp /usr/local/share/ca-certificates/*.crt "$root/usr/local/share/ca-certificates/" 2>/dev/null || true
cp /etc/resolv.conf "$root/etc/resolv.conf"
cat >"$root/run.sh" <<-END
	set -eu
	apt-get -qq update
	apt-get -qq install -y --no-install-recommends git make ca-certificates >/dev/null
	git config --global --add safe.directory '*'
	git clone -q /src /root/tare
	cd /root/tare
	$cmd
END
env=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive)
for v in GOPROXY GOSUMDB GONOSUMDB GOFLAGS http_proxy https_proxy no_proxy; do
	[[ -z ${!v:-} ]] || env+=("$v=${!v}")
done
# shellcheck disable=SC2016 # for the inner shell
env -i "${env[@]}" unshare --mount --pid --fork --kill-child --propagation private bash -euc '
	mount -t proc proc "$0/proc"
	mount --rbind /sys "$0/sys"
	mount --rbind /dev "$0/dev"
	mount --bind "$1" "$0/src"
	mount -o remount,bind,ro "$0/src"
	exec chroot "$0" sh /run.sh' "$root" "$source" </dev/null
