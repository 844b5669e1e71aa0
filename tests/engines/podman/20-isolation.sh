# shellcheck shell=bash
# shellcheck disable=SC2154 # forever, box: suite.sh has them
# Users, rights, namespaces, limits, mounts.

it 'users, groups, umask' users core
users() {
	eq "$(run -u user box id -G)" '1000 44'
	eq "$(run -u 4242 --group-add 77 box sh -c 'id -u; id -G')" $'4242\n0 77'
	eq "$(run --umask 077 box sh -c umask)" 0077
}

it 'capabilities, --privileged, no-new-privileges' capabilities core
capabilities() {
	eq "$(run --cap-drop ALL --cap-add CHOWN box sed -n 's/^CapEff:\t//p' /proc/self/status)" 0000000000000001
	eq "$(run --privileged box sed -n 's/^CapEff:\t//p' /proc/self/status)" "$(sed -n 's/^CapBnd:\t//p' /proc/self/status)"
	run --privileged box sh -c 'mkdir /m && mount -t tmpfs t /m'
	eq "$(run --security-opt no-new-privileges box sed -n 's/^NoNewPrivs:\t//p' /proc/self/status)" 1
	# For a user other than root podman puts the added ones into the inheritable and ambient sets.
	eq "$(run -u 1000 --cap-add NET_RAW box sed -n 's/^CapAmb:\t//p' /proc/self/status)" 0000000000002000
}

it 'seccomp: the default profile and one of one'"'"'s own' seccomp core
seccomp() {
	eq "$(run box sed -n 's/^Seccomp:\t//p' /proc/self/status)" 2
	echo '{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}]}' >p.json
	has "$(gives 1 run --security-opt seccomp=p.json box mkdir /x 2>&1)" 'No space left'
}

it 'read-only, tmpfs, masks' masks core
masks() {
	gives 1 run --read-only --read-only-tmpfs=false box touch /tmp/x
	run --read-only box touch /tmp/x
	eq "$(run --tmpfs /t:size=64k,mode=1770 box stat -c %a /t)" 1770
	run box sh -c 'test ! -s /proc/kcore'
	eq "$(run --security-opt unmask=ALL box sh -c 'grep " /proc/" /proc/mounts || true')" ''
	run --security-opt mask=/etc box sh -c 'test -z "$(ls /etc)"'
}

it 'volumes and binds, propagation' volumes core
volumes() {
	mkdir d; echo in >d/f
	eq "$(run -v "$PWD/d:/d" box sh -c 'cat /d/f; echo x >/d/x')" in
	gives 1 run -v "$PWD/d:/d:ro" box touch /d/y
	run -v vol:/etc box sh -c 'echo z >/etc/zz'
	eq "$(run -v vol:/v box cat /v/zz)" z
	gives 125 run --mount "type=bind,src=$PWD/absent,dst=/d" box true
	mkdir m; mount -t tmpfs m m; mount --make-shared m; mkdir m/s
	bg c1 --privileged -v "$PWD/m:/m:rshared" "${forever[@]}"
	mount -t tmpfs s m/s; touch m/s/seen
	podman exec c1 test -e /m/s/seen
	podman rm -f -t 0 c1
	umount -R m
}

it 'volumes: idmapped' volumes_idmap
volumes_idmap() {
	mkdir d; touch d/f
	eq "$(run --uidmap 0:100000:65536 --gidmap 0:100000:65536 -v "$PWD/d:/d:idmap" box stat -c %u /d/f)" 0
	eq "$(run --uidmap 0:100000:65536 --gidmap 0:100000:65536 -v "$PWD/d:/d" box stat -c %u /d/f)" 65534
}

it 'devices' devices core
devices() {
	eq "$(run --device /dev/fuse:/dev/myfuse:r box stat -c %t:%T /dev/myfuse)" a:e5
	gives 1 run --device /dev/fuse:/dev/myfuse:r box sh -c 'exec 3<>/dev/myfuse'
	gives 1 run box sh -c 'mknod /tmp/m c 1 1 && head -c 1 /tmp/m'
}

it 'ulimits and sysctls' limits_of_processes core
limits_of_processes() {
	eq "$(run --ulimit nofile=100:200 box sh -c 'ulimit -Sn; ulimit -Hn')" $'100\n200'
	eq "$(run --sysctl net.ipv4.ip_unprivileged_port_start=7 --sysctl kernel.msgmax=9000 box cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax)" $'7\n9000'
	eq "$(run --oom-score-adj 321 box cat /proc/self/oom_score_adj)" 321
}

it 'limits: memory, cpu, processes; out of memory' limits core
limits() {
	bg c1 -m 64m --memory-swap 80m --cpus 1.5 --cpuset-cpus 0 --pids-limit 44 "${forever[@]}"
	eq "$(knob "$(pid c1)" memory.limit_in_bytes memory.max)" $((64 << 20))
	eq "$(knob "$(pid c1)" pids.max pids.max)" 44
	eq "$(knob "$(pid c1)" cpuset.cpus cpuset.cpus)" 0
	gives 137 podman run --name c2 -m 16m --memory-swap 16m box sh -c 'x=a; while :; do x=$x$x; done'
	eq "$(inspect c2 '{{.State.OOMKilled}}')" true
}

it '--cgroups=disabled' cgroups_disabled core
cgroups_disabled() {
	[[ $RT != runc ]] || skip 'runc has no mode without cgroups'
	bg c1 --cgroups=disabled "${forever[@]}"
	hasnt "$(cat "/proc/$(pid c1)/cgroup")" libpod
	eq "$(podman exec c1 echo in)" in
	podman stop -t 1 c1
}

it '--cgroups=no-conmon and split' cgroups_others core
cgroups_others() {
	bg c1 --cgroups=no-conmon "${forever[@]}"
	has "$(cgroup_dir "$(pid c1)" pids)" libpod
	[[ $LAB_CGROUP = v2 ]] || return 0
	bg c2 --cgroups=split "${forever[@]}"
	has "$(cgroup_dir "$(pid c2)" pids)" /libpod-payload-
}

it '--cgroup-parent; cgroup namespace' cgroup_parent
cgroup_parent() {
	bg c1 --cgroup-parent /engines-other "${forever[@]}"
	has "$(cgroup_dir "$(pid c1)" pids)" /engines-other/
	eq "$(run --cgroupns private box sh -c 'cut -d: -f3 /proc/self/cgroup | sort -u')" /
}

it '--pid, --network, --ipc, --uts: another container'"'"'s and the host'"'"'s' namespaces core
namespaces() {
	bg c1 --ipc shareable "${forever[@]}"
	local n
	for n in pid net ipc uts; do
		eq "$(run "--${n/net/network}=container:c1" box readlink "/proc/self/ns/$n")" "$(ns "$(pid c1)" "$n")" "$n"
		eq "$(run "--${n/net/network}=host" box readlink "/proc/self/ns/$n")" "$(readlink "/proc/self/ns/$n")" "$n"
	done
}

it '--pid=container: ends with all of its processes' pid_container
pid_container() {
	bg c1 "${forever[@]}"
	bg c2 --pid=container:c1 box sh -c 'sleep 1111 & sleep 2222'
	soon 10 pgrep -f '^sleep 1111'
	podman stop -t 1 c2
	soon 10 sh -c '! pgrep -f "^sleep 1111"'
	eq "$(status c1)" running
}

it 'a user namespace: --uidmap, that of another container' user_namespace core
user_namespace() {
	eq "$(run --uidmap 0:100000:1000 box awk '{print $1,$2,$3}' /proc/self/uid_map)" '0 100000 1000'
	bg c1 --uidmap 0:100000:1000 --gidmap 0:100000:1000 "${forever[@]}"
	eq "$(stat -c %u "/proc/$(pid c1)")" 100000
	eq "$(podman exec c1 id -u)" 0
	has "$(on_tty podman exec -t c1 tty)" /dev/pts
	eq "$(run --userns=container:c1 box readlink /proc/self/ns/user)" "$(ns "$(pid c1)" user)"
}

it 'network: bridge, names, published ports, none' network core
network() {
	podman network create net >/dev/null
	bg web --network net -p 127.0.0.1:8098:80 box sh -c 'mkdir /www; echo page >/www/index.html; httpd -f -h /www'
	soon 10 python3 -c 'import urllib.request as u; assert u.urlopen("http://127.0.0.1:8098/").read() == b"page\n"'
	soon_eq 10 page run --network net box wget -qO- http://web/
	eq "$(run --network none box ls /sys/class/net)" lo
}

it '--init and --systemd=always' init core
init() {
	has "$(run --init box cat /proc/1/cmdline | tr '\0' ' ')" podman-init
	bg c1 --systemd=always box sh -c 'trap "exit 33" 37; echo up; while :; do sleep 0.1; done'
	soon_eq 10 up podman logs c1
	eq "$(podman exec c1 sh -c 'stat -f -c %T /run /tmp | sort -u')" tmpfs
	has "$(podman exec c1 sh -c 'tr "\0" "\n" </proc/1/environ')" container=
	podman stop c1
	eq "$(inspect c1 '{{.State.ExitCode}}')" 33
}

it 'hooks of /usr/share/containers/oci/hooks.d' hooks
hooks() {
	mkdir -p hooks.d
	printf '#!/bin/sh\ncat >%s\n' "$PWD/state" >hook; chmod +x hook
	jq -n --arg p "$PWD/hook" '{version: "1.0.0", hook: {path: $p}, when: {always: true}, stages: ["createRuntime"]}' >hooks.d/h.json
	podman --hooks-dir "$PWD/hooks.d" run --rm box true
	eq "$(jq -r .status state)" creating
}
