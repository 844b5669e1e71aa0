# shellcheck shell=bash
# shellcheck disable=SC2154 # forever, box: suite.sh has them
# exec, and what looks at or changes a running container.

it 'exec: output, status, environment, user, folder' exec_plain core
exec_plain() {
	bg c1 -e BASE=1 "${forever[@]}"
	eq "$(docker exec c1 sh -c 'echo $BASE; hostname')" "1"$'\n'"$(docker exec c1 hostname)"
	gives 3 docker exec c1 sh -c 'exit 3'
	eq "$(docker exec -e X=y -u 1000:44 -w /home/user c1 sh -c 'echo "$X $(id -u):$(id -g) $PWD"')" 'y 1000:44 /home/user'
	eq "$(docker exec -u user c1 sh -c 'id -u; id -G; echo $HOME')" $'1000\n1000 44\n/home/user'
}

it 'exec -i and exec -t' exec_streams core
exec_streams() {
	bg c1 "${forever[@]}"
	eq "$(seq 5000 | docker exec -i c1 md5sum)" "$(seq 5000 | md5sum)"
	has "$(docker exec -t c1 sh -c 'tty; test -t 0 && echo yes')" $'yes\r'
	has "$(printf 'abc\n' | on_tty docker exec -it c1 sh -c 'read x; echo got=$x')" got=abc
}

it 'exec -d' exec_detached
exec_detached() {
	bg c1 "${forever[@]}"
	docker exec -d c1 sh -c 'echo here >/tmp/here; sleep 100'
	soon_eq 10 here docker exec c1 cat /tmp/here
	has "$(docker top c1)" 'sleep 100'
}

it 'exec: status 126 and 127' exec_errors core
exec_errors() {
	bg c1 "${forever[@]}"
	has "$(gives 127 docker exec c1 nosuchprogram 2>&1)" 'executable file not found'
	gives 126 docker exec c1 /etc
	gives 126 docker exec c1 /bin/noexec
	gives 127 docker exec -w /not/there c1 true
	eq "$(status c1)" running
}

it 'exec: killed by a signal, 137' exec_killed
exec_killed() {
	bg c1 "${forever[@]}"
	gives 137 docker exec c1 sh -c 'kill -KILL $$'
}

it 'exec --privileged; exec keeps the capabilities' exec_caps
exec_caps() {
	bg c1 --cap-drop ALL --cap-add CHOWN "${forever[@]}"
	eq "$(docker exec c1 sed -n 's/^CapEff:\t//p' /proc/self/status)" 0000000000000001
	[[ $(docker exec --privileged c1 sed -n 's/^CapEff:\t//p' /proc/self/status) != 0000000000000001 ]] || fail 'not privileged'
}

it 'exec: 20 at once in one container' exec_many
exec_many() {
	bg c1 "${forever[@]}"
	local i
	for i in {1..20}; do docker exec c1 echo "$i" >"out.$i" & done
	wait
	eq "$(cat out.* | sort -n | tr '\n' ' ')" "$(seq 20 | tr '\n' ' ')"
}

it 'exec in a container at its limit of processes' exec_pids
exec_pids() {
	bg c1 --pids-limit 4 "${forever[@]}"
	eq "$(docker exec c1 echo in)" in
}

it 'pause: nothing runs; unpause; exec of a paused one is refused' pause core
pause() {
	bg c1 box sh -c 'while :; do date +%s.%N >/tmp/t; sleep 0.1; done'
	soon 10 docker exec c1 test -s /tmp/t
	docker pause c1
	eq "$(status c1)" paused
	has "$(gives 1 docker exec c1 true 2>&1)" paused
	local root a b
	root=/proc/$(pid c1)/root/tmp/t
	a=$(cat "$root"); sleep 0.5; b=$(cat "$root")
	eq "$b" "$a" 'still running'
	docker unpause c1
	eq "$(status c1)" running
	soon 10 sh -c "test \"\$(cat $root)\" != '$a'"
	docker pause c1
	docker rm -f c1
}

it 'update: memory, cpu, processes' update core
update() {
	bg c1 -m 64m --memory-swap 64m "${forever[@]}"
	docker update -m 96m --memory-swap 96m --cpus 0.5 --pids-limit 77 --cpu-shares 333 c1
	local p
	p=$(pid c1)
	eq "$(knob "$p" memory.limit_in_bytes memory.max)" $((96 << 20))
	eq "$(knob "$p" pids.max pids.max)" 77
	[[ $LAB_CGROUP = v2 ]] || eq "$(knob "$p" cpu.shares '')" 333
	if [[ $LAB_CGROUP = v2 ]]; then eq "$(knob "$p" '' cpu.max)" '50000 100000'
	else eq "$(knob "$p" cpu.cfs_quota_us '')" 50000; fi
}

it 'update --restart, and of a stopped container' update_stopped
update_stopped() {
	docker create --name c1 -m 64m --memory-swap 64m "${forever[@]}" >/dev/null
	docker update -m 128m --memory-swap 128m c1
	docker start c1
	eq "$(knob "$(pid c1)" memory.limit_in_bytes memory.max)" $((128 << 20))
}

it 'stats: memory and processes' stats core
stats() {
	bg c1 -m 64m "${forever[@]}"
	local got
	got=$(docker stats --no-stream --format '{{.MemUsage}} {{.PIDs}}' c1)
	has "$got" '/ 64MiB'
	[[ ${got##* } -ge 1 ]] || fail "no processes: $got"
}

it 'top: the processes, by ps and with its options' top core
top() {
	bg c1 "${forever[@]}"
	docker exec -d c1 sleep 1234
	soon 10 sh -c 'docker top c1 | grep -q "sleep 1234"'
	eq "$(docker top c1 -o pid,args | sed -n '1s/ *$//p' | awk '{print $1}')" PID
}

it 'cp: in, out, with a running and a stopped container' cp_files
cp_files() {
	bg c1 "${forever[@]}"
	seq 100 >file
	docker cp file c1:/tmp/copy
	eq "$(docker exec c1 md5sum /tmp/copy | cut -d' ' -f1)" "$(md5sum <file | cut -d' ' -f1)"
	docker exec c1 sh -c 'mkdir /tmp/d; echo x >/tmp/d/x'
	docker stop -t 0 c1
	docker cp c1:/tmp/d out
	eq "$(cat out/x)" x
}

it 'diff, commit, export' commit
commit() {
	docker run --name c1 box sh -c 'echo new >/new; rm /bin/w'
	has "$(docker diff c1)" 'A /new'
	docker commit c1 box:new
	eq "$(run box:new cat /new)" new
	gives 1 run box:new ls /bin/w
	docker export c1 | tar -tf - >list
	grep -qx new list
	docker rmi -f box:new
}

it 'health check: starting, healthy, unhealthy' health core
health() {
	bg c1 --health-cmd 'test -e /tmp/ok' --health-interval 1s --health-retries 2 --health-start-period 1s "${forever[@]}"
	docker exec c1 touch /tmp/ok
	soon_eq 20 healthy inspect c1 '{{.State.Health.Status}}'
	docker exec c1 rm /tmp/ok
	soon_eq 20 unhealthy inspect c1 '{{.State.Health.Status}}'
}

it 'health check: one that hangs is cut off' health_timeout
health_timeout() {
	bg c1 --health-cmd 'sleep 1000' --health-interval 1s --health-timeout 1s --health-retries 1 "${forever[@]}"
	soon_eq 30 unhealthy inspect c1 '{{.State.Health.Status}}'
	soon 10 sh -c '! docker top c1 | grep -q "sleep 1000"'
}
