# shellcheck shell=bash
# shellcheck disable=SC2154 # forever, box: suite.sh has them
# Networks, shared namespaces, cgroups.

ns() { readlink "/proc/$1/ns/$2"; }

it 'network: bridge, names, published ports' network core
network() {
	docker network create net
	bg web --network net -p 127.0.0.1:8099:80 box sh -c 'mkdir /www; echo page >/www/index.html; httpd -f -h /www'
	soon_eq 20 page run --network net box wget -qO- http://web/
	soon 10 python3 -c 'import urllib.request as u; assert u.urlopen("http://127.0.0.1:8099/").read() == b"page\n"'
	docker rm -f web
	docker network rm net
}

it 'network: none, host, another container'"'"'s' network_shared core
network_shared() {
	eq "$(run --network none box ls /sys/class/net)" lo
	has "$(run --network none box ip link show lo)" 'UP'
	eq "$(run --network host box readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net)"
	bg c1 "${forever[@]}"
	eq "$(run --network container:c1 box readlink /proc/self/ns/net)" "$(ns "$(pid c1)" net)"
}

it 'pid namespace: own, host, another container'"'"'s' pid_shared core
pid_shared() {
	eq "$(run box sh -c 'echo $$')" 1
	eq "$(run --pid host box readlink /proc/self/ns/pid)" "$(readlink /proc/self/ns/pid)"
	bg c1 "${forever[@]}"
	eq "$(run --pid container:c1 box readlink /proc/self/ns/pid)" "$(ns "$(pid c1)" pid)"
	bg d1 --pid container:c1 box sh -c 'sleep 1111 & sleep 2222'
	soon 10 sh -c 'docker top d1 | grep -q 1111'
	docker rm -f d1
	soon 10 sh -c '! docker top c1 | grep -q 1111'
	eq "$(status c1)" running
}

it '--pid host: stop kills all of the container' pid_host_kill
pid_host_kill() {
	bg c1 --pid host box sh -c 'sleep 3333 & sleep 4444'
	soon 10 pgrep -f 'sleep 3333'
	docker rm -f c1
	soon 10 sh -c '! pgrep -f "^sleep 3333"'
}

it 'ipc and uts: shareable, host' ipc_uts core
ipc_uts() {
	bg c1 --ipc shareable "${forever[@]}"
	eq "$(run --ipc container:c1 box readlink /proc/self/ns/ipc)" "$(ns "$(pid c1)" ipc)"
	docker exec c1 sh -c 'echo s >/dev/shm/s'
	eq "$(run --ipc container:c1 box cat /dev/shm/s)" s
	eq "$(run --ipc host box readlink /proc/self/ns/ipc)" "$(readlink /proc/self/ns/ipc)"
	eq "$(run --uts host box hostname)" lab
}

it '--cgroup-parent' cgroup_parent core
cgroup_parent() {
	bg c1 --cgroup-parent /engines-other/deep "${forever[@]}"
	has "$(cgroup_dir "$(pid c1)" pids)" /engines-other/deep/
	local d
	d=$(cgroup_dir "$(pid c1)" pids)
	docker rm -f c1
	[[ ! -e $d ]] || fail "left: $d"
}

it 'limits: memory, swap, cpu, cpuset, processes' limits core
limits() {
	bg c1 -m 64m --memory-swap 80m --memory-reservation 32m --cpus 1.5 --cpu-shares 512 --cpuset-cpus 0 --pids-limit 44 "${forever[@]}"
	local p
	p=$(pid c1)
	eq "$(knob "$p" memory.limit_in_bytes memory.max)" $((64 << 20))
	eq "$(knob "$p" pids.max pids.max)" 44
	eq "$(knob "$p" cpuset.cpus cpuset.cpus)" 0
	if [[ $LAB_CGROUP = v2 ]]; then
		eq "$(knob "$p" '' cpu.max)" '150000 100000'
		eq "$(knob "$p" '' memory.low)" $((32 << 20))
	else
		eq "$(knob "$p" cpu.cfs_quota_us '')" 150000
		eq "$(knob "$p" cpu.shares '')" 512
		eq "$(knob "$p" memory.soft_limit_in_bytes '')" $((32 << 20))
	fi
}

it 'limits: the smallest memory that Docker takes' memory_smallest
memory_smallest() { eq "$(run -m 6m --memory-swap 6m box echo fits)" fits; }

it 'limits: blkio weight and throttling' blkio
blkio() {
	[[ $LAB_CGROUP != v2 ]] || skip 'v1 hierarchies only'
	local dev
	dev=$(lsblk -dno NAME,TYPE 2>/dev/null | awk '$2 == "disk" { print $1; exit }') || true
	[[ -n $dev ]] || skip 'no disk here'
	mknod "/dev/$dev" b "$(cut -d: -f1 "/sys/block/$dev/dev")" "$(cut -d: -f2 "/sys/block/$dev/dev")"
	bg c1 --device-read-bps "/dev/$dev:1mb" "${forever[@]}"
	eq "$(knob "$(pid c1)" blkio.throttle.read_bps_device io.max)" "$(cat "/sys/block/$dev/dev") 1048576"
}

it 'limits: processes are held to --pids-limit' pids_held
pids_held() {
	has "$(run --pids-limit 5 box sh -c 'for i in 1 2 3 4 5 6 7 8 9; do sleep 2 & done; echo end' 2>&1 || true)" "can't fork"
}

it 'out of memory: killed, and said so' oom core
oom() {
	gives 137 docker run --name c1 -m 16m --memory-swap 16m box sh -c 'x=a; while :; do x=$x$x; done'
	eq "$(inspect c1 '{{.State.OOMKilled}}')" true
	docker run --name d1 -m 16m --memory-swap 16m box true
	eq "$(inspect d1 '{{.State.OOMKilled}}')" false
}
