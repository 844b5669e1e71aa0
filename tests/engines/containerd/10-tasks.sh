# shellcheck shell=bash
# shellcheck disable=SC2154 # forever, box: suite.sh has them
# Tasks by ctr.

it 'run: output and exit status' run_status core
run_status() {
	eq "$(run -- c1 echo hello)" hello
	gives 7 run -- c1 sh -c 'exit 7'
}

it 'run: standard input' run_stdin
# (ctr does not pass the end of its input on.)
run_stdin() { eq "$(seq 5000 | run -- c1 sh -c 'head -n 5000 | md5sum')" "$(seq 5000 | md5sum)"; }

it 'run -t: a terminal' run_tty core
run_tty() { has "$(on_tty "$BASH" -c '. /suite/lib.sh; . /suite/containerd/suite.sh; run -t -- c1 sh -c "tty; stat -c %t:%T /dev/console"')" /dev/pts/0; }

it 'run: a missing program is an error of create' run_absent core
run_absent() {
	local got
	got=$(gives 1 run -- c1 nosuchprogram 2>&1)
	has "$got" 'executable file not found in $PATH'
	eq "$(ctr tasks ls -q)" ''
}

it 'run -d, kill, delete: the exit status' run_detached core
run_detached() {
	start -d --null-io -- c1 sh -c 'trap "exit 5" TERM; touch /ready; while :; do sleep 0.1; done'
	eq "$(status c1)" RUNNING
	soon 10 ctr tasks exec --exec-id e1 c1 test -e /ready
	ctr tasks kill -s TERM c1
	soon_eq 10 STOPPED status c1
	has "$(ctr tasks delete c1 2>&1)" 'exit code 5'
}

it 'create and start apart' create_start core
create_start() {
	ctr containers create --runc-binary "$RT_PATH" "$box" c1 sh -c 'echo started >/started; sleep 1000'
	ctr tasks start -d --null-io c1
	eq "$(status c1)" RUNNING
	soon 10 ctr tasks exec --exec-id e1 c1 test -s /started
}

it '--pid-file' pid_file
pid_file() {
	bg c1 --pid-file "$PWD/p"
	eq "$(cat p)" "$(pid c1)"
}

it 'exec: output, status, folder, user' exec_plain core
exec_plain() {
	bg c1 --env BASE=1
	eq "$(ctr tasks exec --exec-id e1 c1 sh -c 'echo $BASE')" 1
	gives 3 ctr tasks exec --exec-id e2 c1 sh -c 'exit 3'
	eq "$(ctr tasks exec --exec-id e3 --cwd /home/user --user 1000:44 c1 sh -c 'pwd; id -u; id -g')" $'/home/user\n1000\n44'
	has "$(gives 1 ctr tasks exec --exec-id e4 c1 nosuchprogram 2>&1)" 'executable file not found'
}

it 'exec -t, exec -d' exec_streams core
exec_streams() {
	bg c1
	has "$(on_tty ctr tasks exec -t --exec-id e1 c1 tty)" /dev/pts/
	ctr tasks exec -d --log-uri file:///dev/null --exec-id e2 c1 sh -c 'echo x >/x; sleep 100'
	soon_eq 10 x ctr tasks exec --exec-id e3 c1 cat /x
	ctr tasks kill --exec-id e2 -s KILL c1
	soon 10 sh -c '! pgrep -f "^sleep 100$"'
}

it 'exec: many at once' exec_many
exec_many() {
	bg c1
	local i
	for i in {1..15}; do ctr tasks exec --exec-id "e$i" c1 echo "$i" >"out.$i" & done
	wait
	eq "$(cat out.* | sort -n | tr '\n' ' ')" "$(seq 15 | tr '\n' ' ')"
}

it 'pause and resume' pause core
pause() {
	bg c1
	ctr tasks pause c1
	eq "$(status c1)" PAUSED
	gives 1 ctr tasks exec --exec-id e1 c1 true
	ctr tasks resume c1
	eq "$(status c1)" RUNNING
	eq "$(ctr tasks exec --exec-id e2 c1 echo on)" on
}

it 'kill of a paused task' pause_kill
pause_kill() {
	bg c1
	ctr tasks pause c1
	ctr tasks kill -s KILL c1 || true
	ctr tasks resume c1 2>/dev/null || true
	soon_eq 10 STOPPED status c1
}

it 'kill -a: every process' kill_all core
kill_all() {
	start -d --null-io -- c1 sh -c 'trap "" TERM; sleep 7777 & trap "exit 0" USR1; while :; do sleep 0.1; done'
	soon 10 pgrep -f '^sleep 7777'
	ctr tasks kill -a -s KILL c1
	soon_eq 10 STOPPED status c1
	soon 10 sh -c '! pgrep -f "^sleep 7777"'
}

it 'kill of a dead task: not found' kill_dead
kill_dead() {
	start -d --null-io -- c1 true
	soon_eq 10 STOPPED status c1
	has "$(gives 1 ctr tasks kill c1 2>&1)" 'not found'
}

it 'ps: the processes' ps core
ps() {
	bg c1
	ctr tasks exec -d --log-uri file:///dev/null --exec-id e1 c1 sleep 8888
	has "$(ctr tasks ps c1)" "$(pid c1)"
	has "$(ctr tasks ps c1)" "$(pgrep -f '^sleep 8888')"
}

it 'metrics' metrics core
metrics() {
	bg c1 --memory-limit 67108864
	has "$(ctr tasks metrics --format json c1)" 67108864
}

it 'limits: memory, cpu' limits core
limits() {
	bg c1 --memory-limit 67108864 --cpus 0.5 --cpu-shares 300
	eq "$(knob "$(pid c1)" memory.limit_in_bytes memory.max)" 67108864
	[[ $LAB_CGROUP = v2 ]] || eq "$(knob "$(pid c1)" cpu.cfs_quota_us '') $(knob "$(pid c1)" cpu.shares '')" '50000 300'
}

it 'out of memory: an event' oom
oom() {
	ctr events >seen &
	local e=$!
	start -d --null-io --memory-limit 16777216 -- c1 sh -c 'sleep 1; x=a; while :; do x=$x$x; done'
	soon_eq 20 STOPPED status c1
	soon 10 grep -q /tasks/oom seen
	kill $e
	has "$(ctr tasks delete c1 2>&1)" 'exit code 137'
}

it 'privileged, capabilities, no new privileges' privileges core
privileges() {
	eq "$(run --privileged -- c1 sed -n 's/^CapEff:\t//p' /proc/self/status)" "$(sed -n 's/^CapBnd:\t//p' /proc/self/status)"
	eq "$(run --cap-drop CAP_CHOWN -- c1 sed -n 's/^CapEff:\t//p' /proc/self/status)" 00000000a80425fa
	eq "$(run -- c1 sed -n 's/^NoNewPrivs:\t//p' /proc/self/status)" 1
	eq "$(run --allow-new-privs -- c1 sed -n 's/^NoNewPrivs:\t//p' /proc/self/status)" 0
}

it 'seccomp: the default profile' seccomp core
seccomp() {
	eq "$(run --seccomp -- c1 sed -n 's/^Seccomp:\t//p' /proc/self/status)" 2
	gives 1 run --seccomp -- c1 unshare -U true
}

it 'read-only root, mounts, devices' mounts core
mounts() {
	mkdir d; echo in >d/f
	gives 1 run --read-only -- c1 touch /x
	eq "$(run --mount "type=bind,src=$PWD/d,dst=/d,options=rbind:ro" -- c1 cat /d/f)" in
	gives 1 run --mount "type=bind,src=$PWD/d,dst=/d,options=rbind:ro" -- c1 touch /d/x
	eq "$(run --device /dev/fuse -- c1 stat -c %t:%T /dev/fuse)" a:e5
}

it 'namespaces: host network, those of another task' namespaces core
namespaces() {
	eq "$(run --net-host -- c1 readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net)"
	bg c1
	local p
	p=$(pid c1)
	eq "$(run --with-ns "network:/proc/$p/ns/net" --with-ns "pid:/proc/$p/ns/pid" -- c2 sh -c 'readlink /proc/self/ns/net; readlink /proc/self/ns/pid')" \
		"$(readlink "/proc/$p/ns/net")"$'\n'"$(readlink "/proc/$p/ns/pid")"
}

it 'user namespace' user_namespace core
user_namespace() {
	eq "$(run --uidmap 0:100000:65536 --gidmap 0:100000:65536 --remap-labels --snapshotter overlayfs -- c1 sh -c 'awk "{print \$1,\$2,\$3}" /proc/self/uid_map; id -u')" $'0 100000 65536\n0'
}

it 'a root file system of no image; hooks of the given config' config
config() {
	# shellcheck source=tests/engines/image.sh
	. /suite/image.sh
	image_root "$PWD/root"
	eq "$(ctr run --rm --runc-binary "$RT_PATH" --rootfs "$PWD/root" c1 /bin/echo plain)" plain
	jq -n --arg root "$PWD/root" --arg out "$PWD/hook" '{ociVersion: "1.2.0", process: {cwd: "/", args: ["cat", "/made"], env: ["PATH=/bin"], user: {uid: 0, gid: 0}},
		root: {path: $root}, linux: {cgroupsPath: "/engines/c2", namespaces: [{type: "mount"}, {type: "pid"}]},
		hooks: {createRuntime: [{path: "/bin/sh", args: ["sh", "-c", "cat >" + $out]}], createContainer: [{path: "/bin/sh", args: ["sh", "-c", "echo hook >made"]}]},
		mounts: [{destination: "/proc", type: "proc", source: "proc"}]}' >config.json
	eq "$(ctr run --rm --runc-binary "$RT_PATH" --config config.json c2)" hook
	eq "$(jq -r .status hook)" creating
}

it 'no-pivot' no_pivot
no_pivot() { eq "$(CONTAINERD_NO_PIVOT=1 run --no-pivot -- c1 ls /bin/busybox)" /bin/busybox; }

it 'containerd killed and started: tasks go on' restart core
restart() {
	bg c1
	start -d --null-io -- c2 sh -c 'sleep 4; exit 6'
	local p
	p=$(pid c1)
	kill -KILL "$(cat /tmp/containerd.pid)"
	soon 10 sh -c '! timeout 1 ctr version'
	containerd_start
	soon_eq 20 RUNNING status c1
	eq "$(pid c1)" "$p"
	eq "$(ctr tasks exec --exec-id e1 c1 echo again)" again
	soon_eq 10 STOPPED status c2
	has "$(ctr tasks delete c2 2>&1)" 'exit code 6'
	ctr tasks rm -f c1
	[[ ! -e /proc/$p ]] || fail 'still there'
}

it 'the shim killed: what it ran dies' shim_killed
shim_killed() {
	start -d --null-io -- c1 sh -c 'sleep 9999 & sleep 9998'
	local p shim
	p=$(pid c1)
	shim=$(awk '{ print $4 }' "/proc/$p/stat")
	kill -KILL "$shim"
	soon 20 sh -c '! pgrep -f "^sleep 999"'
	soon 10 test ! -e "/sys/fs/cgroup/pids/engines/c1"
}

it '15 tasks at once' many
many() {
	local i
	for i in {1..15}; do start -d --null-io -- "m$i" sleep 1000 & done
	wait
	eq "$(ctr tasks ls | grep -c RUNNING)" 15
	for i in {1..15}; do ctr tasks rm -f "m$i" & done
	wait
	eq "$(ctr tasks ls -q)" ''
}

it 'checkpoint and restore' checkpoint
checkpoint() {
	criu check >/dev/null 2>&1 || skip "criu check: $(criu check 2>&1 | grep -a Error | head -n 1)"
	start -d --null-io --net-host -- c1 sh -c 'i=0; while :; do i=$((i+1)); echo $i >/tmp/i; sleep 0.2; done'
	sleep 1
	ctr containers checkpoint --task --rw --image c1 local/check:1
	ctr tasks rm -f c1
	ctr containers rm c1
	ctr containers restore --live --rw c1 local/check:1
	local i
	i=$(ctr tasks exec --exec-id e1 c1 cat /tmp/i)
	[[ $i -gt 3 ]] || fail "counts from $i again"
}

it 'nothing is left: processes, groups, state' leftovers core
# (What a runtime keeps for later containers is not left over: compiled filters in @seccomp, crun's .cache.)
leftovers() {
	bg c1
	ctr tasks exec --exec-id e1 c1 true
	ctr tasks rm -f c1
	soon 10 no_runtime_processes
	eq "$(find /sys/fs/cgroup/*/engines -mindepth 1 -type d 2>/dev/null | head)" '' 'groups left'
	eq "$(find /run/containerd/runc -mindepth 2 ! -path '*/@*' ! -path '*/.cache*' 2>/dev/null | head)" '' 'state left'
}
