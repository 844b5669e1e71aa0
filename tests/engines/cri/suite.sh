# shellcheck shell=bash
# containerd's CRI service, driven by cri-suite (Go, beside this file), as a kubelet drives it.

# shellcheck source=tests/engines/cri.sh
. /suite/cri.sh

configure() {
	pod_network
	mkdir -p /etc/containerd/conf.d
	cat >/etc/containerd/config.toml <<-END
		version = 3
		imports = ['/etc/containerd/conf.d/*.toml']
		[plugins.'io.containerd.cri.v1.images'.pinned_images]
		  sandbox = 'localhost/pause:latest'
		[plugins.'io.containerd.cri.v1.runtime']
		  restrict_oom_score_adj = true
		[plugins.'io.containerd.cri.v1.runtime'.containerd]
		  default_runtime_name = 'under-test'
	END
	shipped containerd/tare.toml under-test >/etc/containerd/conf.d/tare.toml
}

containerd_start() {
	containerd </dev/null >>/tmp/containerd.log 2>&1 &
	echo $! >/tmp/containerd.pid
	soon 60 ctr version
}

up() {
	pod_images
	configure
	echo 'containerd:200000:65536' | tee -a /etc/subuid >>/etc/subgid
	containerd_start
	ctr -n k8s.io images import /tmp/box.tar
	ctr -n k8s.io images import /tmp/pause.tar
	soon 20 /out/cri-suite case status
}

down() {
	kill "$(cat /tmp/containerd.pid)"
	soon 20 test ! -e "/proc/$(cat /tmp/containerd.pid)"
}

announce_cases

it 'containerd killed and started: pods go on' engine_restart core
engine_restart() {
	local ids
	ids=$(/out/cri-suite keep)
	kill -KILL "$(cat /tmp/containerd.pid)"
	soon 10 sh -c '! timeout 1 ctr version'
	containerd_start
	# shellcheck disable=SC2086 # the pod's id and the container's
	soon 20 /out/cri-suite kept $ids
}

it 'nothing is left: processes, groups, state' leftovers core
# (What a runtime keeps for later containers is not left over: compiled filters in @seccomp, crun's .cache.)
leftovers() {
	/out/cri-suite case exec
	/out/cri-suite clean
	soon 10 no_runtime_processes
	eq "$(find /run/containerd/runc -mindepth 2 ! -path '*/@*' ! -path '*/.cache*' 2>/dev/null | head)" '' 'state left'
}
