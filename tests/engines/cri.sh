# shellcheck shell=bash
# cri.sh - what the suites of the CRI services share. Sourced, in the lab.

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

# announce_cases: those of cri-suite.
announce_cases() {
	local name title core
	while IFS=$'\t' read -r name title core; do
		it "$title" "$name" "$core"
		eval "$name() { /out/cri-suite case $name; }"
	done < <(/out/cri-suite list)
}
