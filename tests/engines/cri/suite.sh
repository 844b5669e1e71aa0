# shellcheck shell=bash
# containerd's CRI service, driven by cri-suite (Go, beside this file), as a kubelet drives it.

# shellcheck source=tests/engines/cri.sh
. /suite/cri.sh

configure() {
	pod_network
	case $(containerd --version) in
	*' github.com/containerd/containerd 1.'*) configure_1 ;;
	*) configure_2 ;;
	esac
}

# configure_1: containerd 1.7, whose shipped configuration is for the systemd driver.
configure_1() {
	mkdir -p /etc/containerd
	{
		shipped containerd/tare-1.7.toml under-test
		cat <<-'END'
			[plugins."io.containerd.grpc.v1.cri"]
			  sandbox_image = "localhost/pause:latest"
			  enable_cdi = true
			[plugins."io.containerd.grpc.v1.cri".containerd]
			  default_runtime_name = "under-test"
		END
	} >/etc/containerd/config.toml
}

configure_2() {
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

engine_start() {
	containerd </dev/null >>/tmp/containerd.log 2>&1 &
	echo $! >$ENGINE_PID
	soon 60 ctr version
}

up() {
	pod_images
	configure
	echo 'containerd:200000:65536' | tee -a /etc/subuid >>/etc/subgid
	engine_start
	ctr -n k8s.io images import /tmp/box.tar
	ctr -n k8s.io images import /tmp/pause.tar
	soon 20 /out/cri-suite case status
}

left() {
	find /run/containerd/runc -mindepth 2
	find /sys/fs/cgroup -name 'cri-containerd-*'
}

announce_cases containerd
