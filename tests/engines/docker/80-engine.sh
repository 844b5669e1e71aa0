# shellcheck shell=bash
# shellcheck disable=SC2154 # forever, box: suite.sh has them
# Builds, compose, swarm, and an engine that dies.

it 'build: BuildKit, with RUN by the runtime' build core
build() {
	cat >Dockerfile <<-'END'
		FROM box
		ARG WHO=nobody
		RUN echo "built by $WHO" >/built && id -u >>/built
		USER user
		WORKDIR /home/user/sub
		RUN pwd >p && id -u >>p
		CMD ["cat", "/built", "p"]
	END
	docker buildx build -q --build-arg WHO=me -t box:built .
	eq "$(run box:built)" $'built by me\n0\n/home/user/sub\n1000'
	docker rmi -f box:built
}

it 'build: mounts, secrets, no network' build_mounts
build_mounts() {
	echo hush >secret
	cat >Dockerfile <<-'END'
		FROM box AS one
		RUN --mount=type=cache,target=/cache echo c >>/cache/c && wc -l </cache/c >/n
		RUN --mount=type=secret,id=s cat /run/secrets/s >/s
		RUN --mount=type=tmpfs,target=/t --network=none ls /sys/class/net >/net && touch /t/x
		FROM box
		RUN --mount=type=bind,from=one,target=/one cat /one/n /one/s /one/net >/all
	END
	docker buildx build -q --secret id=s,src=secret -t box:built .
	eq "$(run box:built cat /all)" $'1\nhush\nlo'
	docker rmi -f box:built
}

it 'build: a failing RUN, and one that is missing' build_fails
build_fails() {
	has "$(printf 'FROM box\nRUN exit 23\n' | gives 1 docker buildx build - 2>&1)" 'exit code: 23'
	has "$(printf 'FROM box\nRUN ["absent"]\n' | gives 1 docker buildx build - 2>&1)" 'executable file not found'
}

it 'build: the classic builder' build_classic
build_classic() {
	printf 'FROM box\nRUN echo classic >/c\n' | DOCKER_BUILDKIT=0 docker build -q -t box:classic - >/dev/null
	eq "$(run box:classic cat /c)" classic
	docker rmi -f box:classic
}

it 'import of a root file system' import_rootfs
import_rootfs() {
	docker export "$(docker create box)" | docker import -c 'CMD ["echo","imported"]' - box:imported
	eq "$(run box:imported)" imported
	docker rmi -f box:imported
}

it 'compose: two services, one waiting for the other'"'"'s health' compose core
compose() {
	cat >compose.yaml <<-'END'
		services:
		  web:
		    image: box
		    init: true
		    command: sh -c 'mkdir /www; sleep 1; echo composed >/www/index.html; exec httpd -f -h /www'
		    healthcheck: {test: wget -qO- http://localhost/, interval: 1s}
		    mem_limit: 64m
		    cap_drop: [ALL]
		    cap_add: [NET_BIND_SERVICE]
		    read_only: true
		    tmpfs: /www
		  client:
		    image: box
		    depends_on: {web: {condition: service_healthy}}
		    command: sh -c 'wget -qO- http://web/; sleep 1000'
	END
	sed -i 's/mkdir .www; //' compose.yaml
	docker compose -p p up -d --quiet-pull
	soon 10 sh -c 'docker compose -p p logs client | grep -q composed'
	eq "$(docker compose -p p exec -T web echo in)" in
	docker compose -p p up -d --scale client=3
	eq "$(docker compose -p p ps -q client | wc -l)" 3
	docker compose -p p down -t 1
	eq "$(docker ps -aq)" ''
}

it 'live-restore: dockerd killed and started, containers go on' live_restore core
live_restore() {
	bg c1 box sh -c 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.2; done'
	bg d1 --health-cmd true --health-interval 1s box sh -c 'sleep 3; exit 8'
	local p
	p=$(pid c1)
	kill -KILL "$(cat /tmp/dockerd.pid)"
	soon 10 sh -c '! docker version'
	soon 10 test -e "/proc/$p"
	dockerd_start
	eq "$(status c1)" running
	eq "$(pid c1)" "$p"
	eq "$(docker exec c1 echo again)" again
	eq "$(docker wait d1)" 8
	docker stop -t 1 c1
	eq "$(inspect c1 '{{.State.ExitCode}}')" 137
}

it 'the shim is killed: so is what it ran' shim_killed
shim_killed() {
	bg c1 box sh -c 'sleep 5555 & sleep 6666'
	local p shim
	p=$(pid c1)
	shim=$(awk '{ print $4 }' "/proc/$p/stat")
	has "$(tr '\0' ' ' <"/proc/$shim/cmdline")" containerd-shim
	kill -KILL "$shim"
	soon 20 sh -c "! test -e /proc/$p || grep -q '^State:.Z' /proc/$p/status"
	soon_eq 20 exited status c1
	soon 10 sh -c '! pgrep -f "^sleep 5555"'
	docker start c1
	eq "$(docker exec c1 echo back)" back
}

# life CLIENT: a container's life with another daemon's client, by the runtime under test.
life() {
	local d=$1 id state
	eq "$($d info -f '{{.DefaultRuntime}}')" under-test
	id=$($d run -d --name c1 --network none box sleep 1000)
	state=$(find /run /var/run/docker* -type d -name "$id" -path '*runc*' 2>/dev/null | head -n 1)
	[[ -n $state ]] || fail 'the runtime knows no such container'
	has "$("$RT_PATH" --root "${state%/*}" state "$id")" running
	eq "$($d exec c1 echo hi)" hi
	$d pause c1
	$d unpause c1
	$d update --pids-limit 50 c1
	gives 3 $d run --rm --network none box sh -c 'exit 3'
	$d stop -t 1 c1
	eq "$($d inspect -f '{{.State.ExitCode}}' c1)" 137
	$d rm c1
}

it 'a runtime by its shim, with runtimeType and BinaryName' runtime_by_shim core
runtime_by_shim() {
	local d
	shipped docker/daemon-shim.json under-test >shim.json
	other_dockerd shim --config-file "$PWD/shim.json"
	life "$d"
}

it 'dockerd --add-runtime and --default-runtime' runtime_by_flag
runtime_by_flag() {
	local d
	echo '{}' >empty.json
	other_dockerd flag --config-file "$PWD/empty.json" --add-runtime "under-test=$RT_PATH" --default-runtime under-test
	life "$d"
}

it 'swarm: one node, replicas scaled' swarm core
swarm() {
	docker_swarm 2>&1 || { docker swarm leave -f; exit 1; }
	docker swarm leave -f
}
docker_swarm() {
	# The daemon must not have live-restore for swarm.
	kill "$(cat /tmp/dockerd.pid)"
	soon 20 test ! -e "/proc/$(cat /tmp/dockerd.pid)"
	dockerd_start --live-restore=false
	ip addr add 10.99.0.1/32 dev lo 2>/dev/null || true
	docker swarm init --advertise-addr 10.99.0.1
	docker service create -d --name s --network host --replicas 1 --no-resolve-image --stop-grace-period 1s box sh -c 'sleep 1000'
	soon_eq 40 1/1 docker service ls --format '{{.Replicas}}'
	docker service scale -d s=3
	soon_eq 40 3/3 docker service ls --format '{{.Replicas}}'
	eq "$(docker ps -q | wc -l)" 3
	docker service scale -d s=0
	soon_eq 40 0/0 docker service ls --format '{{.Replicas}}'
	docker service rm s
	soon_eq 30 '' docker ps -q
}

it 'checkpoint and start from it' checkpoint
checkpoint() {
	criu check >/dev/null 2>&1 || skip "criu check: $(criu check 2>&1 | grep -a Error | head -n 1)"
	bg c1 --network host --security-opt seccomp=unconfined box sh -c 'i=0; while :; do i=$((i+1)); echo $i >/tmp/i; sleep 0.2; done'
	sleep 1
	# (Docker now and then trips over a blob that its own content store has already, until containerd has swept it.)
	docker checkpoint create c1 one >out 2>&1 || { cat out; grep -q 'already exists' out; docker start c1; sleep 1; docker checkpoint create c1 one; }
	soon_eq 10 exited status c1
	docker start --checkpoint one c1 >out 2>&1 || { cat out; grep -q 'already exists' out; soon 30 docker start --checkpoint one c1; }
	local i
	i=$(docker exec c1 cat /tmp/i)
	[[ $i -gt 3 ]] || fail "counts from $i again"
}

it 'nothing is left: processes, groups, state' leftovers core
# (What a runtime keeps for later containers is not left over: compiled filters in @seccomp, crun's .cache.)
leftovers() {
	bg c1 "${forever[@]}"
	docker exec c1 true
	docker rm -f c1
	soon 10 no_runtime_processes
	eq "$(groups_left)" '' 'groups left'
	eq "$(find /run/docker/runtime-*/moby -mindepth 1 ! -path '*/@*' ! -path '*/.cache*' 2>/dev/null)" '' 'state left'
}
