# shellcheck shell=bash
# containerd's CRI service, driven by cri-suite (Go, beside this file), as a kubelet drives it.

configure() {
	mkdir -p /etc/containerd/conf.d /etc/cni/net.d /opt/cni /tmp/cri-logs
	ln -sfn /usr/lib/cni /opt/cni/bin
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
	cat >/etc/cni/net.d/10-lab.conflist <<-'END'
		{"cniVersion": "1.0.0", "name": "lab", "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": true,
		 "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.77.0.0/16"}]]}}]}
	END
}

containerd_start() {
	containerd </dev/null >>/tmp/containerd.log 2>&1 &
	echo $! >/tmp/containerd.pid
	soon 60 ctr version
}

up() {
	# shellcheck source=tests/engines/image.sh
	. /suite/image.sh
	configure
	echo 'containerd:200000:65536' | tee -a /etc/subuid >>/etc/subgid
	containerd_start
	image_archive /tmp/box.tar localhost/box:latest '["/bin/sh"]'
	image_archive /tmp/pause.tar localhost/pause:latest '["/bin/sleep", "1000000"]'
	ctr -n k8s.io images import /tmp/box.tar
	ctr -n k8s.io images import /tmp/pause.tar
	soon 20 /out/cri-suite case status
}

reset() { /out/cri-suite clean; }

down() {
	kill "$(cat /tmp/containerd.pid)"
	soon 20 test ! -e "/proc/$(cat /tmp/containerd.pid)"
}

while IFS=$'\t' read -r name title core; do
	it "$title" "$name" "$core"
	eval "$name() { /out/cri-suite case $name; }"
done < <(/out/cri-suite list)

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
