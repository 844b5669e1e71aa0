# shellcheck shell=bash
# CRI-O, driven by cri-suite (Go, in ../cri), as a kubelet drives it.

# shellcheck source=tests/engines/cri.sh
. /suite/cri.sh
export CRI_ENDPOINT=unix:///run/crio/crio.sock

configure() {
	pod_network
	mkdir -p /etc/crio/crio.conf.d
	cat >/etc/crio/crio.conf <<-'END'
		[crio]
		storage_driver = "overlay"
		[crio.runtime]
		cgroup_manager = "cgroupfs"
		conmon_cgroup = "pod"
		pinns_path = "/usr/local/lib/crio/pinns"
		selinux = false
		enable_criu_support = true
		enable_pod_events = true
		allowed_devices = ["/dev/fuse"]
		[crio.image]
		pause_image = "localhost/pause:latest"
		pause_command = ""
		[crio.network]
		network_dir = "/etc/cni/net.d"
		plugin_dirs = ["/usr/lib/cni"]
		[crio.stats]
		stats_collection_period = 0
	END
	shipped cri-o/10-tare.conf under-test >/etc/crio/crio.conf.d/10-tare.conf
}

crio_start() {
	# (Its conmons want a working folder that stays: a case's does not.)
	env -C / /usr/local/lib/crio/crio </dev/null >>/tmp/crio.log 2>&1 &
	echo $! >/tmp/crio.pid
	soon 60 /out/cri-suite case status
}

up() {
	pod_images
	configure
	echo 'containers:200000:6553600' | tee -a /etc/subuid >>/etc/subgid
	podman --storage-driver overlay load -q -i /tmp/box.tar
	podman --storage-driver overlay load -q -i /tmp/pause.tar
	crio_start
}

down() {
	kill "$(cat /tmp/crio.pid)"
	soon 20 test ! -e "/proc/$(cat /tmp/crio.pid)"
}

announce_cases

it 'crio killed and started: pods go on' engine_restart core
engine_restart() {
	local ids
	ids=$(/out/cri-suite keep)
	kill -KILL "$(cat /tmp/crio.pid)"
	crio_start
	# shellcheck disable=SC2086 # the pod's id and the container's
	soon 20 /out/cri-suite kept $ids
}

it 'nothing is left: processes, groups, state' leftovers core
# (What a runtime keeps for later containers is not left over: compiled filters in @seccomp, crun's .cache.)
leftovers() {
	/out/cri-suite case exec
	/out/cri-suite clean
	soon 10 no_runtime_processes
	eq "$(find /run/tare -mindepth 1 -maxdepth 1 ! -path '*/@*' ! -path '*/.cache*' 2>/dev/null | head)" '' 'state left'
	eq "$(find /sys/fs/cgroup -path '*/engines/*' -name 'crio-*' ! -name 'crio-conmon-*' | head)" '' 'groups left'
}
