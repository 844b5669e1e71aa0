#!/usr/bin/env bash
# cri.sh SUITE [REGEX] - the suite cri or crio over the systemd driver, run in the guest by ../guest.sh. The guest
# is thrown away, so its own root takes what a lab has elsewhere. The engine of crio and the client are in out/engines.
# RT and RT_PATH name another runtime to compare with.
set -euo pipefail
top=$(cd "$(dirname "$0")/../../.." && pwd)
systemctl stop containerd # Debian's package has started it: it would answer in the suite's place
# udev gives each new interface another address, behind the back of CNI, which remembers the first.
ln -s /dev/null /etc/systemd/network/99-default.link
udevadm control --reload
mkdir -p /suite /out /contrib
cp -a "$top/tests/engines/." /suite
cp -a "$top/contrib/." /contrib
cp "$top/out/engines/cri-suite" /out/
[[ $1 != crio ]] || cp -a "$top/out/engines/crio" /usr/local/lib/
install -m 0755 "${TARE:-/tare/bin/tare}" /usr/local/sbin/tare
printf '{"default": [{"type": "insecureAcceptAnything"}]}\n' | install -D -m 0644 /dev/stdin /etc/containers/policy.json
echo 1 >/proc/sys/net/ipv4/ip_forward
export RT=${RT:-tare} RT_PATH=${RT_PATH:-/usr/local/sbin/tare} LAB_CGROUP=v2 CRI_CGROUP=systemd CORE='' ONLY=${2:-} CASE_TIMEOUT=300
exec /suite/suite.sh "$1"
