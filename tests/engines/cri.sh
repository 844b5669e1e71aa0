# shellcheck shell=bash
# cri.sh - what the suites of the CRI services share. Sourced, in the lab. A suite defines engine_start, which
# leaves the engine's process in ENGINE_PID, and left, which prints what must not be left of containers.
ENGINE_PID=/tmp/engine.pid

# pod_network: the pods' network, by CNI.
pod_network() {
	mkdir -p /etc/cni/net.d /opt/cni /tmp/cri-logs
	ln -sfn /usr/lib/cni /opt/cni/bin
	cat >/etc/cni/net.d/10-lab.conflist <<-'END'
		{"cniVersion": "1.0.0", "name": "lab", "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": true,
		 "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.77.0.0/16"}]]}}]}
	END
}

# pod_images: /tmp/box.tar and /tmp/pause.tar.
pod_images() {
	# shellcheck source=tests/engines/image.sh
	. /suite/image.sh
	image_archive /tmp/box.tar localhost/box:latest '["/bin/sh"]'
	image_archive /tmp/pause.tar localhost/pause:latest '["/bin/sleep", "1000000"]'
}

reset() { /out/cri-suite clean; }

down() {
	kill "$(cat $ENGINE_PID)"
	soon 20 test ! -e "/proc/$(cat $ENGINE_PID)"
}

engine_restart() {
	local ids
	ids=$(/out/cri-suite keep)
	kill -KILL "$(cat $ENGINE_PID)"
	soon 10 test ! -e "/proc/$(cat $ENGINE_PID)"
	engine_start
	# shellcheck disable=SC2086 # the pod's id and the container's
	soon 20 /out/cri-suite kept $ids
}

# (What a runtime keeps for later containers is not left over: compiled filters in @seccomp, crun's .cache.)
leftovers() {
	/out/cri-suite case exec
	/out/cri-suite clean
	soon 10 no_runtime_processes
	eq "$(left | grep -v -e '/@' -e '/\.cache' | head)" '' 'left'
}

# announce_cases ENGINE: those of cri-suite, and two of the engine's own.
announce_cases() {
	local name title core
	while IFS=$'\t' read -r name title core; do
		it "$title" "$name" "$core"
		eval "$name() { /out/cri-suite case $name; }"
	done < <(/out/cri-suite list)
	it "$1 killed and started: pods go on" engine_restart core
	it 'nothing is left: processes, groups, state' leftovers core
}
