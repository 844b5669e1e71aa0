#!/usr/bin/env bash
# cases.sh - Podman's cases that need a machine with systemd and cgroup v2, run in the guest by ../guest.sh:
# as root, and as an ordinary user in a session with delegated cgroups. It prints one line for each, and
# exits 1 if one failed: cases.sh root|user [FUNCTION]. TARE names the runtime.
set -uo pipefail
export TARE=${TARE:-/tare/bin/tare}
here=$(cd "$(dirname "$0")" && pwd)
# What a case needs of tests/engines/lib.sh.
# shellcheck source=tests/engines/lib.sh
. "$here/../lib.sh"
export SKIP_FILE=/tmp/engine-skip-$UID

prepare() {
	local d
	install -m 0755 "$TARE" /usr/local/sbin/tare
	mkdir -p /etc/containers/containers.conf.d
	cp "$here/../../../contrib/podman/tare.conf" /etc/containers/containers.conf.d/
	printf '{"default": [{"type": "insecureAcceptAnything"}]}\n' >/etc/containers/policy.json
	printf '[containers]\ndefault_ulimits = ["nofile=1000:2000", "nproc=1000:2000"]\n[engine]\nevents_logger = "file"\n' >/etc/containers/containers.conf
	# An image of busybox, and a root file system with systemd: this machine's own.
	d=$(mktemp -d)
	mkdir -p "$d"/{bin,etc,proc,sys,dev,tmp,run}
	cp /usr/bin/busybox "$d/bin/busybox"
	chroot "$d" /bin/busybox --install -s /bin
	printf 'root:x:0:0:root:/root:/bin/sh\n' >"$d/etc/passwd"
	tar -C "$d" -cf /var/tmp/box.tar .
	rm -rf "$d"
	chmod 0644 /var/tmp/box.tar
}

# run_case TITLE FUNCTION ARGUMENT...
failures=0
run_case() {
	local title=$1 out
	shift
	[[ -z $only || $1 = "$only" ]] || return 0
	# In a process of its own: under an `if`, bash does not heed `set -e`.
	if out=$(timeout -k 5 450 "$BASH" "$0" one "$@" 2>&1 </dev/null); then
		printf 'pass %s\n' "$title"
	else
		printf 'fail %s\n%s\n' "$title" "$out" | tail -n 25
		failures=$((failures + 1))
	fi
}

runtime_is_tare() { eq "$(podman info -f '{{.Host.OCIRuntime.Name}} {{.Host.CgroupManager}} {{.Host.CgroupsVersion}} {{.Host.Security.Rootless}}')" "$1"; }

# systemd as process 1: boots, sees its own cgroup tree, and shuts down when it is stopped.
systemd_pid1() {
	podman run -d --name s1 --systemd=always --rootfs "$@" /usr/lib/systemd/systemd --show-status=false >/dev/null
	soon 240 sh -c 'podman exec s1 systemctl is-active multi-user.target basic.target | grep -q ^active'
	eq "$(podman exec s1 cat /proc/1/comm)" systemd
	has "$(podman exec s1 cat /proc/1/cgroup)" init.scope
	has "$(podman exec s1 systemctl show -p ControlGroup dbus.service systemd-journald.service)" /system.slice/systemd-journald.service
	podman exec s1 systemd-run --wait -q -p MemoryMax=64M -p TasksMax=20 true
	gives 3 podman exec s1 systemd-run --wait -q sh -c 'exit 3'
	podman stop -t 60 s1 >/dev/null
	has "$(podman inspect -f '{{.State.ExitCode}} {{.State.OOMKilled}}' s1)" 'false'
	podman rm -f s1 >/dev/null
}

# The same without an engine: the annotation tare.boot, on this machine's own root below an overlay.
plain_systemd_pid1() {
	local d=/var/tmp/boot
	mkdir -p "$d"/{up,work,bundle/rootfs}
	mount -t tmpfs boot "$d/up"
	mkdir "$d"/up/{up,work}
	mount -t overlay -o "lowerdir=/,upperdir=$d/up/up,workdir=$d/up/work" boot "$d/bundle/rootfs"
	tare spec --bundle "$d/bundle"
	jq '.annotations["tare.boot"] = "true" | .process.terminal = false | .root.readonly = false | .process.args = ["/usr/lib/systemd/systemd"]
		| .process.noNewPrivileges = false | .process.rlimits = []
		| (["CHOWN","DAC_OVERRIDE","FOWNER","FSETID","KILL","SETGID","SETUID","SETPCAP","NET_BIND_SERVICE","SYS_CHROOT","SETFCAP"] | map("CAP_" + .)) as $c
		| .process.capabilities = {bounding: $c, effective: $c, permitted: $c}' "$d/bundle/config.json" >"$d/config.json"
	mv "$d/config.json" "$d/bundle/config.json"
	tare --systemd-cgroup run -d --bundle "$d/bundle" boot >/var/tmp/boot.log 2>&1
	soon 240 sh -c 'tare exec boot systemctl is-active multi-user.target basic.target | grep -q ^active'
	eq "$(tare exec boot cat /proc/1/comm)" systemd
	has "$(tare exec boot cat /proc/1/cgroup)" init.scope
	has "$(tare exec boot systemctl show -p ControlGroup dbus.service systemd-journald.service)" /system.slice/systemd-journald.service
	eq "$(tare exec boot cat /run/systemd/container)" oci
	tare exec boot systemd-run --wait -q -p MemoryMax=64M -p TasksMax=20 true
	tare kill boot
	soon_eq 120 stopped sh -c 'tare state boot | jq -r .status'
	tare delete boot
	umount "$d/bundle/rootfs" "$d/up"
}

life() {
	podman import -q /var/tmp/box.tar box >/dev/null
	eq "$(podman run --rm box echo hello)" hello
	gives 7 podman run --rm box sh -c 'exit 7'
	gives 127 podman run --rm box nosuch 2>/dev/null
	podman run -d --name c1 -m 64m --pids-limit 77 --cpus 0.5 box sh -c 'trap "exit 5" TERM; echo up; while :; do sleep 0.2; done' >/dev/null
	soon_eq 30 up podman logs c1
	eq "$(podman exec c1 cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max)" $'67108864\n77'
	eq "$(podman exec c1 cat /sys/fs/cgroup/cpu.max)" '50000 100000'
	podman update --memory 32m c1 >/dev/null
	eq "$(podman exec c1 cat /sys/fs/cgroup/memory.max)" 33554432
	podman pause c1 >/dev/null
	eq "$(podman inspect -f '{{.State.Status}}' c1)" paused
	podman unpause c1 >/dev/null
	has "$(podman top c1)" sleep
	has "$(podman stats --no-stream --format '{{.PIDs}}' c1)" 2
	podman stop -t 20 c1 >/dev/null
	eq "$(podman inspect -f '{{.State.ExitCode}}' c1)" 5
	podman rm c1 >/dev/null
}

rootless_ids() {
	eq "$(podman run --rm box awk '{print $1,$2,$3}' /proc/self/uid_map)" $'0 1000 1\n1 100000 65536'
	eq "$(podman run --rm --userns keep-id box id -u)" 1000
	eq "$(podman run --rm --user 1:2 box sh -c 'id -u; id -g')" $'1\n2'
	podman run --rm -v "$HOME:/mnt" box sh -c 'echo x >/mnt/made'
	eq "$(stat -c %u "$HOME/made")" 1000
}

rootless_pod() {
	podman pod create --name p1 --network none >/dev/null
	podman run -d --pod p1 --name a box sh -c 'while :; do sleep 1; done' >/dev/null
	eq "$(podman run --rm --pod p1 box readlink /proc/self/ns/net)" "$(podman exec a readlink /proc/self/ns/net)"
	podman pod rm -f -t 0 p1 >/dev/null
}

rootless_build() {
	printf 'FROM localhost/box\nRUN id -u >/made\n' | podman build -q --network none --isolation oci -t made - >/dev/null
	eq "$(podman run --rm made cat /made)" 0
}

only=${2:-}
case ${1:-root} in
one)
	shift
	set -e
	rm -f "$SKIP_FILE.failed"
	"$@"
	[[ ! -e $SKIP_FILE.failed ]]
	exit
	;;
root)
	prepare
	run_case 'root: podman, tare, the systemd driver' runtime_is_tare 'tare systemd v2 false'
	run_case 'root: run, limits, update, pause, stop' life
	run_case 'root: systemd as process 1' systemd_pid1 /:O
	run_case 'root: systemd as process 1, by tare alone' plain_systemd_pid1
	;;
user)
	cd || exit
	run_case 'user: podman, tare, the systemd driver' runtime_is_tare 'tare systemd v2 true'
	run_case 'user: run, limits, update, pause, stop' life
	run_case 'user: ids' rootless_ids
	run_case 'user: a pod' rootless_pod
	run_case 'user: podman build' rootless_build
	;;
esac
[[ $failures = 0 ]]
