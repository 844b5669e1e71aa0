# shellcheck shell=bash
# scenarios.sh ENGINE - sourced in the lab by record.sh.
set -eu
SUITE=$1
# shellcheck source=/dev/null
. "/suite/$SUITE/suite.sh"
up >/tmp/up.log 2>&1 || { tail -n 20 /tmp/up.log; exit 1; }

# fixed: the same text for every run (but for the order of mounts, which Docker and Podman leave to chance).
fixed() {
	sed -E 's/[0-9a-f]{64}/c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00/g; s/\b[0-9a-f]{12}\b/c0ffee00c0ff/g
		s,/proc/[0-9]+/,/proc/4242/,g; s,overlay(fs)?/(snapshots/)?[0-9]+/,overlay\1/\20/,g; s,(buildah|podman)[0-9]+,\10000,g
		s,/netns/(netns-|cni-)?[0-9a-f-]+",/netns/\100000000",g; s/\b[a-z0-9]{25}\b/c0ffee00c0ffee00c0ffee00c/g; s/(container_uuid=)[0-9a-f]{32}/\1c0ffee00/
		s,(/tmp/(mounts|pty)|exec-process-|runc-process|sandbox-uid":"[a-z]+-1-)[0-9]+,\10,g; s,(conmon-term\.)[A-Z0-9]+,\1000000,g'
}
# keep NAME TYPED CALL: one recorded call.
keep() {
	local name=$1 typed=$2 call=$3
	if [[ -f $call/config.json ]]; then jq -c . "$call/config.json" | fixed >"/out/$name.json"
	else
		name=$name.exec
		jq -c . "$call/process.json" | fixed >"/out/$name.json"
	fi
	printf 'user:    %s\nruntime: %s\n' "$typed" "$(sed "s/^recorder/tare/" "$call/cmdline" | fixed)" >"/out/$name.cmd"
}
# record NAME CMD...: the last container that CMD makes; NAME.exec of the last exec, if there is one.
record() {
	local name=$1 call config='' process=''
	shift
	rm -rf /tmp/recorded
	"$@" >/tmp/record.log 2>&1 || { echo "record $name: $*"; tail -n 5 /tmp/record.log; exit 1; }
	for call in /tmp/recorded/*; do
		[[ ! -f $call/config.json ]] || config=$call
		[[ ! -f $call/process.json ]] || process=$call
	done
	[[ -n $config$process ]] || { echo "record $name: nothing was recorded: $*"; exit 1; }
	[[ -z $config ]] || keep "$name" "$*" "$config"
	[[ -z $process ]] || keep "$name" "$*" "$process"
	reset >/dev/null 2>&1 || true
}

scenarios_docker() {
	record docker-run docker run --rm box true
	record docker-terminal docker run --rm -t box true
	record docker-privileged docker run --rm --privileged box true
	mkdir -p /srv/data
	record docker-many-options docker run --rm -u 1000:44 --group-add 77 -w /work -e A=1 --hostname h --domainname d -m 64m --memory-reservation 32m --cpus 0.5 \
		--cpuset-cpus 0 --pids-limit 50 --read-only --tmpfs /tmp:size=1m -v /srv/data:/data:ro --mount type=bind,src=/srv/data,dst=/rw,bind-propagation=rshared \
		--cap-drop ALL --cap-add CHOWN --security-opt no-new-privileges --ulimit nofile=100:200 --sysctl net.ipv4.ip_unprivileged_port_start=7 \
		--device /dev/fuse:/dev/myfuse:r --shm-size 1m --init --oom-score-adj 100 --label l=v box true
	record docker-host-namespaces docker run --rm --pid host --network host --ipc host --uts host --cgroupns host --security-opt seccomp=unconfined --security-opt systempaths=unconfined box true
	docker run -d --name shared --ipc shareable box sleep 1000 >/dev/null
	record docker-shared-namespaces docker run --rm --pid container:shared --network container:shared --ipc container:shared box true
	docker run -d --name target box sleep 1000 >/dev/null
	record docker docker exec -t -u user -e B=2 target true
	docker run -d --name target box sleep 1000 >/dev/null
	record docker-privileged docker exec --privileged target true
	printf 'FROM box\nRUN --mount=type=cache,target=/c true\n' >/tmp/Dockerfile
	record docker-buildkit docker buildx build -q -f /tmp/Dockerfile /srv
}
scenarios_containerd() {
	record containerd-run start --rm -- c1 true
	record containerd-options start --rm --read-only --memory-limit 67108864 --cpus 0.5 --seccomp --cap-drop CAP_CHOWN --mount type=bind,src=/srv,dst=/d,options=rbind:ro --device /dev/fuse -- c1 true
	record containerd-user-namespace start --rm --uidmap 0:100000:65536 --gidmap 0:100000:65536 --remap-labels -- c1 true
	bg c2
	record containerd ctr tasks exec --exec-id e1 c2 true
}
# In a CRI client's words; the requests are in tests/engines/cri.
cri_case() { /out/cri-suite case "$1"; }
scenarios_cri() {
	local c
	# The pod's pause container is the first that a case makes, the container the last.
	for c in limits shared host pod_pid user_namespace privileged capabilities masked mounts read_only devices seccomp users exec; do
		record "cri-${c//_/-}" cri_case "$c"
	done
	rm -rf /tmp/recorded
	/out/cri-suite case pod_life
	for c in /tmp/recorded/*; do [[ ! -f $c/config.json ]] || { keep cri-pause 'RunPodSandbox' "$c"; break; }; done
}
scenarios_podman() {
	printf 'FROM localhost/box\nRUN true\n' >/tmp/Containerfile
	mkdir -p /tmp/data
	record podman-run podman run --rm box true
	record podman-terminal podman run --rm -t box true
	record podman-privileged podman run --rm --privileged box true
	record podman-read-only podman run --rm --read-only --cap-drop ALL --security-opt no-new-privileges -u 1000 -m 64m --pids-limit 50 box true
	record podman-user-namespace podman run --rm --uidmap 0:100000:1000 --gidmap 0:100000:1000 -v /tmp/data:/d:idmap box true
	record podman-systemd podman run --rm --systemd=always box true
	record podman-host podman run --rm --pid host --network host --ipc host --uts host box true
	podman run -d --name target box sleep 1000
	record podman podman exec -t -u user target true
	podman pod create --name p1 >/dev/null
	record podman-pod-infra podman pod start p1
	podman pod create --name p1 >/dev/null
	record podman-pod podman run --rm --pod p1 box true
	record buildah podman build -q --runtime "$RT_PATH" --isolation oci -f /tmp/Containerfile /srv
}
"scenarios_$SUITE"
down >/dev/null 2>&1 || true
