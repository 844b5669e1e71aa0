# shellcheck shell=bash
# containerd, driven by ctr: the runc v2 shim with the runtime under test as its binary.

containerd_start() {
	containerd </dev/null >>/tmp/containerd.log 2>&1 &
	echo $! >/tmp/containerd.pid
	soon 60 ctr version
}

up() {
	# shellcheck source=tests/engines/image.sh
	. /suite/image.sh
	mkdir -p /etc/containerd
	printf 'version = 3\ndisabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime"]\n' >/etc/containerd/config.toml
	containerd_start
	image_archive /tmp/box.tar docker.io/library/box:latest '["/bin/sh"]'
	ctr images import /tmp/box.tar
}

reset() {
	local c
	for c in $(ctr tasks ls -q); do ctr tasks rm -f "$c"; done
	for c in $(ctr containers ls -q); do ctr containers rm "$c"; done
}

down() {
	kill "$(cat /tmp/containerd.pid)"
	soon 20 test ! -e "/proc/$(cat /tmp/containerd.pid)"
}

box=docker.io/library/box:latest
# run [FLAG...] -- ID CMD...: in the foreground.
run() { start --rm "$@"; }
# start [FLAG...] -- ID CMD...
start() {
	local flags=()
	while [[ $1 != -- ]]; do flags+=("$1"); shift; done
	local id=$2
	shift 2
	ctr run --runc-binary "$RT_PATH" --cgroup "/engines/$id" "${flags[@]}" "$box" "$id" "$@"
}
# bg ID [FLAG...]: a task that stays.
bg() {
	local id=$1
	shift
	start -d --null-io "$@" -- "$id" sh -c 'trap "exit 0" TERM; while :; do sleep 1; done'
}
status() { ctr tasks ls | awk -v id="$1" '$1 == id { print $3 }'; }
pid() { ctr tasks ls | awk -v id="$1" '$1 == id { print $2 }'; }
