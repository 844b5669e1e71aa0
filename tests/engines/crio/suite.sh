# shellcheck shell=bash
# CRI-O, driven by cri-suite (Go, in ../cri), as a kubelet drives it.

# shellcheck source=tests/engines/cri.sh
. /suite/cri.sh
export CRI_ENDPOINT=unix:///run/crio/crio.sock

configure() {
	pod_network
	mkdir -p /etc/crio/crio.conf.d
	cat >/etc/crio/crio.conf <<-END
		[crio]
		storage_driver = "overlay"
		[crio.runtime]
		cgroup_manager = "${CRI_CGROUP:-cgroupfs}"
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

engine_start() {
	# (Its conmons want a working folder that stays: a case's does not.)
	env -C / /usr/local/lib/crio/crio </dev/null >>/tmp/crio.log 2>&1 &
	echo $! >$ENGINE_PID
	soon 60 /out/cri-suite case status
}

up() {
	pod_images
	configure
	echo 'containers:200000:6553600' | tee -a /etc/subuid >>/etc/subgid
	podman --storage-driver overlay load -q -i /tmp/box.tar
	podman --storage-driver overlay load -q -i /tmp/pause.tar
	engine_start
}

left() {
	find /run/tare -mindepth 1 -maxdepth 1
	find /sys/fs/cgroup -path '*/engines*' -name 'crio-*' ! -name 'crio-conmon-*'
}

announce_cases crio
