# shellcheck shell=bash
# shellcheck disable=SC2154 # forever, box: suite.sh has them
# Users, capabilities, filters, devices, what may be seen and written.

caps() { sed -n 's/^Cap\(Inh\|Prm\|Eff\|Bnd\|Amb\):\t//p' | tr '\n' ' '; }

it 'users and groups: by number, by name, additional' users core
users() {
	eq "$(run box id -u)" 0
	eq "$(run -u 1000:1000 box id -G)" 1000
	eq "$(run -u user box id -G)" '1000 44'
	eq "$(run -u 4242 --group-add 44 --group-add 77 box sh -c 'id -u; id -G')" $'4242\n0 44 77'
	eq "$(run -u user box sh -c 'echo $HOME')" /home/user
}

it 'capabilities: the default set, none, one more' capabilities core
capabilities() {
	local get='cat /proc/self/status' d=00000000a80425fb z=0000000000000000
	# shellcheck disable=SC2086
	eq "$(run box $get | caps)" "$z $d $d $d $z "
	# shellcheck disable=SC2086
	eq "$(run --cap-drop ALL box $get | caps)" "$z $z $z $z $z "
	# shellcheck disable=SC2086
	eq "$(run --cap-drop ALL --cap-add SYS_ADMIN box $get | caps)" "$z 0000000000200000 0000000000200000 0000000000200000 $z "
	# shellcheck disable=SC2086
	eq "$(run -u 1000 box $get | caps)" "$z $z $z $d $z "
}

it '--privileged: all capabilities, devices, writable /sys and /proc' privileged core
privileged() {
	local all
	all=$(sed -n 's/^CapBnd:\t//p' /proc/self/status)
	eq "$(run --privileged box sed -n 's/^CapEff:\t//p' /proc/self/status)" "$all"
	run --privileged box sh -c 'grep " /sys " /proc/mounts | grep -q " rw" && test -c /dev/kmsg &&
		echo 1 >/proc/sys/net/ipv4/ip_forward && mkdir /m && mount -t tmpfs t /m && umount /m'
	eq "$(run --privileged box sed -n 's/^Seccomp:\t//p' /proc/self/status)" 0
}

it 'privileges: --privileged mounts of cgroups can be written' privileged_cgroup
privileged_cgroup() {
	[[ $LAB_CGROUP != v2 ]] || skip 'v1 hierarchies only'
	run --privileged box sh -c 'mkdir /sys/fs/cgroup/pids/sub && echo 5 >/sys/fs/cgroup/pids/sub/pids.max && rmdir /sys/fs/cgroup/pids/sub'
	gives 1 run box mkdir /sys/fs/cgroup/pids/sub
}

it 'seccomp: the default profile' seccomp_default core
seccomp_default() {
	eq "$(run box sed -n 's/^Seccomp:\t//p' /proc/self/status)" 2
	gives 1 run box unshare -U true
	run --security-opt seccomp=unconfined box unshare -U true
}

it 'seccomp: a profile of one'"'"'s own' seccomp_own core
seccomp_own() {
	cat >p.json <<-'END'
		{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
		 {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
		 {"names": ["setpriority"], "action": "SCMP_ACT_KILL_PROCESS"},
		 {"names": ["personality"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 8, "op": "SCMP_CMP_EQ"}]}]}
	END
	has "$(gives 1 run --security-opt seccomp=p.json box mkdir /x 2>&1)" 'No space left'
	gives 159 run --security-opt seccomp=p.json box sh -c 'renice -n 5 -p $$; exit $?'
	gives 1 run --security-opt seccomp=p.json box linux32 true
}

it 'no-new-privileges' no_new_privileges core
no_new_privileges() {
	eq "$(run --security-opt no-new-privileges box sed -n 's/^NoNewPrivs:\t//p' /proc/self/status)" 1
	eq "$(run box sed -n 's/^NoNewPrivs:\t//p' /proc/self/status)" 0
}

it 'masked and read-only paths; systempaths=unconfined' masked core
masked() {
	run box sh -c 'test ! -s /proc/kcore && test -z "$(ls /proc/acpi /sys/firmware 2>/dev/null | grep -v :)" && ! echo 1 >/proc/sys/vm/swappiness' 2>/dev/null
	eq "$(run box grep -c ' /proc/' /proc/mounts)" "$(run box sh -c 'grep " /proc/" /proc/mounts | cut -d" " -f2 | sort -u | wc -l')"
	eq "$(run --security-opt systempaths=unconfined box sh -c 'grep " /proc/" /proc/mounts' || true)" ''
}

it 'devices: the default list, and nothing else' devices_default core
devices_default() {
	eq "$(run box sh -c 'cd /dev; ls | grep -v core | tr "\n" " "')" 'fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero '
	has "$(gives 1 run box sh -c 'mknod /tmp/m c 1 1 && head -c 1 /tmp/m' 2>&1)" 'Operation not permitted'
	run box sh -c 'echo x >/dev/null; head -c 1 /dev/urandom >/dev/null; mknod /tmp/z c 1 5 && head -c 4 /tmp/z >/dev/null'
}

it 'devices: --device with rights, another name' devices_given core
devices_given() {
	eq "$(run --device /dev/fuse:/dev/myfuse:r box stat -c '%t:%T' /dev/myfuse)" a:e5
	run --device /dev/fuse:/dev/myfuse:r box sh -c 'exec 3</dev/myfuse'
	gives 1 run --device /dev/fuse:/dev/myfuse:r box sh -c 'exec 3<>/dev/myfuse'
	run --device /dev/fuse box sh -c 'exec 3<>/dev/fuse'
}

it 'devices: --device-cgroup-rule' devices_rule
devices_rule() {
	gives 1 run box sh -c 'mknod /tmp/f c 10 229; exec 3<>/tmp/f'
	run --device-cgroup-rule 'c 10:* rmw' box sh -c 'mknod /tmp/f c 10 229; exec 3<>/tmp/f'
}

it 'ulimits' ulimits core
ulimits() {
	eq "$(run --ulimit nofile=100:200 --ulimit core=0 box sh -c 'ulimit -Sn; ulimit -Hn; ulimit -c')" $'100\n200\n0'
	eq "$(run --ulimit nproc=50 -u 1000 box awk '/processes/ { print $3, $4 }' /proc/self/limits)" '50 50'
}

it 'sysctls: net.* and kernel.* of the namespaces' sysctls core
sysctls() {
	eq "$(run --sysctl net.ipv4.ip_unprivileged_port_start=7 --sysctl kernel.msgmax=9000 --sysctl net.ipv4.conf.all.rp_filter=2 box \
		cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/msgmax /proc/sys/net/ipv4/conf/all/rp_filter)" $'7\n9000\n2'
	gives 125 run --network host --sysctl net.ipv4.ip_forward=1 box true
}

it '--oom-score-adj' oom_score
oom_score() { eq "$(run --oom-score-adj 321 box cat /proc/self/oom_score_adj)" 321; }

it '--init: process 1 reaps' init core
init() {
	bg c1 --init box sh -c '(sleep 0.1 & exec true) & exec sleep 1000'
	has "$(docker exec c1 cat /proc/1/cmdline | tr '\0' ' ')" init
	sleep 0.5
	eq "$(docker top c1 -eo stat | grep -c Z)" 0
	docker stop -t 5 c1
	eq "$(inspect c1 '{{.State.ExitCode}}')" 143
}

it 'a time namespace is not made; cgroup namespace private and host' cgroupns
cgroupns() {
	eq "$(run --cgroupns private box sh -c "cut -d: -f3 /proc/self/cgroup | sort -u")" /
	has "$(run --cgroupns host box cat /proc/self/cgroup)" "$PARENT/"
}

it 'userns-remap: another daemon, root is not root' userns_remap core
userns_remap() {
	local d
	other_dockerd remap --userns-remap dockremap:dockremap
	has "$($d run --rm --network none box cat /proc/self/uid_map)" 100000
	$d run --rm --network none box sh -c 'touch /x && chown 5:5 /x && stat -c %u:%g /x' >out
	eq "$(cat out)" 5:5
	$d run -d --name c1 --network none box sleep 1000
	eq "$(stat -c %u "/proc/$($d inspect -f '{{.State.Pid}}' c1)")" 100000
	eq "$($d exec c1 id -u)" 0
	has "$($d exec -t c1 tty)" /dev/pts
	eq "$($d run --rm --network none --userns host box cat /proc/self/uid_map | awk '{print $2}')" 0
	$d rm -f c1
}
