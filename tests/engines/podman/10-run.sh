# shellcheck shell=bash
# shellcheck disable=SC2154 # forever, box: suite.sh has them
# Containers by podman.

it 'info names the runtime' info core
info() {
	eq "$(podman info -f '{{.Host.OCIRuntime.Name}}')" "$RT"
	eq "$(podman info -f '{{.Host.OCIRuntime.Path}}')" "$RT_PATH"
}

it 'run: output, exit status, standard input' run_status core
run_status() {
	gives 7 run box sh -c 'echo out; echo err >&2; exit 7' >out 2>err
	eq "$(cat out)" out
	eq "$(cat err)" err
	eq "$(seq 5000 | run -i box md5sum)" "$(seq 5000 | md5sum)"
}

it 'run -t, run -it: a terminal and its size' run_tty core
run_tty() {
	has "$(run -t box sh -c 'tty; test -t 0 && echo yes')" $'yes\r'
	has "$(printf 'hello\n' | on_tty sh -c 'stty rows 33 cols 99; podman run --rm -it box sh -c "sleep 1; stty size; read x; echo got=\$x"')" '33 99'
}

it 'run -d, wait, logs' run_detached core
run_detached() {
	bg c1 box sh -c 'echo o; echo e >&2; sleep 1; exit 9'
	eq "$(podman wait c1)" 9
	eq "$(podman logs c1 2>/dev/null)" o
	eq "$(podman logs c1 2>&1 >/dev/null)" e
}

it 'create, start -a, restart' created core
created() {
	podman create --name c1 box sh -c 'echo n >>/tmp/n; wc -l </tmp/n' >/dev/null
	eq "$(podman start -a c1)" 1
	eq "$(podman start -a c1)" 2
	bg c2 "${forever[@]}"
	local old
	old=$(pid c2)
	podman restart -t 1 c2
	[[ $(pid c2) != "$old" ]] || fail 'the same process'
}

it 'status 125, 126, 127' run_errors core
run_errors() {
	has "$(gives 127 run box nosuchprogram 2>&1)" 'executable file'
	gives 127 run box /no/such/file
	gives 126 run box /bin/noexec
	gives 126 run box /etc
	gives 125 run --no-such-flag box true
	gives 125 run --sysctl kernel.ostype=x box true
}

it 'exec: output, status, environment, user, folder' exec_plain core
exec_plain() {
	bg c1 -e BASE=1 "${forever[@]}"
	eq "$(podman exec c1 sh -c 'echo $BASE')" 1
	gives 3 podman exec c1 sh -c 'exit 3'
	eq "$(podman exec -e X=y -u 1000:44 -w /home/user c1 sh -c 'echo "$X $(id -u):$(id -g) $PWD"')" 'y 1000:44 /home/user'
	eq "$(podman exec -u user c1 id -G)" '1000 44'
	eq "$(seq 5000 | podman exec -i c1 md5sum)" "$(seq 5000 | md5sum)"
}

it 'exec: -t, -d, --privileged' exec_streams core
exec_streams() {
	bg c1 --cap-drop ALL "${forever[@]}"
	has "$(on_tty podman exec -t c1 tty)" /dev/pts/
	podman exec -d c1 sh -c 'echo x >/tmp/x; sleep 100'
	soon_eq 10 x podman exec c1 cat /tmp/x
	eq "$(podman exec c1 sed -n 's/^CapEff:\t//p' /proc/self/status)" 0000000000000000
	[[ $(podman exec --privileged c1 sed -n 's/^CapEff:\t//p' /proc/self/status) != 0000000000000000 ]] || fail 'not privileged'
}

it 'exec: status 127; a descriptor passed on' exec_errors core
exec_errors() {
	bg c1 "${forever[@]}"
	gives 127 podman exec c1 nosuchprogram
	eq "$(echo passed | podman exec --preserve-fds 1 c1 sh -c 'cat <&3' 3<&0)" passed
	eq "$(echo passed | podman run --rm --preserve-fds 1 box sh -c 'cat <&3' 3<&0)" passed
}

it 'no descriptor of the engine reaches the container' descriptors core
descriptors() {
	eq "$(run box sh -c 'ls /proc/self/fd | tr "\n" " "')" '0 1 2 3 '
	bg c1 "${forever[@]}"
	eq "$(podman exec c1 sh -c 'ls /proc/self/fd | tr "\n" " "')" '0 1 2 3 '
	eq "$(run box sh -c 'env | grep _OCI_ || true')" ''
}

it 'attach' attach
attach() {
	bg c1 -i box sh -c 'read x; echo "got $x"; sleep 0.2; exit 3'
	(echo word; sleep 1) | podman attach c1 >out || true
	eq "$(cat out)" 'got word'
	eq "$(podman wait c1)" 3
}

it 'stop and kill' stop_kill core
stop_kill() {
	bg c1 box sh -c 'trap "exit 5" TERM; trap "echo usr1" USR1; echo up; while :; do sleep 0.1; done'
	soon_eq 10 up podman logs c1
	podman kill -s USR1 c1
	soon_eq 10 $'up\nusr1' podman logs c1
	podman stop c1
	eq "$(inspect c1 '{{.State.ExitCode}}')" 5
	bg c2 box sh -c 'trap "" TERM; while :; do sleep 1; done'
	podman stop -t 1 c2
	eq "$(inspect c2 '{{.State.ExitCode}}')" 137
	gives 125 podman kill c2
}

it 'pause and unpause' pause core
pause() {
	bg c1 "${forever[@]}"
	podman pause c1
	eq "$(status c1)" paused
	gives 255 podman exec c1 true
	podman unpause c1
	eq "$(podman exec c1 echo on)" on
}

it 'update: memory, cpu, processes' update core
update() {
	bg c1 -m 64m --memory-swap 64m "${forever[@]}"
	podman update -m 96m --memory-swap 96m --pids-limit 77 --cpu-shares 333 c1
	eq "$(knob "$(pid c1)" memory.limit_in_bytes memory.max)" $((96 << 20))
	eq "$(knob "$(pid c1)" pids.max pids.max)" 77
	[[ $LAB_CGROUP = v2 ]] || eq "$(knob "$(pid c1)" cpu.shares '')" 333
}

it 'stats and top' stats core
stats() {
	bg c1 -m 64m "${forever[@]}"
	has "$(podman stats --no-stream --format '{{.MemUsage}}' c1)" MB
	podman exec -d c1 sleep 1234
	soon 10 sh -c 'podman top c1 args | grep -q "sleep 1234"'
}

it 'cp, diff, commit, mount' files
files() {
	bg c1 "${forever[@]}"
	seq 100 >file
	podman cp file c1:/tmp/copy
	eq "$(podman exec c1 cat /tmp/copy | md5sum)" "$(md5sum <file)"
	has "$(podman diff c1)" 'A /tmp/copy'
	podman commit -q c1 new >/dev/null
	eq "$(run new wc -l /tmp/copy)" '100 /tmp/copy'
	podman rmi -f new
}

it 'restart policy; --rm' restart_policy
restart_policy() {
	bg c1 --restart on-failure:2 box sh -c 'echo x; exit 1'
	soon_eq 30 $'x\nx\nx' podman logs c1
	soon_eq 10 exited status c1
	bg c2 --rm box true
	soon 10 sh -c '! podman container exists c2'
}

it 'health check' health core
health() {
	bg c1 --health-cmd 'test -e /tmp/ok' --health-interval disable --health-retries 1 "${forever[@]}"
	gives 1 podman healthcheck run c1
	podman exec c1 touch /tmp/ok
	podman healthcheck run c1
	soon_eq 5 healthy inspect c1 '{{.State.Health.Status}}'
}

it 'checkpoint and restore' checkpoint
checkpoint() {
	criu check >/dev/null 2>&1 || skip "criu check: $(criu check 2>&1 | grep -a Error | head -n 1)"
	bg c1 --network none box sh -c 'i=0; while :; do i=$((i+1)); echo $i >/tmp/i; sleep 0.2; done'
	sleep 1
	podman container checkpoint c1
	eq "$(status c1)" exited
	podman container restore c1
	[[ $(podman exec c1 cat /tmp/i) -gt 3 ]] || fail 'counts again'
	podman container checkpoint -e "$PWD/c.tar.gz" --leave-running c1
	podman rm -f -t 0 c1
	podman container restore -i "$PWD/c.tar.gz" -n c2
	[[ $(podman exec c2 cat /tmp/i) -gt 3 ]] || fail 'counts again'
}

it '20 containers at once' many
many() {
	local i
	for i in {1..20}; do bg "m$i" --network none box sleep 300 & done
	wait
	eq "$(podman ps -q | wc -l)" 20
	podman rm -af -t 0
	eq "$(podman ps -aq)" ''
}

it 'system service: the Docker API' api
api() {
	podman system service -t 0 unix:///run/api.sock &
	local service=$!
	soon 10 test -S /run/api.sock
	eq "$(docker -H unix:///run/api.sock run --rm box echo by-api)" by-api
	kill $service
}
