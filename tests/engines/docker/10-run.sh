# shellcheck shell=bash
# shellcheck disable=SC2154 # forever, box: suite.sh has them
# Starting, watching and ending containers.

it 'run: output and exit status' run_status core
run_status() {
	eq "$(run box echo hello)" hello
	gives 7 run box sh -c 'echo err >&2; exit 7' >out 2>err
	eq "$(cat out)" '' stdout
	eq "$(cat err)" err stderr
}

it 'run -i: standard input, closed at its end' run_stdin core
run_stdin() { eq "$(seq 20000 | run -i box md5sum)" "$(seq 20000 | md5sum)"; }

it 'run -t: a terminal, also as /dev/console' run_tty core
run_tty() {
	local got
	got=$(run -t box sh -c 'tty; test -t 0 && test -t 1 && echo both; ls -l /dev/console; stat -c %t:%T /dev/pts/0 /dev/console')
	has "$got" $'/dev/pts/0\r'
	has "$got" $'both\r'
	eq "$(tail -n 2 <<<"$got" | tr -d '\r' | sort -u | wc -l)" 1 'console and pts/0 differ'
}

it 'run -it: window size and what is typed' run_tty_size
run_tty_size() {
	local got
	got=$(printf 'hello\n' | on_tty sh -c 'stty rows 33 cols 99; docker run --rm -it box sh -c "sleep 1; stty size; read x; echo got=\$x"')
	has "$got" '33 99'
	has "$got" 'got=hello'
}

it 'run -d, then wait: the exit status' run_detached core
run_detached() {
	bg c1 box sh -c 'read x </dev/null; sleep 1; exit 9'
	eq "$(docker wait c1)" 9
	eq "$(status c1)" exited
	eq "$(inspect c1 '{{.State.ExitCode}}')" 9
}

it 'create, then start -a; a second start' run_created core
run_created() {
	docker create --name c1 box sh -c 'echo n >>/tmp/n; wc -l </tmp/n' >/dev/null
	eq "$(status c1)" created
	eq "$(docker start -a c1)" 1
	eq "$(docker start -a c1)" 2
}

it 'run: entrypoint, environment, working folder, host name' run_process core
run_process() {
	eq "$(run --entrypoint printf box '%s-' a b)" a-b-
	eq "$(run -e A=1 -e 'B=x y' -w /not/there -h myhost --domainname mydomain box \
		sh -c 'echo "$A|$B|$PWD|$(pwd)|$(hostname)|$HOSTNAME|$(cat /proc/sys/kernel/domainname)|$HOME"')" \
		'1|x y|/not/there|/not/there|myhost|myhost|mydomain|/root'
}

it 'status 127: no such program' error_absent core
error_absent() {
	local got
	got=$(gives 127 run box nosuchprogram 2>&1)
	has "$got" 'executable file not found in $PATH'
	got=$(gives 127 run box /no/such/file 2>&1)
	has "$got" 'no such file or directory'
	gives 127 run -t box nosuchprogram
}

it 'status 126: not a program, a folder' error_noexec core
error_noexec() {
	has "$(gives 126 run box /bin/noexec 2>&1)" 'permission denied'
	gives 126 run box /etc
}

it 'a script whose interpreter is missing: said, not 0' error_interpreter
error_interpreter() {
	local status=0
	run box /bin/nointerp >out 2>&1 || status=$?
	has "$(cat out)" 'no such file or directory'
	[[ $status = 127 || $status = 255 ]] || fail "status $status"
}

it 'status 125: the daemon or the runtime refuses' error_daemon core
error_daemon() {
	gives 125 run --no-such-flag box true
	gives 125 run --sysctl kernel.ostype=x box true
	gives 125 run --cgroup-parent /engines/a/../../.. --pids-limit -2 --memory 1k box true
	local left
	left=$(docker ps -aq --filter status=running)
	eq "$left" ''
}

it 'stop: SIGTERM reaches process 1, its status is kept' stop_term core
stop_term() {
	bg c1 box sh -c 'trap "exit 5" TERM; echo up; while :; do sleep 0.1; done'
	soon_eq 10 up docker logs c1
	docker stop c1
	eq "$(inspect c1 '{{.State.ExitCode}}')" 5
}

it 'stop: SIGKILL after the time out' stop_kill core
stop_kill() {
	bg c1 box sh -c 'trap "" TERM; while :; do sleep 1; done'
	docker stop -t 1 c1
	eq "$(inspect c1 '{{.State.ExitCode}}')" 137
}

it 'stop: the image'"'"'s or the given signal' stop_signal
stop_signal() {
	bg c1 --stop-signal USR2 box sh -c 'trap "exit 12" USR2; echo up; while :; do sleep 0.1; done'
	soon_eq 10 up docker logs c1
	docker stop c1
	eq "$(inspect c1 '{{.State.ExitCode}}')" 12
	bg d1 --stop-signal RTMIN+3 box sh -c 'trap "exit 13" 37; echo up; while :; do sleep 0.1; done'
	soon_eq 10 up docker logs d1
	docker stop d1
	eq "$(inspect d1 '{{.State.ExitCode}}')" 13
}

it 'kill: any signal; not of a stopped container' kill_signals core
kill_signals() {
	bg c1 box sh -c 'trap "echo usr1" USR1; echo up; while :; do sleep 0.1; done'
	soon_eq 10 up docker logs c1
	docker kill -s USR1 c1
	soon_eq 10 $'up\nusr1' docker logs c1
	docker kill c1
	soon_eq 10 exited status c1
	eq "$(inspect c1 '{{.State.ExitCode}}')" 137
	has "$(gives 1 docker kill c1 2>&1)" 'is not running'
}

it 'signals to the client are passed on' signal_proxy
signal_proxy() {
	docker run --name c1 box sh -c 'trap "exit 6" INT; echo up; while :; do sleep 0.1; done' >out 2>&1 &
	local client=$!
	soon 10 grep -q up out
	kill -INT $client
	gives 6 wait $client
}

it 'attach: output and input of a running container' attach
attach() {
	bg c1 -i box sh -c 'read x; echo "got $x"; sleep 0.2; exit 3'
	(echo word; sleep 1) | gives 3 docker attach c1 >out
	eq "$(cat out)" 'got word'
}

it 'attach and detach with keys, -t' attach_detach
attach_detach() {
	bg c1 -it box sh -c 'while read x; do echo "got $x"; done'
	(sleep 1; printf 'one\n'; sleep 1; printf '\020\021') | on_tty docker attach c1 >out || true
	has "$(cat out)" 'got one'
	eq "$(status c1)" running
}

it 'logs: both streams, follow, tail' logs core
logs() {
	bg c1 box sh -c 'for i in 1 2 3; do echo o$i; echo e$i >&2; sleep 0.2; done'
	docker logs -f c1 >out 2>err
	eq "$(cat out)" $'o1\no2\no3'
	eq "$(cat err)" $'e1\ne2\ne3'
	eq "$(docker logs -n 1 c1 2>&1 | wc -l)" 1
}

it 'rm -f of a running container; --rm' remove core
remove() {
	bg c1 "${forever[@]}"
	local p
	p=$(pid c1)
	docker rm -f c1
	[[ ! -e /proc/$p ]] || fail "process $p is left"
	bg d1 --rm box true
	soon_eq 10 '' docker ps -aq
}

it 'restart: the same container with a new process' restart
restart() {
	bg c1 "${forever[@]}"
	local old
	old=$(pid c1)
	docker restart -t 1 c1
	eq "$(status c1)" running
	[[ $(pid c1) != "$old" ]] || fail 'the same process'
}

it 'restart policy on-failure: as often as said' restart_on_failure
restart_on_failure() {
	bg c1 --restart on-failure:2 box sh -c 'echo x; exit 1'
	soon_eq 30 $'x\nx\nx' docker logs c1
	soon_eq 10 exited status c1
	eq "$(inspect c1 '{{.RestartCount}}')" 2
}

it 'restart policy always: a killed process comes back' restart_always
restart_always() {
	bg c1 --restart always "${forever[@]}"
	local old
	old=$(pid c1)
	kill -KILL "$old"
	soon 20 sh -c "p=\$(docker inspect -f '{{.State.Pid}}' c1); test \$p != 0 && test \$p != $old"
	docker stop -t 1 c1
	eq "$(status c1)" exited
}

it 'events: start, exec and die with their status' events
events() {
	local since
	since=$(date +%s)
	bg c1 box sh -c 'sleep 1; exit 4'
	docker exec c1 true
	docker wait c1
	docker events --since "$since" --until "$(($(date +%s) + 1))" --filter container=c1 --format '{{.Action}} {{index .Actor.Attributes "exitCode"}}' >out
	has "$(cat out)" start
	has "$(cat out)" exec_die
	has "$(cat out)" 'die 4'
}

it 'a container named for a run: another runtime by --runtime' other_runtime
other_runtime() {
	eq "$(docker info -f '{{.DefaultRuntime}}')" under-test
	eq "$(run --runtime under-test box echo hi)" hi
	gives 125 run --runtime unknown box true
}

it '50 containers at once' many
many() {
	local i
	for i in {1..50}; do
		docker run -d --name "m$i" --network none box sh -c "echo $i; sleep 300" >/dev/null &
	done
	wait
	eq "$(docker ps -q | wc -l)" 50
	for i in 1 17 50; do eq "$(docker logs "m$i")" "$i"; done
	docker ps -q | xargs docker rm -f >/dev/null
	eq "$(docker ps -aq)" ''
	eq "$(groups_left)" '' 'groups left'
}
